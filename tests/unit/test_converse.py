"""A child that is asked again and again: it answers, talks, hangs or dies."""

import time

import psutil
import pytest

from streamctl.errors import DeadlinePassed
from streamctl.job.ask import ChildFailed
from streamctl.job.converse import Conversation
from streamctl.settings.model import Settings

CHILD = """
import json, sys, time
for line in sys.stdin:
    asked = json.loads(line)["say"]
    print("a user's code prints this", flush=True)
    if asked == "die":
        raise ValueError("it had enough")
    if asked == "hang":
        time.sleep(600)
    print(json.dumps({"answer": asked}), flush=True)
"""


@pytest.fixture
def child(tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    errors, settings = tmp_path / "stderr", Settings()
    where = {"project": tmp_path, "errors": errors}
    with Conversation("child", [], **where, settings=settings) as found:
        yield found


def ask(child, text, *, seconds=30.0, beat=lambda: None):
    return child.ask({"say": text}, until=time.monotonic() + seconds, beat=beat)


def test_each_question_has_its_answer(child):
    assert [ask(child, text) for text in ("a", "b")] == ["a", "b"]


def test_a_child_that_dies_says_why_and_answers_no_more(child):
    for _ in range(2):
        with pytest.raises(ChildFailed, match="ValueError: it had enough"):
            ask(child, "die")


def test_patience_ends_and_the_child_with_it(child):
    with pytest.raises(DeadlinePassed):
        ask(child, "hang", seconds=0.1)
    child.end()
    assert not psutil.pid_exists(child.pid)


def test_whoever_waits_may_be_called_away(child):
    def beat():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(child, "hang", beat=beat)
