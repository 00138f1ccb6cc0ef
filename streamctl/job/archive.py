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
from contextlib import suppress
from pathlib import Path

from streamctl.jars import pyspark_directory, spark_version
from streamctl.java import Java

CLASS_PATH = "spark.driver.extraClassPath"
_KEPT = 3  # some 190 MB each
_MAKING_SECONDS = 3600.0  # what is older was left by a driver whose supervisor was killed


def locate(cache: Path, *, java: Java, jars: Iterable[Path], class_path: str = "") -> Path | None:
    """Where the archive belongs.

    Args:
        cache: of this user.
        java: the JVM.
        jars: of the connector.
        class_path: what the user has on it besides, as `spark.driver.extraClassPath` has it.

    Returns:
        None where there can be none: the cache cannot be made, or a jar vanished just now.
    """
    spark = Path(os.environ.get("SPARK_HOME") or pyspark_directory()) / "jars"
    parts = [str(java.home.resolve()), java.version, spark_version()]
    folder = cache / "class-archives"
    try:
        parts += map(_marked, (java.executable, *jars, *sorted(spark.glob("*.jar"))))
        for entry in class_path.split(":"):
            parts += [entry, *map(_marked, _jars(entry))]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    digest = hashlib.sha256("\n".join(parts).encode())
    return folder / f"{digest.hexdigest()[:24]}.jsa"


def use(archive: Path) -> bool:
    """Whether it is there; then it is marked as used today."""
    if not os.access(archive, os.R_OK):
        return False
    with suppress(OSError):  # another user's, or in an image that is only read
        os.utime(archive)
    return True


def unfinished(archive: Path) -> Path | None:
    """Where the JVM writes it: nobody else's name, in the same directory; None if it may not."""
    if not os.access(archive.parent, os.W_OK):
        return None
    return archive.with_name(f"{archive.name}.{os.getpid()}.new")


def keep(archive: Path, made: Path) -> None:
    """Put a finished archive in its place, and remove those that were used longest ago.

    A JVM that still uses a removed one keeps it open. What cannot be done is left: an archive
    only makes starts faster.
    """
    with suppress(OSError):
        if made.stat().st_size:
            made.replace(archive)
        begun = time.time() - _MAKING_SECONDS
        by_use = sorted(archive.parent.glob("*.jsa"), key=_used_at, reverse=True)
        torn = [path for path in archive.parent.glob("*.new") if _used_at(path) < begun]
        for old in (*by_use[_KEPT:], *torn):
            old.unlink(missing_ok=True)


def throw_away(made: Path) -> None:
    """Remove one that a JVM did not finish, if there is any."""
    with suppress(OSError):
        made.unlink(missing_ok=True)


def _jars(entry: str) -> list[Path]:
    """The files of an entry of a class path: itself, or with `*` at its end all jars there."""
    if entry.endswith("*"):
        return sorted(Path(entry[:-1]).glob("*.jar"))
    return [Path(entry)] if Path(entry).is_file() else []


def _marked(file: Path) -> str:
    found = file.stat()
    return f"{file} {found.st_size} {found.st_mtime_ns}"


def _used_at(archive: Path) -> float:
    try:
        return archive.stat().st_mtime
    except FileNotFoundError:  # removed by another
        return 0.0
