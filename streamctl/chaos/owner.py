"""Who runs a campaign or a load run: a lock on its directory, held by the process that runs it.

The kernel drops the lock when the process ends, however it does; so what is locked is running, and
what is not was ended or killed.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamctl.errors import Busy


@contextmanager
def owned(directory: Path) -> Iterator[None]:
    """Hold a directory; it is made when it is not there.

    Raises:
        Busy: another process holds it; with its id.
    """
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(descriptor, 20, 0).decode().strip()
            raise Busy(
                f"{directory.name} is run by process {pid}".rstrip(),
                hint="Wait until it has ended, or interrupt it: it undoes all that it did.",
            ) from None
        os.pwrite(descriptor, f"{os.getpid():<20}".encode(), 0)
        yield
    finally:
        os.close(descriptor)
