"""Work beside the job gives way to it, with the threads that it starts."""

import os
import sys
import threading

import pytest

from streamctl.priority import giving_way

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="niceness is a process's there")


def niceness():
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def in_a_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def lowered():
    with giving_way():
        return niceness(), in_a_thread(niceness)


def test_it_and_its_threads_are_nice_and_nobody_else_is():
    before = niceness()
    assert in_a_thread(lowered) == (10, 10)
    assert niceness() == before


def test_what_is_nicer_already_stays_so():
    def nicer():
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
        return lowered()

    assert in_a_thread(nicer) == (15, 15)
