"""Lines of the supervisor, the driver and Spark in one log."""

import json

import pytest

from streamctl.supervisor.logs import JobLog


@pytest.fixture
def log(tmp_path):
    made = JobLog(tmp_path, max_bytes=10**6, keep_files=1, level="INFO")
    made.bind(run_id="r", attempt=2)
    return made


def lines(tmp_path):
    return [json.loads(line) for line in (tmp_path / "job.jsonl").open()]


def test_run_and_attempt_stand_on_every_line_that_does_not_say_them(tmp_path, log):
    log.event("INFO", "hello")
    log.driver_line(b'{"at":"t","from":"spark","level":"WARN","message":"m"}\n')
    log.driver_line(b'{"at":"t","from":"driver","message":"m","run_id":"r","attempt":1}\n')
    log.driver_line(b"last words\n")
    assert [(line["from"], line["run_id"], line["attempt"]) for line in lines(tmp_path)] == [
        ("supervisor", "r", 2),
        ("spark", "r", 2),
        ("driver", "r", 1),
        ("output", "r", 2),
    ]


def test_what_is_below_the_level_is_not_written(tmp_path, log):
    for level in ("DEBUG", "INFO", "WARN", "ERROR"):
        log.event(level, "m")
    assert [line["level"] for line in lines(tmp_path)] == ["INFO", "WARN", "ERROR"]


@pytest.mark.parametrize("text", [b"{not: json}", b"[1, 2]", b'"text"', b"\xff\xfe"])
def test_what_is_no_object_is_wrapped(tmp_path, log, text):
    log.driver_line(text + b"\n")
    line = lines(tmp_path)[0]
    assert line["from"] == "output"
    assert line["message"] == text.decode(errors="replace")


def test_an_empty_text_is_left_out_and_what_is_not_known_stays(tmp_path, log):
    log.driver_line(b'{"from":"spark","message":"m","query":"","late_rows":null,"count":0}')
    line = lines(tmp_path)[0]
    assert "query" not in line
    assert (line["late_rows"], line["count"]) == (None, 0)
