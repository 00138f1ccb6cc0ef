"""The end of a run that has one."""

import json

from jobs.ending import Ending, is_reached

ENDS = {"t": {"0": 10, "1": 5}}


def line(query, **offsets):
    return {"query": query, "sources": [{"end_offset": {"t": offsets}}]}


def test_every_partition_must_be_at_its_end():
    assert is_reached(ENDS, {"t": {"0": 10, "1": 7}})
    assert not is_reached(ENDS, {"t": {"0": 10, "1": 4}})
    assert not is_reached(ENDS, {"t": {"0": 10}})
    assert not is_reached(ENDS, {})


def test_a_run_has_reached_its_end_when_all_queries_have():
    told = []
    ending = Ending(json.dumps(ENDS), on_reached=lambda: told.append(1))
    ending.after(line("a", **{"0": 10, "1": 4}))
    assert not ending.reached_by(["a"])
    ending.after(line("a", **{"0": 11, "1": 5}))
    assert ending.reached_by(["a"])
    assert not ending.reached_by(["a", "b"])
    ending.idle("b")  # it asked, and there was nothing to read
    assert ending.reached_by(["a", "b"])
    assert len(told) == 2


def test_a_run_without_an_end_goes_on():
    ending = Ending("", on_reached=lambda: None)
    ending.idle("a")
    assert not ending.reached_by(["a"])
