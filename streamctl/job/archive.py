"""The JVM class-data archive: made when a driver first ends in order, used by later starts.

An archive fits exactly one JVM and class path, so its name is a digest of both; when either
changes, another archive is made. The JVM itself checks once more and goes on without an archive
that does not fit (`-Xshare:auto`).
"""

import hashlib
import os
from pathlib import Path

from streamctl.jars import pyspark_directory, spark_version
from streamctl.java import Java


def archive_path(cache: Path, *, java: Java, jars: list[Path]) -> Path:
    """Where the archive for this JVM and these jars belongs."""
    digest = hashlib.sha256()
    for part in (java.home.resolve(), java.version, spark_version(), pyspark_directory(), *jars):
        digest.update(f"{part}\n".encode())
    digest.update(str(java.executable.stat().st_mtime_ns).encode())
    return cache / "class-archives" / f"{digest.hexdigest()[:24]}.jsa"


def unfinished(archive: Path) -> Path:
    """Where the JVM writes it: nobody else's name, in the same directory."""
    return archive.with_name(f"{archive.name}.{os.getpid()}.new")


def keep(archive: Path, made: Path) -> bool:
    """Put a finished archive in its place; False when the JVM made none."""
    if not made.is_file() or made.stat().st_size == 0:
        return False
    made.replace(archive)
    return True
