"""A bell that signal handlers ring."""

import subprocess
import sys
import threading
import time

from streamctl.bell import Bell

STORM = """
import os, signal, threading, time
from streamctl.bell import Bell

bell, end = Bell(), time.monotonic() + 2
signal.signal(signal.SIGUSR1, lambda *_: bell.ring())

def send():
    while time.monotonic() < end:
        os.kill(os.getpid(), signal.SIGUSR1)

threading.Thread(target=send, daemon=True).start()
while time.monotonic() < end:
    bell.wait(0)
"""


def test_handlers_ring_it_at_any_step_of_a_wait():
    """With an event in its place this waits for itself for ever."""
    subprocess.run([sys.executable, "-c", STORM], check=True, timeout=30)


def test_it_wakes_who_waits_and_who_is_about_to():
    bell, began = Bell(), time.monotonic()
    bell.ring()
    bell.ring()
    bell.wait(20)
    threading.Timer(0.05, bell.ring).start()
    bell.wait(20)
    assert time.monotonic() - began < 10
    bell.wait(0)
    bell.wait(-1)
