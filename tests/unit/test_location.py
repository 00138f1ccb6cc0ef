"""Generations, lease and journal below a checkpoint location."""

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import fsspec
import pytest

from streamctl.checkpoint.location import generations, journal, lease
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import StorageFailed, Store
from streamctl.errors import Busy, Malformed

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path, monkeypatch):
    if request.param == "local":
        yield Store.open(str(tmp_path / "location"))
        return
    fsspec.filesystem("memory").store.clear()
    monkeypatch.setattr(lease, "SETTLE_SECONDS", 0)
    yield Store.open("memory://location")
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def local(tmp_path):
    return Store.open(str(tmp_path / "location"))


def generation(name: str) -> Generation:
    return Generation(
        name=name,
        created_at=NOW,
        job="m:J",
        starting_offsets='{"t": {"0": 5}}',
        why="first start",
        topic_ids={"t": "abc"},
    )


class TestStore:
    def test_create_is_exclusive_and_replace_is_not(self, store):
        assert store.create("a/b", b"1")
        assert not store.create("a/b", b"2")
        assert store.read("a/b") == b"1"
        store.replace("a/b", b"3")
        assert store.read("a/b") == b"3"
        assert store.names("a") == ["b"]
        store.remove("a/b")
        store.remove("a/b")
        assert store.read("a/b") is None

    def test_one_of_many_creates(self, local):
        with ThreadPoolExecutor(16) as pool:
            won = list(pool.map(lambda n: local.create("x", str(n).encode()), range(64)))
        assert won.count(True) == 1
        assert local.names("") == ["x"]

    def test_a_refusing_disk_is_a_typed_error(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(StorageFailed) as caught:
            Store.open(str(tmp_path / "file" / "below")).replace("x", b"")
        assert caught.value.hint

    def test_an_unknown_scheme_names_the_way_out(self):
        with pytest.raises(StorageFailed, match="nonsense"):
            Store.open("nonsense://x")


class TestGenerations:
    def test_the_first_is_0001_and_is_found_again(self, store):
        assert generations.current(store) is None
        name = generations.next_name(store)
        assert name == "0001"
        generations.add(store, generation(name))
        assert generations.current(store) == generation("0001")
        assert generations.next_name(store) == "0002"

    def test_a_directory_without_a_record_is_not_used_again(self, store):
        store.replace("0007/windows/metadata", b"{}")
        assert generations.next_name(store) == "0008"
        assert generations.queries(store, "0007") == ["windows"]

    @pytest.mark.parametrize("pointer", [b"", b"{}", b'{"generation": "0009"}', b"[]"])
    def test_a_damaged_pointer_is_not_taken_for_a_new_location(self, store, pointer):
        store.replace("_streamctl/current.json", pointer)
        with pytest.raises(Malformed, match="current generation"):
            generations.current(store)


def other_host(store, **changes):
    """A lease that another host holds."""
    held, _ = lease.acquire(store, owner="other", seconds=30, now=NOW)
    foreign = replace(held, host="elsewhere", **changes)
    store.replace("_streamctl/lease.json", lease._bytes(foreign))
    return foreign


class TestLease:
    def test_a_second_owner_is_told_who_has_it(self, store):
        lease.acquire(store, owner="first", seconds=30, now=NOW)
        with pytest.raises(Busy, match=f"run first .process {os.getpid()} on "):
            lease.acquire(store, owner="second", seconds=30, now=NOW)

    def test_release_frees_it(self, store):
        mine, _ = lease.acquire(store, owner="first", seconds=30, now=NOW)
        lease.release(store, mine)
        assert lease.holder(store, now=NOW) is None
        lease.acquire(store, owner="second", seconds=30, now=NOW)

    def test_on_another_host_time_decides(self, store):
        other_host(store)
        with pytest.raises(Busy):
            lease.acquire(store, owner="mine", seconds=30, now=NOW + timedelta(seconds=29))
        _, dead = lease.acquire(store, owner="mine", seconds=30, now=NOW + timedelta(seconds=30))
        assert dead is not None
        assert dead.owner == "other"

    def test_on_this_host_the_process_decides(self, store):
        held, _ = lease.acquire(store, owner="dead", seconds=3600, now=NOW)
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        store.replace("_streamctl/lease.json", lease._bytes(replace(held, pid=child.pid)))
        assert lease.holder(store, now=NOW) is None

    def test_a_process_id_given_out_again_is_not_the_owner(self, store):
        held, _ = lease.acquire(store, owner="dead", seconds=3600, now=NOW)
        older = replace(held, process_started=held.process_started - 100)
        store.replace("_streamctl/lease.json", lease._bytes(older))
        assert lease.holder(store, now=NOW) is None

    def test_a_living_driver_of_a_dead_supervisor_still_binds(self, store):
        held, _ = lease.acquire(store, owner="dead", seconds=3600, now=NOW)
        held = lease.renew(store, held, now=NOW, driver_pid=os.getpid())
        orphaned = replace(held, pid=2**22 - 1)
        store.replace("_streamctl/lease.json", lease._bytes(orphaned))
        assert lease.holder(store, now=NOW) == orphaned

    def test_renewing_a_lost_lease_fails(self, store):
        mine, _ = lease.acquire(store, owner="mine", seconds=30, now=NOW)
        other = replace(mine, token="theirs", host=socket.gethostname())
        store.replace("_streamctl/lease.json", lease._bytes(other))
        with pytest.raises(lease.LeaseLost, match="run mine"):
            lease.renew(store, mine, now=NOW)
        lease.release(store, mine)
        assert lease.read(store) == other  # another's lease is not released
        store.remove("_streamctl/lease.json")
        with pytest.raises(lease.LeaseLost, match="removed"):
            lease.renew(store, mine, now=NOW)

    def test_a_damaged_lease_binds(self, store):
        store.replace("_streamctl/lease.json", b"{")
        with pytest.raises(Busy, match="cannot be read"):
            lease.acquire(store, owner="mine", seconds=30, now=NOW)

    def test_one_of_many_takes_a_dead_lease_over(self, local):
        def attempt(number):
            try:
                return lease.acquire(local, owner=str(number), seconds=30, now=late)[0]
            except Busy:
                return None

        for _ in range(20):
            late = NOW + timedelta(hours=1)
            other_host(local)
            with ThreadPoolExecutor(8) as pool:
                won = [taken for taken in pool.map(attempt, range(8)) if taken]
            assert len(won) == 1
            assert lease.read(local) == won[0]
            lease.release(local, won[0])


def test_journal_is_in_order(store):
    for number in range(3):
        moment = NOW + timedelta(milliseconds=number)
        entry = journal.Entry(at=moment, who="me", verb="take over", why=str(number))
        journal.record(store, entry)
    assert [entry.why for entry in journal.entries(store)] == ["0", "1", "2"]
    assert all(json.loads(json.dumps(entry.before)) == {} for entry in journal.entries(store))
