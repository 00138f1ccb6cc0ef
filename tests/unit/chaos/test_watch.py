"""What is taken for the truth while the job and its input move on."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from streamctl.chaos.watch import Watch, _Run, ask_health, batches, launched, set_to
from streamctl.errors import BrokerUnreachable
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings


@pytest.mark.parametrize(
    ("true", "told", "kept"),
    [
        pytest.param([100, 100], 100, (100, 100), id="nothing moves"),
        pytest.param([20_100, 100], 100, (100, 100), id="a batch was committed before the answer"),
        pytest.param([20_100, 100], 20_000, (20_000, 20_000), id="or after it"),
        pytest.param([100, 200], 5000, (5000, 200), id="an answer that nothing explains"),
        pytest.param([100, 200], 0, (0, 100), id="nor this one"),
        pytest.param([100, 200], None, (None, 200), id="no answer"),
        pytest.param([None], 50, (None, None), id="Kafka is silent"),
        pytest.param([100, None], 50, (50, None), id="Kafka has fallen silent"),
    ],
)
def test_lag_is_held_against_what_was_true_around_it(monkeypatch, true, told, kept):
    def answers(values):
        def answer(*_):
            if (value := values.pop(0)) is None:
                raise BrokerUnreachable("no answer")
            return value

        return answer

    watch = Watch(SimpleNamespace(true_lag=answers(true)))
    monkeypatch.setattr(Watch, "_told_lag", answers([told]))
    assert watch._lags() == kept


@contextmanager
def answering(answers):
    """A server that answers with (status, body) by path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answers[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"/health": (200, '{"verdict": "ok"}')}, ("ok", True)),
        ({"/health": (200, '{"verdict": "unknown"}')}, ("unknown", True)),
        ({"/health": (503, '{"verdict": "problem"}')}, ("problem", False)),
        ({"/health": (401, "a token"), "/readyz": (200, "ok")}, ("", True)),
        ({"/health": (401, "a token"), "/readyz": (503, "not ok")}, ("", False)),
        ({"/health": (200, "half a")}, ("silent", None)),
    ],
)
def test_health_is_what_the_job_answers(answers, told):
    with answering(answers) as url:
        assert ask_health(url) == told


def test_health_without_an_answer_or_an_address():
    assert ask_health("http://127.0.0.1:9/") == ("silent", None)
    assert ask_health("") == ("", None)


def test_the_settings_that_say_when_to_tell_are_kept_without_secrets(tmp_path):
    settings = Settings.model_validate(
        {"alerts": {"receivers": ["json://u:pw@host"], "lag_records": 5}, "http": {"token": "t0k"}}
    )
    subject = SimpleNamespace(run=RunDirectory(tmp_path))
    assert set_to(subject) == {}
    subject.run.settings_file.write_text(settings.model_dump_json())
    found = set_to(subject)
    assert found["alerts"]["lag_records"] == 5
    assert found["http"]["enabled"]
    assert found["breaker"]["threshold"] == 0.5
    assert "pw" not in json.dumps(found)
    assert "t0k" not in json.dumps(found)


def test_batches_that_reject_are_counted_as_the_breaker_counts_them(tmp_path):
    line = {
        "kind": "progress", "at": "2026-01-01T00:00:03Z", "timestamp": "2026-01-01T00:00:00Z",
        "query": "dead_letters", "batch_id": 1, "attempt": 1, "input_rows": 50,
        "rejected": {"a": {"count": 7}, "b": {"count": 2}}, "dead_letters": 8, "duration_ms": {},
    }  # fmt: skip
    run = RunDirectory(tmp_path)
    begun = {"kind": "launched", "at": "2026-01-01T00:00:01Z"}
    run.progress_file.write_text(json.dumps(begun) + "\n" + json.dumps(line) + "\n")
    subject = SimpleNamespace(run=run, query="windows")
    assert launched(subject) == [1767225601.0]
    windows, (letters,) = batches(subject)
    assert windows == []
    assert (letters.rejected, letters.letters, letters.records) == (9, 8, 50)
    assert letters.done - letters.at == 3


@pytest.mark.parametrize(
    ("runs", "restarts", "crashes"),
    [
        pytest.param([_Run()], 0, 0, id="one driver"),
        pytest.param([_Run(restarts=2, attempts=3)], 2, 2, id="two crashes"),
        pytest.param([_Run(restarts=0, attempts=3)], 2, 0, id="a trial of the breaker, and after"),
        pytest.param([_Run(), _Run(restarts=1, attempts=2)], 2, 1, id="two starts and a crash"),
    ],
)
def test_every_driver_that_is_told_of_counts(runs, restarts, crashes):
    watch = Watch(SimpleNamespace())
    watch._runs = dict(enumerate(runs))
    assert (watch.restarts, watch.crashes) == (restarts, crashes)
