"""Looks are shared, and nobody waits longer than a bound."""

import threading
import time

import pytest

from streamctl.errors import StreamctlError
from streamctl.health.looks import Looks, NotSeen


class Store:
    """Counts looks; hangs when told to."""

    def __init__(self) -> None:
        self.looks = 0
        self.goes = threading.Event()
        self.goes.set()
        self.error: Exception | None = None

    def look(self) -> int:
        self.looks += 1
        number = self.looks
        self.goes.wait()
        if self.error:
            raise self.error
        return number


def test_a_fresh_answer_is_given_again():
    store = Store()
    looks = Looks(store.look, fresh_seconds=60, within_seconds=5)
    assert [looks.newest(), looks.newest()] == [1, 1]
    assert looks.newest(begun_after=time.monotonic()) == 2, "unless it has to be newer"


def test_an_old_one_is_not():
    store = Store()
    looks = Looks(store.look, fresh_seconds=0, within_seconds=5)
    assert [looks.newest(), looks.newest()] == [1, 2]


def test_a_store_that_hangs_holds_nobody_up_and_is_not_asked_again():
    store = Store()
    store.goes.clear()
    looks = Looks(store.look, fresh_seconds=0, within_seconds=0.2)
    began = time.monotonic()
    with pytest.raises(NotSeen) as caught:
        looks.newest()
    assert 0.2 <= time.monotonic() - began < 2
    assert "doctor" in caught.value.hint
    began = time.monotonic()
    for _ in range(50):
        with pytest.raises(NotSeen):
            looks.newest()
    assert time.monotonic() - began < 0.2, "who asks later waits no bound of his own"
    assert store.looks == 1
    store.goes.set()
    looks = Looks(store.look, fresh_seconds=0, within_seconds=5)
    assert looks.newest() == 2


def test_a_look_that_fails_is_told_to_who_asks_and_done_again():
    store = Store()
    looks = Looks(store.look, fresh_seconds=0, within_seconds=5)
    store.error = ValueError("odd")
    with pytest.raises(StreamctlError, match="unexpected ValueError: odd"):
        looks.newest()
    store.error = None
    assert looks.newest() == 2
