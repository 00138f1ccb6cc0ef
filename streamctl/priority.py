"""Work that goes on beside the job on its machine, and gives way to it."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_NICE = 10
"""A tenth of the processor against a busy job, and all of it beside an idle one (`sched(7)`)."""


@contextmanager
def giving_way() -> Iterator[None]:
    """Lower the priority of this thread, and of the threads that it starts within.

    Only on Linux, where niceness is a thread's and not the whole process's. Without the right to
    raise it again, it stays low.
    """
    if sys.platform != "linux":
        yield
        return
    thread = threading.get_native_id()
    before = os.getpriority(os.PRIO_PROCESS, thread)
    os.setpriority(os.PRIO_PROCESS, thread, max(before, _NICE))
    try:
        yield
    finally:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, thread, before)
