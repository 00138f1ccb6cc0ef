"""Several jobs and several commands in one repository."""

import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from streamctl.checkpoint.backup import locks
from streamctl.checkpoint.backup.check import check
from streamctl.checkpoint.backup.locks import locked, reading
from streamctl.checkpoint.backup.policy import Candidate, Policy, choose
from streamctl.checkpoint.backup.prune import forget, prune
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.take import About, Source, take
from streamctl.checkpoint.location.store import StorageFailed, Store
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import Busy, Refused, WouldNotStart
from streamctl.reports import Verdict, ignore
from tests.unit.change.helpers import NOW, small


def back_up(repository: Repository, checkpoint: Path) -> str:
    about = About(location=str(checkpoint))
    source = Source(name="", checkpoint=Checkpoint.open(str(checkpoint)))
    return take([source], repository, about, now=NOW, on_event=ignore).id


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.open(str(tmp_path / "backups"), create=True)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return small(tmp_path / "checkpoint")


def test_a_pack_that_is_gone_or_cut_is_told_without_reading_it(repository, checkpoint):
    name = back_up(repository, checkpoint)

    def verdict() -> Verdict:
        return check(repository, ids=[name], read_data=False, now=NOW, on_event=ignore).verdict

    assert verdict() is Verdict.OK
    assert repository.mark(name).verified_at
    (pack,) = Path(repository.store.at("packs")).glob("*.pack")
    whole = pack.read_bytes()
    pack.write_bytes(whole[:-1])
    assert verdict() is Verdict.PROBLEM
    assert not repository.mark(name).verified_at  # or `prune` would guard it as the last good one
    pack.unlink()
    assert verdict() is Verdict.PROBLEM


def test_each_location_keeps_its_own():
    hours = [
        Candidate(id=f"{of}{n}", of=of, at=NOW - timedelta(hours=n), verified=n == 2)
        for n in range(3)
        for of in ("a", "b")
    ]
    stay = {c.id for c in choose(hours, Policy(last=1), now=NOW) if c.stays}
    assert stay == {"a0", "a2", "b0", "b2"}


def test_what_is_kept_or_too_few_is_not_forgotten(repository, checkpoint):
    first, second = back_up(repository, checkpoint), back_up(repository, checkpoint)
    other = back_up(repository, small(checkpoint.with_name("other")))
    repository.put_mark(first, keep=True)
    with pytest.raises(Refused, match="marked to be kept"):
        forget(repository, first, at_least=1, now=NOW)
    forget(repository, second, at_least=1, now=NOW)
    repository.put_mark(first, keep=False)
    with pytest.raises(Refused, match="one of the last 1 of its location"):
        forget(repository, first, at_least=1, now=NOW)
    assert set(repository.ids()) == {first, other}


def test_prune_sweeps_what_killed_commands_left(repository, checkpoint):
    back_up(repository, checkpoint)
    left = Path(repository.store.at("packs"), "ab.pack.0d2c5b1e.tmp")
    left.write_bytes(b"half")
    prune(repository, Policy(), now=NOW, dry_run=False, on_event=ignore)
    assert not left.exists()


def test_a_full_disk_gets_its_space_back(tmp_path, monkeypatch):
    def full(_: Store, path: str, __: str, data: bytes) -> None:
        Path(path).write_bytes(data[:1])
        raise OSError(28, "No space left on device")

    store = Store.open(str(tmp_path))
    monkeypatch.setattr(Store, "_write", full)
    with pytest.raises(StorageFailed, match="No space"):
        store.replace("packs/a.pack", b"content")
    assert list((tmp_path / "packs").iterdir()) == []


def test_a_reader_keeps_prune_out_and_needs_no_right_to_write(repository, monkeypatch):
    with (
        reading(repository.store, what="restore", now=NOW),
        pytest.raises(Busy, match="`restore`"),
        locked(repository.store, what="backup prune", alone=True, now=NOW),
    ):
        pass

    def refuse(*_: object) -> None:
        raise StorageFailed("read-only")

    monkeypatch.setattr(Store, "replace", refuse)
    with reading(repository.store, what="restore", now=NOW):
        pass


def test_the_way_out_of_another_host_s_lock_works(repository, monkeypatch):
    with locked(repository.store, what="backup prune", alone=True, now=datetime.now(UTC)):
        monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
        with pytest.raises(Busy) as refusal, reading(repository.store, what="restore", now=NOW):
            pass
        assert "backup unlock --all" in refusal.value.hint
        assert locks.unlock(repository.store, every=True)


def test_a_missing_file_at_rest_is_named(repository, checkpoint):
    """Not called a checkpoint that moves too fast, which it would be for ever."""
    newest = max((checkpoint / "commits").iterdir(), key=lambda path: int(path.name))
    (checkpoint / "metadata").unlink()
    (checkpoint / "metadata").symlink_to("nowhere")
    with pytest.raises(WouldNotStart, match="metadata"):
        back_up(repository, checkpoint)
    assert newest.exists()


def test_an_object_store_is_asked_for_many_files_at_once(repository, checkpoint, monkeypatch):
    """One after the other, each waits for the store."""
    together = Barrier(4)  # broken where fewer than four come within its time
    store = MemoryFileSystem()
    store.put(str(checkpoint), "/bucket/cp", recursive=True)
    monkeypatch.setattr(MemoryFileSystem, "async_impl", True)
    real, first = MemoryFileSystem.open, iter(range(4))

    def slow(self: MemoryFileSystem, path: str, *more: object, **named: object) -> object:
        if (
            threading.current_thread() is not threading.main_thread()
            and next(first, None) is not None
        ):
            together.wait(timeout=20)
        return real(self, path, *more, **named)

    monkeypatch.setattr(MemoryFileSystem, "open", slow)
    source = Source(name="", checkpoint=Checkpoint.open("memory://bucket/cp"))
    taken = take(
        [source], repository, About(location="memory://bucket/cp"), now=NOW, on_event=ignore
    )
    checked = check(repository, ids=[taken.id], read_data=True, now=NOW, on_event=ignore)
    assert checked.verdict is Verdict.OK
    assert taken.read_files > 4
    assert next(first, None) is None
    assert not together.broken
    store.rm("/bucket", recursive=True)
