"""Work that goes on beside the job on its machine, and gives way to it."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_NICE = 10
"""A weight of 110 against the 1024 of a job at niceness 0 (`sched_prio_to_weight` of Linux)."""


@contextmanager
def giving_way() -> Iterator[None]:
    """Lower the priority of this thread, and of the threads that it starts within.

    Only on Linux, where niceness is a thread's and not the whole process's. Without the right to
    raise it again it stays low, so nothing that should outlive this is to be started from the
    thread afterwards.

    It counts among the processes of one control group; where there is none and the kernel groups
    by session, only among those of one session (`sched(7)`, autogroups).
    """
    if sys.platform != "linux":
        yield
        return
    thread = threading.get_native_id()
    before = os.getpriority(os.PRIO_PROCESS, thread)
    with suppress(PermissionError):  # a sandbox may forbid the call itself
        os.setpriority(os.PRIO_PROCESS, thread, max(before, _NICE))
    try:
        yield
    finally:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, thread, before)
