"""A reprocessing goes to the trash, whole, and comes back; the live job is not touched."""

import os

import pytest

from streamctl.checkpoint.change.area import area_of
from streamctl.checkpoint.change.plan import Guarded
from streamctl.checkpoint.location import generations, journal, lease
from streamctl.errors import Busy, NotFound, Refused
from streamctl.reprocess.discard import discard, plan_discard
from streamctl.reprocess.places import Places
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import CheckpointSettings, OutputSettings, Settings
from tests.unit.change.helpers import NOW, digest, undo
from tests.unit.reprocess.test_promote import REQUEST, generation


@pytest.fixture
def settings(tmp_path):
    return Settings(
        checkpoint=CheckpointSettings(location=str(tmp_path / "cp")),
        output=OutputSettings(location=str(tmp_path / "out")),
    )


@pytest.fixture
def places(tmp_path):
    (tmp_path / "cp" / "_streamctl").mkdir(parents=True)
    store = area_of(str(tmp_path / "cp")).store
    generations.add(store, generation("0001"))
    generations.record(store, generation("0002", request=REQUEST))
    made = Places(live=RunDirectory(tmp_path / "run"), store=store)
    made.keep_receipt("0002", {"queries": []})
    for path in ("cp/0001/q", "cp/0002/q", "out/0001/q", "out/0002/q", "run/reprocess/0002"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "file").write_text(path)
    (tmp_path / "run" / "reprocess" / "0002" / "lock").touch()
    return made


def throw_away(places, settings, name="0002", **more):
    given = {"generation": name, "why": "", "context": "", "accept": []} | more
    return discard(places, settings, **given)


def gone(tmp_path):
    places = ("cp/0002", "out/0002", "run/reprocess/0002")
    return [name for name in places if not (tmp_path / name).exists()]


def test_all_of_it_goes_and_comes_back(places, settings, tmp_path):
    trees = (tmp_path / "cp", tmp_path / "out", tmp_path / "run" / "reprocess" / "0002")
    before = digest(*trees)
    report = throw_away(places, settings)
    assert len(gone(tmp_path)) == 3
    assert generations.recorded(places.store) == ["0001"]
    assert places.receipt("0002") is None
    assert (tmp_path / "cp" / "0001" / "q" / "file").exists()
    assert (tmp_path / "out" / "0001" / "q" / "file").exists()
    assert [entry.verb for entry in journal.entries(places.store)] == ["discard"]
    undo(area_of(settings.checkpoint.location), report.entry)
    assert digest(*trees) == before
    assert places.one("0002").name == "0002"


def test_a_plan_changes_nothing(places, settings, tmp_path):
    plan = plan_discard(places, settings, generation="0002", why="", now=NOW, context="")
    assert len(plan.steps) == 5
    assert gone(tmp_path) == []


def test_beside_a_live_job_and_not_without_its_lease(places, settings, tmp_path):
    """The supervisor holds the lock of the run directory, and the lease of the location."""
    lock = places.live.try_lock()
    lease.acquire(places.store, owner="run", seconds=60, now=NOW)
    throw_away(places, settings)
    assert len(gone(tmp_path)) == 3
    assert lease.read(places.store).owner == "run"
    assert lease.read(places.store, generation="0002") is None
    os.close(lock)


def test_while_a_command_changes_the_location_it_is_refused(places, settings, tmp_path):
    lease.acquire(places.store, owner="checkpoint rotate", seconds=60, now=NOW)
    with pytest.raises(Busy):
        throw_away(places, settings)
    assert gone(tmp_path) == []


def test_while_it_runs_it_is_refused(places, settings, tmp_path):
    lock = places.run("0002").try_lock()
    with pytest.raises(Busy, match="runs"):
        throw_away(places, settings)
    os.close(lock)
    assert gone(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "error"), [("0001", Refused), ("0003", NotFound)], ids=["live", "unknown"]
)
def test_what_is_no_reprocessing_stays(places, settings, tmp_path, name, error):
    with pytest.raises(error):
        throw_away(places, settings, name)
    assert gone(tmp_path) == []


def test_the_current_one_stays(places, settings, tmp_path):
    generations.point(places.store, "0002")
    with pytest.raises(Refused, match="is the current one"):
        throw_away(places, settings)
    assert gone(tmp_path) == []


def test_a_protected_context_needs_its_own_word(places, settings, tmp_path):
    protected = settings.model_copy(
        update={"checkpoint": settings.checkpoint.model_copy(update={"protected": True})}
    )
    with pytest.raises(Guarded):
        throw_away(places, protected, context="production")
    assert gone(tmp_path) == []
    throw_away(places, protected, context="production", accept=["accept-protected"])
    assert len(gone(tmp_path)) == 3
