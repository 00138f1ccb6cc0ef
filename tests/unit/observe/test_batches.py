"""Following `progress.jsonl`."""

import json
from datetime import timedelta

import pytest

from streamctl.observe import batches as module
from streamctl.observe.batches import Batches
from streamctl.observe.sample import not_processing_seconds
from streamctl.rundir.directory import RunDirectory
from tests.samples import NOW, progress_line


@pytest.fixture
def path(tmp_path):
    return RunDirectory(tmp_path).progress_file


def append(path, *lines: bytes) -> None:
    with path.open("ab") as file:
        file.writelines(lines)


def idle(at) -> bytes:
    return f'{{"at":"{at.isoformat()}","kind":"idle","query":"windows"}}\n'.encode()


def launched(at, *names: str) -> bytes:
    quoted = ",".join(f'"{name}"' for name in names)
    return f'{{"at":"{at.isoformat()}","kind":"launched","queries":[{quoted}]}}\n'.encode()


def test_a_line_is_taken_when_it_is_whole_and_once(path):
    batches = Batches(path)
    batches.read()
    line = progress_line(1, at=NOW)
    append(path, line[:50])
    batches.read()
    assert batches.stories == {}
    append(path, line[50:])
    batches.read()
    batches.read()
    story = batches.stories["windows"]
    assert [batch.batch_id for batch in story.batches] == [1]
    last = story.last
    assert last is not None
    assert last.seconds == 0.8
    assert last.state_rows == {"0:stateStoreSave": 7}
    assert last.rejected == {"invalid_json": 3}
    assert last.heap_bytes == 100


def test_the_file_is_followed_over_its_rotation(path):
    batches = Batches(path)
    append(path, progress_line(1, at=NOW))
    batches.read()
    path.replace(path.with_name("progress.jsonl.1"))
    append(path, progress_line(2, at=NOW))
    batches.read()
    assert [batch.batch_id for batch in batches.stories["windows"].batches] == [1, 2]


def test_a_long_file_is_read_from_near_its_end(path, monkeypatch):
    lines = [progress_line(number, at=NOW) for number in range(20)]
    append(path, *lines)
    monkeypatch.setattr(module, "TAIL_BYTES", 3 * len(lines[0]))
    batches = Batches(path)
    batches.read()
    ids = [batch.batch_id for batch in batches.stories["windows"].batches]
    assert ids[-1] == 19
    assert 1 <= len(ids) <= 4


def test_another_generation_is_another_story(path):
    batches = Batches(path)
    append(path, progress_line(7, at=NOW), progress_line(0, at=NOW, generation="0002"))
    batches.read()
    assert [batch.batch_id for batch in batches.stories["windows"].batches] == [0]


def test_idle_is_heard_and_ended_by_a_batch(path):
    batches = Batches(path)
    append(path, launched(NOW, "windows"), idle(NOW + timedelta(seconds=10)))
    batches.read()
    assert batches.attempt_began == NOW
    assert batches.stories["windows"].idle
    assert batches.stories["windows"].active_at == NOW + timedelta(seconds=10)
    append(path, progress_line(0, at=NOW + timedelta(seconds=11)))
    batches.read()
    assert not batches.stories["windows"].idle


def test_a_launch_forgets_queries_that_are_no_longer_there(path):
    batches = Batches(path)
    append(path, progress_line(1, at=NOW, query="old"), launched(NOW, "windows"))
    batches.read()
    assert list(batches.stories) == ["windows"]


def test_a_query_has_a_trigger_of_its_own_and_may_end_by_itself(path):
    batches = Batches(path)
    line = {"at": NOW.isoformat(), "kind": "launched", "queries": ["a", "b"]}
    end = {"at": NOW.isoformat(), "kind": "terminated", "query": "b", "error": None}
    fields = [line | {"triggers": {"a": "10 minutes"}}, end, end | {"query": "a", "error": "why"}]
    append(path, *(json.dumps(each).encode() + b"\n" for each in fields))
    batches.read()
    told = {name: (story.trigger, story.ended) for name, story in batches.stories.items()}
    assert told == {"a": ("10 minutes", False), "b": ("", True)}
    late = NOW + timedelta(hours=1)
    silent = [not_processing_seconds(s, began=NOW, now=late) for s in batches.stories.values()]
    assert silent == [3600.0, 0.0]
    append(path, json.dumps(line).encode() + b"\n")
    batches.read()
    assert not batches.stories["b"].ended, "it was started anew"
