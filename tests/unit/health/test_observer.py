"""The observer of a real run directory: what it answers when it cannot look, and what it tells."""

import json
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import pytest

from streamctl.errors import NotFound, Refused
from streamctl.health import observer as module
from streamctl.health.observer import Observer
from streamctl.lag.publish import Published
from streamctl.observe import watch
from streamctl.reports import Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.records import Desired, Observed, Status
from streamctl.settings.model import Settings
from tests import harness, samples

NOW = datetime.now(UTC)
until = partial(harness.until, seconds=20)


@pytest.fixture
def run(tmp_path):
    made = RunDirectory(tmp_path / "run")
    status = Status(
        desired=Desired.RUNNING, observed=Observed.RUNNING, run_id="r", job="j", attempt=1,
        attempts_left=3, supervisor_pid=1, driver_pid=None, started_at=NOW,
        attempt_started_at=NOW, updated_at=NOW, generation="",
        checkpoint_location=str(tmp_path / "checkpoint"),
    )  # fmt: skip
    made.write(status)
    return made


@contextmanager
def observed(run, log, **observe):
    settings = Settings.model_validate(
        {
            "checkpoint": {"location": str(run.path.parent / "checkpoint")},
            "output": {"location": str(run.path.parent / "output")},
            "kafka": {"bootstrap_servers": "127.0.0.1:1", "timeout_seconds": 0.2},
            "observe": {"every_seconds": 0.05} | observe,
        }
    )
    observer = Observer(run, settings, tell=lambda *line: log.append(line))
    observer.start()
    try:
        yield observer
    finally:
        observer.end()


def get(observer, path):
    try:
        with urllib.request.urlopen(observer.url + path, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_damaged_file_makes_it_unready_and_not_dead_and_is_told_once(run):
    log = []
    with observed(run, log) as observer:
        assert get(observer, "metrics")[0] == 200
        (run.path / "losses.jsonl").write_text("{broken\n")
        until(lambda: [level for level, text in log if "no alerts" in text] == ["ERROR"])
        assert get(observer, "livez") == (200, "ok\n")
        code, text = get(observer, "readyz")
        assert (code, "losses.jsonl" in text) == (503, True)
        code, text = get(observer, "health")
        assert (code, json.loads(text)["ready"]) == (503, False)
        (run.path / "losses.jsonl").unlink()
        until(lambda: [level for level, text in log if "again" in text] == ["INFO"])
    assert len([text for _, text in log if "no alerts" in text]) == 1


def test_with_a_store_that_hangs_it_answers_within_a_bound(run, monkeypatch):
    goes, log = threading.Event(), []
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.3)
    with observed(run, log) as observer:
        real = watch.read_status
        monkeypatch.setattr(
            watch, "read_status", lambda *args, **more: goes.wait() and real(*args, **more)
        )
        try:
            until(lambda: "takes longer" in get(observer, "readyz")[1])
            for path, expected in (("livez", 200), ("readyz", 503), ("health", 503),
                                   ("metrics", 503), ("api/page", 503)):  # fmt: skip
                began = time.monotonic()
                assert get(observer, path)[0] == expected
                assert time.monotonic() - began < 2, path
        finally:
            goes.set()
        until(lambda: "takes longer" not in get(observer, "readyz")[1])


def test_a_position_that_is_not_published_is_told_once_and_shown(run, monkeypatch):
    answers, log = [NotFound("no batch yet")], []
    good = Published(verdict=Verdict.OK, at=NOW, group="g", partitions=4, offsets={})

    def publish(*_, **__):
        if isinstance(answers[-1], Exception):
            raise answers[-1]
        return answers[-1]

    def shown(observer):
        checks = json.loads(get(observer, "health")[1])["checks"]
        return next(check for check in checks if check["name"] == "group g")

    monkeypatch.setattr(watch.Eyes, "subjects", lambda _: [])
    monkeypatch.setattr(module, "publish_once", publish)
    with observed(run, log, publish_group="g") as observer:
        until(lambda: shown(observer)["detail"] == "nothing committed")
        assert shown(observer)["verdict"] == "unknown"
        answers.append(Refused('group "g" has 1 live members'))
        until(lambda: shown(observer)["verdict"] == "problem")
        assert "live members" in shown(observer)["detail"]
        answers.append(good)
        until(lambda: shown(observer)["verdict"] == "ok")
    told = [(level, text) for level, text in log if "group" in text]
    assert [level for level, _ in told] == ["WARN", "INFO"]
    assert "live members" in told[0][1]


def test_what_is_wrong_is_said_of_the_attempt_that_runs_alone(run):
    observer = Observer(run, Settings(), tell=lambda *_: None)
    late = {"not_processing_seconds": 61.0}
    observer._note_health(samples.sample(query=late))
    told = observer.unwell(1)
    assert told.startswith("query windows: no batch for 61 s")
    assert observer.unwell(2) == "", "another driver has to be seen first"
    observer._note_health(samples.sample(query={"not_processing_seconds": 99.0}))
    assert observer.unwell(1) == told, "the same trouble, not written again at each look"
    starting = samples.status(observed=Observed.STARTING)
    observer._note_health(samples.sample(query=late, status=starting))
    assert observer.unwell(1) == ""
    observer._note_health(samples.sample(query=late))
    observer._note_health(samples.sample())
    assert observer.unwell(1) == ""
