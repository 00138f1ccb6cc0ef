"""Which generation the live job goes on from, without a job that runs."""

from datetime import UTC, datetime

import pytest

from streamctl.checkpoint.location import generations, journal
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.errors import NotFound, Refused
from streamctl.reports import ignore
from streamctl.reprocess.listing import listing
from streamctl.reprocess.places import Places
from streamctl.reprocess.promote import promote
from streamctl.reprocess.request import Request
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings

REQUEST = Request(job="m:J", topics="t", start="earliest", end="now").as_text()


def generation(name, **more):
    return Generation(
        name=name, created_at=datetime(2026, 3, 1, tzinfo=UTC), job="m:J",
        starting_offsets="{}", why="test", **more,
    )  # fmt: skip


@pytest.fixture
def places(tmp_path):
    store = Store.open(str(tmp_path / "checkpoint"))
    generations.add(store, generation("0001"))
    generations.record(store, generation("0002", request=REQUEST))
    return Places(live=RunDirectory(tmp_path / "run"), store=store)


def switch(places, name="", *, back=False):
    return promote(
        places, Settings(), generation=name, back=back, project=places.live.path, on_event=ignore
    )


def test_recording_one_does_not_make_it_current(places):
    assert generations.current(places.store).name == "0001"
    assert [found.name for found in places.all()] == ["0002"]


def test_there_and_back(places):
    places.keep_receipt("0002", {"queries": []})
    there = switch(places)
    assert (there.before, there.after, there.restarted) == ("0001", "0002", False)
    assert generations.current(places.store).name == "0002"
    back = switch(places, back=True)
    assert (back.before, back.after) == ("0002", "0001")
    assert generations.current(places.store).name == "0001"
    assert [entry.verb for entry in journal.entries(places.store)] == ["promote", "promote"]


def test_an_unfinished_one_is_refused(places):
    with pytest.raises(Refused, match="is not done"):
        switch(places, "0002")
    assert generations.current(places.store).name == "0001"


def test_one_that_leaves_out_what_came_after_is_refused(places):
    generations.record(places.store, generation("0003", request=REQUEST, bounded=True))
    places.keep_receipt("0003", {"queries": []})
    with pytest.raises(Refused, match="leaves out what came after"):
        switch(places, "0003")


def test_the_live_line_and_unknown_ones_are_refused(places):
    with pytest.raises(Refused, match="was not made by a reprocessing"):
        switch(places, "0001")
    with pytest.raises(NotFound, match='no generation "0009"'):
        switch(places, "0009")
    with pytest.raises(NotFound, match="no way back"):
        switch(places, back=True)


def test_the_list_tells_how_far_each_is(places):
    assert [(x.generation, x.state, x.records) for x in listing(places).reprocessings] == [
        ("0002", "begun", None)
    ]
    places.keep_receipt("0002", {"queries": [{"input_records": 7}, {"input_records": 9}]})
    assert [(x.state, x.records) for x in listing(places).reprocessings] == [("done", 7)]
    switch(places)
    assert [x.state for x in listing(places).reprocessings] == ["current"]
