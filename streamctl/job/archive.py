"""The JVM class-data archive: made when a driver first ends in order, used by later starts.

An archive fits exactly one JVM and class path, so its name is a digest of both, with size and time
of each jar: a JVM refuses an archive when a jar was only written again. When anything changes,
another archive is made, and those that were not used for longest go. The JVM itself checks once
more and goes on without an archive that does not fit (`-Xshare:auto`).
"""

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from streamctl.jars import pyspark_directory, spark_version
from streamctl.java import Java

_KEPT = 3  # some 190 MB each
_MAKING_SECONDS = 3600.0  # what is older was left by a supervisor that was killed


def archive_path(cache: Path, *, java: Java, jars: Iterable[Path]) -> Path:
    """Where the archive for this JVM and these jars belongs."""
    digest = hashlib.sha256()
    for part in (java.home.resolve(), java.version, spark_version()):
        digest.update(f"{part}\n".encode())
    for file in (java.executable, *jars, *sorted((pyspark_directory() / "jars").glob("*.jar"))):
        found = file.stat()
        digest.update(f"{file} {found.st_size} {found.st_mtime_ns}\n".encode())
    return cache / "class-archives" / f"{digest.hexdigest()[:24]}.jsa"


def use(archive: Path) -> bool:
    """Whether it is there; then it is marked as used today."""
    try:
        os.utime(archive)
    except OSError:
        return False
    return True


def unfinished(archive: Path) -> Path:
    """Where the JVM writes it: nobody else's name, in the same directory."""
    return archive.with_name(f"{archive.name}.{os.getpid()}.new")


def keep(archive: Path, made: Path) -> bool:
    """Put a finished archive in its place and remove the oldest; False when the JVM made none.

    A JVM that still uses a removed one keeps it open.
    """
    if not made.is_file() or made.stat().st_size == 0:
        return False
    made.replace(archive)
    by_use = sorted(archive.parent.glob("*.jsa"), key=_used_at, reverse=True)
    begun = time.time() - _MAKING_SECONDS
    torn = [path for path in archive.parent.glob("*.new") if _used_at(path) < begun]
    for old in (*by_use[_KEPT:], *torn):
        old.unlink(missing_ok=True)
    return True


def _used_at(archive: Path) -> float:
    try:
        return archive.stat().st_mtime
    except FileNotFoundError:  # removed by another
        return 0.0
