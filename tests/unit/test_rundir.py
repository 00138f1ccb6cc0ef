"""Files between CLI, supervisor and driver."""

import json
import os
import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streamctl.errors import Malformed
from streamctl.observe.status import newest_lines
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.files import append_whole, read_file, replace_file
from streamctl.rundir.losses import Seen
from streamctl.rundir.records import Failure, FailureClass, Launch, StopRequest
from streamctl.rundir.runs import spark_run_of
from streamctl.supervisor.progress import ProgressTail

NOW = datetime(2026, 1, 31, 12, 0, 0, 123000, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        StopRequest(at=NOW, who="a@b", reason="r", deadline_seconds=1.5),
        Failure(
            at=NOW,
            failure_class=FailureClass.DATA,
            condition="C",
            message="m",
            batch_id=3,
            offsets=[{"t": {"0": 1}}],
        ),
        Launch(
            run_id="r",
            attempt=1,
            generation="0001",
            checkpoint_base="c",
            output_base="o",
            starting_offsets="{}",
            state_format_version=2,
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_reads_what_it_wrote(tmp_path, value):
    run = RunDirectory(tmp_path / "run")
    assert run.read(type(value)) is None
    run.write(value)
    assert run.read(type(value)) == value
    run.remove(type(value))
    assert run.read(type(value)) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"at": 5}', '{"at": "x", "who": "y"}'])
def test_a_damaged_file_is_a_typed_error(tmp_path, text):
    path = tmp_path / "stop.json"
    path.write_text(text)
    with pytest.raises(Malformed, match=r"stop\.json"):
        read_file(path, StopRequest)


def test_a_failed_write_leaves_the_old_file_and_nothing_beside(tmp_path, monkeypatch):
    path = tmp_path / "status.json"
    replace_file(path, "old")

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, "new")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["status.json"]


def test_what_was_told_of_another_checkpoint_is_put_aside(tmp_path):
    run = RunDirectory(tmp_path)
    assert run.put_history_aside(NOW) is None
    run.progress_file.write_text('{"batch_id": 1}\n')
    (tmp_path / "losses.jsonl").write_text("")
    run.write(Seen(generation="0001"))
    aside = run.put_history_aside(NOW)
    assert sorted(file.name for file in aside.iterdir()) == [
        "losses.jsonl",
        "progress.jsonl",
        "seen.json",
    ]
    assert (list(run.progress()), run.losses(), run.read(Seen)) == ([], [], None)


def test_the_newest_five_of_those_put_aside_are_kept(tmp_path):
    run = RunDirectory(tmp_path)
    asides = []
    for minutes in range(7):
        run.progress_file.write_text('{"batch_id": 1}\n')
        asides.append(run.put_history_aside(NOW + timedelta(minutes=minutes)))
    assert [aside.exists() for aside in asides] == [False] * 2 + [True] * 5


def test_one_lock_at_a_time(tmp_path):
    run = RunDirectory(tmp_path)
    first = run.try_lock()
    assert first is not None
    assert RunDirectory(tmp_path).try_lock() is None
    os.close(first)
    second = run.try_lock()
    assert second is not None
    os.close(second)


def test_a_line_still_being_written_is_left_out(tmp_path: Path):
    run = RunDirectory(tmp_path)
    assert list(run.progress()) == []
    run.progress_file.write_text('{"kind": "idle"}\n{"kind": "prog')
    assert list(run.progress()) == [{"kind": "idle"}]


def test_the_newest_run_of_a_query_is_found_among_others(tmp_path):
    path = tmp_path / "progress.jsonl"
    assert spark_run_of(path, "q1") is None
    lines = [
        {"kind": "started", "query": "a", "query_id": "q1", "spark_run_id": "r1"},
        {"kind": "progress", "query": "a", "query_id": "q1", "spark_run_id": "r2"},
        {"kind": "started", "query": "b", "query_id": "q2", "spark_run_id": "r3"},
        {"kind": "idle", "query": "a"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    path.write_text(text + '{"query_id": "q1", "spark_run_id": "half')
    assert [spark_run_of(path, name) for name in ("q1", "q2", "q3")] == ["r2", "r3", None]


def test_a_line_that_a_full_disk_takes_a_part_of_is_not_there_at_all(tmp_path):
    path = tmp_path / "lines"
    append_whole(path, "first\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9, before[1]))
    try:
        with pytest.raises(OSError, match="No space left"):
            append_whole(path, "second\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    append_whole(path, "third\n", flush=True)
    assert path.read_text() == "first\nthird\n"


@pytest.mark.parametrize("torn", ['{"kind": "prog', "x" * 200_000, "\0" * 4096])
@pytest.mark.parametrize("whole", ['{"a": 1}\n', ""])
def test_what_a_killed_writer_left_of_a_line_is_cut_off_by_the_next(tmp_path, whole, torn):
    path = tmp_path / "lines"
    path.write_text(whole + torn)
    append_whole(path, '{"b": 2}\n')
    assert path.read_text() == whole + '{"b": 2}\n'


def test_a_supervisor_hears_the_first_line_behind_what_a_killed_driver_left_of_one(tmp_path):
    path = tmp_path / "progress.jsonl"
    path.write_text('{"kind": "idle", "query": "z"}\n{"kind": "progress", "query": "a", "more')
    heard = []
    tail = ProgressTail(path, on_line=heard.append)
    tail.read()
    append_whole(path, '{"kind": "launched", "queries": ["a"]}\n')
    with path.open("a") as file:
        file.write('{"kind": "laun{"kind": "launched", "queries": ["b"]}\n')
    append_whole(path, '{"kind": "idle", "query": "a"}\n')
    tail.read()
    assert [line["kind"] for line in heard] == ["launched", "idle"]
    assert (tail.queries, tail.is_ready) == (["a"], True)


def test_lines_that_were_glued_together_stop_no_reader(tmp_path):
    run = RunDirectory(tmp_path)
    good = [{"kind": "launched", "queries": ["a"]}, {"kind": "progress", "query": "a"}]
    lines = [json.dumps(line) for line in good]
    run.progress_file.write_text("\n".join([lines[0], lines[1][:9] + lines[0], "7", lines[1], ""]))
    assert list(run.progress()) == good
    assert newest_lines(run.progress_file) == {"a": good[1]}
