"""Backups of the golden checkpoints: taken, looked at, put back, and damaged in every way."""

import json
import os
import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from streamctl.checkpoint.backup.check import check
from streamctl.checkpoint.backup.closure import NothingCommitted, close
from streamctl.checkpoint.backup.format import manifest_fields, seal, unseal
from streamctl.checkpoint.backup.packs import PackReader, read_index
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.restore import _write, moved, query_of, restore
from streamctl.checkpoint.backup.take import About, Moving, Source, take
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.kinds import Severity
from streamctl.checkpoint.verify.verify import Level, verify
from streamctl.errors import Interrupted, Malformed, NotFound, Refused, Unsupported
from streamctl.reports import Verdict, ignore
from tests.goldens import cases, golden

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ONE = ("4.2.0", "rocksdb-aggregation")


def has_commit(case):
    return any((golden(*case) / "commits").glob("[0-9]*"))


CASES = [case for case in cases() if has_commit(case)]


@pytest.fixture
def repository(tmp_path):
    return Repository.open(str(tmp_path / "repository"), create=True)


@pytest.fixture
def checkpoint(tmp_path):
    """A copy of a golden that may be changed."""
    name = next((name for version, name in CASES if version == "4.2.0" and "rocksdb" in name))
    shutil.copytree(golden("4.2.0", name), tmp_path / "cp")
    return tmp_path / "cp"


def backup(path, repository, *, now=NOW, **more):
    source = Source(name="", checkpoint=Checkpoint.open(str(path)))
    about = About(location=str(path))
    return take([source], repository, about, now=now, on_event=ignore, **more)


def put_back(repository, to, backup_id="latest"):
    manifest = repository.manifest(backup_id)
    return restore(repository, manifest, query_of(manifest, ""), to=str(to), on_event=ignore)


def digests(path):
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in Path(path).rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_every_kind_of_checkpoint_comes_back_as_it_was(case, repository, tmp_path):
    original = golden(*case)
    taken = backup(original, repository)
    restored = put_back(repository, tmp_path / "restored")
    was, now = digests(original), digests(tmp_path / "restored")
    assert now.keys() <= was.keys()
    changed = {path for path in now if now[path] != was[path]}
    assert all("_metadata/v2" in path for path in changed)
    assert len(changed) == restored.rewritten
    sums = restored.files - len(now)  # of what was changed
    assert taken.files == restored.files
    assert 0 <= sums <= 2 * len(changed)
    assert not any(str(original).encode() in data for data in now.values())
    before = Checkpoint.open(str(original)).position()
    after = Checkpoint.open(str(tmp_path / "restored")).position()
    assert after.committed == before.committed
    assert after.committed_batch_id == before.committed_batch_id == restored.batch_id
    deep = verify(Checkpoint.open(str(tmp_path / "restored")), level=Level.DEEP)
    assert not [item for item in deep.findings if item.severity is Severity.ERROR]


def test_what_is_newer_or_needless_is_not_taken(checkpoint):
    store = next((checkpoint / "state").glob("*/0"))
    (checkpoint / "offsets" / ".9.aaaaaaaa-0000-0000-0000-000000000000.tmp").write_bytes(b"x")
    (store / "999.zip").write_bytes(b"newer")
    (store / "SSTs").mkdir(exist_ok=True)
    (store / "SSTs" / "unreferenced.sst").write_bytes(b"x")
    found = close(Checkpoint.open(str(checkpoint)))
    paths = [member.path for member in found.members]
    assert len(paths) == len(set(paths))
    assert not [p for p in paths if p.endswith((".tmp", "999.zip", "unreferenced.sst"))]
    logs = {p for p in paths if p.startswith("offsets/") and not p.endswith(".crc")}
    assert logs == {f"offsets/{found.batch_id - 1}", f"offsets/{found.batch_id}"}


def test_a_second_backup_reads_and_stores_next_to_nothing(checkpoint, repository):
    first = backup(checkpoint, repository)
    second = backup(checkpoint, repository, now=NOW + timedelta(minutes=1))
    assert (second.files, second.size_bytes) == (first.files, first.size_bytes)
    assert second.read_files == 0
    assert second.stored_bytes < first.stored_bytes / 2
    again = backup(checkpoint, repository, now=NOW + timedelta(minutes=2), read_all=True)
    assert again.read_files == first.files
    assert again.stored_bytes < first.stored_bytes / 2
    everything = check(repository, ids=[], read_data=True, now=NOW, on_event=ignore)
    assert [item.verdict for item in everything.backups] == [Verdict.OK] * 3


def test_a_changed_file_of_the_same_length_is_noticed_by_its_time(checkpoint, repository, tmp_path):
    backup(checkpoint, repository)
    entry = max((checkpoint / "commits").glob("[0-9]*"), key=lambda path: int(path.name))
    text = entry.read_text().replace(" ", "")
    entry.write_text(text)
    os.utime(entry, (1, 1))
    backup(checkpoint, repository, now=NOW + timedelta(minutes=1))
    put_back(repository, tmp_path / "restored")
    assert (tmp_path / "restored" / "commits" / entry.name).read_text() == text


def test_large_files_go_in_pieces(checkpoint, repository, tmp_path, monkeypatch):
    for module in ("content", "packs"):
        monkeypatch.setattr(f"streamctl.checkpoint.backup.{module}.PIECE_BYTES", 100)
    monkeypatch.setattr("streamctl.checkpoint.backup.restore._LARGE_BYTES", 100)
    backup(checkpoint, repository)
    put_back(repository, tmp_path / "restored")
    was, now = digests(checkpoint), digests(tmp_path / "restored")
    assert max(len(file.pieces) for file in repository.manifest("latest").queries[0].files) > 3
    assert all(now[path] == was[path] for path in now)


def commit(checkpoint):
    """A query goes on: the next commit is there, whatever is in it."""
    newest = max(int(path.name) for path in (checkpoint / "commits").glob("[0-9]*"))
    (checkpoint / f"commits/{newest + 100}").write_text("v1")


def test_a_query_that_purges_while_it_is_read_is_pinned_anew(checkpoint, repository, monkeypatch):
    real, calls = close, []

    def purged(*arguments, **more):
        calls.append(1)
        commit(checkpoint)
        if len(calls) < 3:
            raise FileNotFoundError("gone")
        return real(*arguments, **more)

    monkeypatch.setattr("streamctl.checkpoint.backup.take.close", purged)
    assert backup(checkpoint, repository).repins == 2
    calls[:] = [0] * -99

    def always(*_, **__):
        commit(checkpoint)
        raise FileNotFoundError("gone")

    monkeypatch.setattr("streamctl.checkpoint.backup.take.close", always)
    with pytest.raises(Moving, match="changes faster"):
        backup(checkpoint, repository)
    assert len(repository.ids()) == 1


def test_a_file_that_grew_since_it_was_listed_is_not_half_taken(
    checkpoint, repository, monkeypatch
):
    entry = max((checkpoint / "commits").glob("[0-9]*"), key=lambda path: int(path.name))
    real = close

    def grown(*arguments, **more):
        found = real(*arguments, **more)
        entry.write_bytes(entry.read_bytes() + b" ")
        commit(checkpoint)
        return found

    monkeypatch.setattr("streamctl.checkpoint.backup.take.close", grown)
    with pytest.raises(Moving):
        backup(checkpoint, repository)


def test_nothing_committed_is_told(checkpoint, repository):
    shutil.rmtree(checkpoint / "commits")
    with pytest.raises(NothingCommitted, match="no batch is in both logs"):
        backup(checkpoint, repository)
    assert repository.ids() == []


def test_an_older_batch_can_be_asked_for(checkpoint, repository):
    newest = Checkpoint.open(str(checkpoint)).position().committed_batch_id
    taken = backup(checkpoint, repository, batch_id=newest - 1)
    assert taken.queries[0].batch_id == newest - 1
    with pytest.raises(NothingCommitted, match="batch 12345 is not in both logs"):
        backup(checkpoint, repository, batch_id=12345)


def test_every_changed_byte_of_a_repository_is_found(checkpoint, repository, tmp_path):
    """Packs, indexes and manifests, a byte at a time at many places.

    Digests are of content, not of its zstd frame, which has bits that no decoder looks at.
    """
    taken = backup(checkpoint, repository)
    manifest = repository.manifest(taken.id)
    index = read_index(repository.store, damaged=[])
    folder = tmp_path / "repository"
    files = [*folder.glob("packs/*"), *folder.glob("manifests/*")]
    assert len(files) >= 3
    tried = told = 0
    for file in files:
        data = file.read_bytes()
        for at in range(0, len(data), max(1, len(data) // 40)):
            tried += 1
            file.write_bytes(data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :])
            found = check(repository, ids=[taken.id], read_data=True, now=NOW, on_event=ignore)
            if found.verdict is Verdict.OK:
                assert repository.manifest(taken.id) == manifest, (file, at)
                assert read_index(repository.store, damaged=[]) == index, (file, at)
                reader = PackReader(repository.store, index)
                for piece in manifest.pieces:
                    assert sha256(reader.piece(piece)).hexdigest() == piece, (file, at)
            else:
                told += 1
        file.write_bytes(data[: len(data) // 2])
        found = check(repository, ids=[], read_data=True, now=NOW, on_event=ignore)
        assert found.verdict is not Verdict.OK, (file, "cut")
        with pytest.raises(Malformed):
            put_back(repository, tmp_path / "restored", taken.id)
        assert not (tmp_path / "restored").exists()
        file.write_bytes(data)
    assert told > 0.9 * tried
    assert check(repository, ids=[], read_data=True, now=NOW, on_event=ignore).verdict is Verdict.OK
    assert repository.mark(taken.id).read_data


def test_missing_parts_are_found_without_reading_all(checkpoint, repository, tmp_path):
    taken = backup(checkpoint, repository)
    next((tmp_path / "repository" / "packs").glob("*.index")).unlink()
    found = check(repository, ids=[], read_data=False, now=NOW, on_event=ignore)
    assert found.verdict is Verdict.PROBLEM
    assert "is in no pack" in found.backups[0].problems[0]
    assert not repository.mark(taken.id).verified_at


def test_a_newer_format_is_said_and_not_guessed_at(checkpoint, repository):
    taken = backup(checkpoint, repository)
    name = f"manifests/{taken.id}"
    data = repository.store.read(name)
    repository.store.replace(name, data.replace(b"manifest 1 ", b"manifest 2 ", 1))
    with pytest.raises(Unsupported, match="has format 2"):
        repository.manifest(taken.id)
    about = json.loads(repository.store.read("repository.json"))
    repository.store.replace("repository.json", json.dumps(about | {"format": 2}).encode())
    with pytest.raises(Unsupported, match="has format 2"):
        Repository.open(repository.store.url)


def test_restore_goes_to_an_empty_place_only(checkpoint, repository, tmp_path):
    backup(checkpoint, repository)
    for there in ("full", "file"):
        place = tmp_path / there
        if there == "full":
            place.mkdir()
            (place / "x").touch()
        else:
            place.touch()
        with pytest.raises(Refused, match="is not empty"):
            put_back(repository, place)
    (tmp_path / "empty").mkdir()
    put_back(repository, tmp_path / "empty")
    assert not list(tmp_path.glob(".*restoring*"))


def test_what_is_not_sound_is_not_restored(checkpoint, repository, tmp_path):
    """A backup may be whole, and of a checkpoint that was not."""
    found = close(Checkpoint.open(str(checkpoint)))
    needed = next(m.path for m in found.members if m.path.endswith((".changelog", ".sst")))
    (checkpoint / needed).write_bytes((checkpoint / needed).read_bytes()[::-1])
    backup(checkpoint, repository)
    with pytest.raises(Refused, match="is not sound"):
        put_back(repository, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_a_manifest_cannot_lead_out_of_the_place(checkpoint, repository, tmp_path):
    taken = backup(checkpoint, repository)
    name = f"manifests/{taken.id}"
    fields = unseal("manifest", repository.store.read(name), name=name)
    fields["queries"][0]["files"][0][0] = "../outside"
    repository.store.replace(name, seal("manifest", fields))
    with pytest.raises(Refused, match="outside of a checkpoint"):
        put_back(repository, tmp_path / "restored")
    assert not (tmp_path / "outside").exists()


def test_absolute_paths_follow_the_checkpoint():
    text = (
        'v2\n{"stateStoreInfo":[{"stateSchemaFilePaths":["file:/old/state/3/_stateSchema/d/0_u"]}]}'
    )
    found = moved(text.encode(), "/new place")
    assert b'["file:/new place/state/3/_stateSchema/d/0_u"]' in found
    assert moved(b"v2\n{not json", "/new") == b"v2\n{not json"


def test_ids_may_be_shortened_and_must_be_clear(checkpoint, repository):
    first = backup(checkpoint, repository)
    backup(checkpoint, repository)
    assert repository.find(first.id[:20]) == first.id
    with pytest.raises(NotFound, match="2 backups begin with"):
        repository.find("2026")
    with pytest.raises(NotFound, match="no backup"):
        repository.find("2027")


def test_manifests_come_back(checkpoint, repository):
    backup(checkpoint, repository)
    manifest = repository.manifest("latest")
    again = json.loads(json.dumps(manifest_fields(manifest)))
    assert again["queries"][0]["batch_id"] == manifest.queries[0].batch_id
    assert manifest.queries[0].offsets is not None


def test_an_interrupted_restore_ends_at_the_next_piece(
    checkpoint, repository, tmp_path, monkeypatch
):
    """In the midst of a file: it may be larger than anybody's patience."""
    for module in ("content", "packs"):
        monkeypatch.setattr(f"streamctl.checkpoint.backup.{module}.PIECE_BYTES", 20)
    backup(checkpoint, repository)
    given_up, read, slow = threading.Event(), [], PackReader.piece

    def piece(self, digest):
        read.append(digest)
        if len(read) == 3:
            given_up.set()
        return slow(self, digest)

    monkeypatch.setattr(PackReader, "piece", piece)
    file = max(repository.manifest("latest").queries[0].files, key=lambda one: len(one.pieces))
    index = read_index(repository.store)
    renamed = [replace(file, path="large")]
    place = str(tmp_path)
    with pytest.raises(Interrupted):
        _write(repository.store, index, renamed, at=place, place=place, given_up=given_up)
    assert len(read) == 3 < len(file.pieces)
