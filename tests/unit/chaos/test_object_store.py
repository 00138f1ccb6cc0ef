"""The store's errors, before the real store sees a request."""

import random
from types import SimpleNamespace

import pytest

from streamctl.chaos.object_store import Erring, ObjectStore, _write_errors
from streamctl.chaos.verbs import store
from streamctl.errors import NotFound


def ask(application) -> tuple[str, bytes]:
    said = []
    body = b"".join(application({}, lambda status, _: said.append(status)))
    return said[0], body


def fine(environ, answer):
    del environ
    answer("200 OK", [])
    return [b"fine"]


def test_a_share_of_the_requests_is_answered_with_an_error(tmp_path):
    application = Erring(fine, tmp_path, random.Random(1))
    assert ask(application) == ("200 OK", b"fine")
    _write_errors(tmp_path, 503, 0.25)
    answers = [ask(application)[0] for _ in range(1000)]
    assert 200 < answers.count("503 SlowDown") < 300
    assert set(answers) == {"503 SlowDown", "200 OK"}
    _write_errors(tmp_path, 500, 1.0)
    assert ask(application)[0] == "500 InternalError"
    assert b"<Code>InternalError</Code>" in ask(application)[1]
    (tmp_path / "errors.json").unlink()
    assert ask(application) == ("200 OK", b"fine")


def test_a_store_that_was_not_started_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="no object store"):
        ObjectStore(tmp_path)
    store.stop(SimpleNamespace(project=tmp_path))  # taken back twice is once
