"""One log for supervisor, driver and Spark: JSON lines, rotated by size.

Run and attempt stand on every line, whoever wrote it: Spark knows neither, and a spare driver whose
attempt has not begun cannot know it. A line that is not JSON (a JVM's last words, a print in a
user's job) is wrapped into one.

A job does not end for its log: lines that cannot be written, as on a full disk, are left out and
counted.
"""

import errno
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, TextIO

from streamctl.reports import as_json, iso
from streamctl.rundir.files import read_line
from streamctl.rundir.log import LOG_FILE, rank, readable


class JobLog:
    """Appends lines; safe from several threads.

    Args:
        folder: the run directory's `logs`.
        max_bytes: a file that has reached this size is rotated.
        keep_files: rotated files that stay: `job.jsonl.1` is the newest.
        level: of the supervisor's own lines; those of others are filtered where they are made.
        echo: where to show each line in a readable form as well.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        keep_files: int,
        level: str = "DEBUG",
        echo: TextIO | None = None,
    ) -> None:
        self._least = rank(level)
        self._bound: dict[str, Any] = {}
        self._echo = echo
        self._path = folder / LOG_FILE
        self._max_bytes = max_bytes
        self._keep_files = keep_files
        self._lock = threading.Lock()
        self._file = self._open()
        self._left_out, self._why = 0, ""

    def _open(self) -> BinaryIO:
        """Without a buffer: what a full disk refuses must not wait in one."""
        return self._path.open("ab", buffering=0)

    def bind(self, **fields: Any) -> None:
        """Let fields stand on every line from now on that does not have them."""
        self._bound = self._bound | fields

    def event(self, level: str, message: str, **fields: Any) -> None:
        """Write a line of the supervisor's own, if its level is wanted."""
        if rank(level) >= self._least:
            self._write(_head(level, "supervisor", message) | as_json(fields))

    def driver_line(self, line: bytes) -> None:
        """Write a line of the driver. An empty text in it says nothing and is left out."""
        text = line.strip()
        if not text:
            return
        fields = read_line(text)
        if fields is None:
            fields = _head("INFO", "output", text.decode(errors="replace"))
        self._write({name: said for name, said in fields.items() if said != ""})

    def _write(self, fields: dict[str, Any]) -> None:
        line = self._line(fields)
        with self._lock:
            if self._left_out and self._append(self._gap()):
                self._left_out = 0
            if self._left_out or not self._append(line):
                self._left_out += 1
            if self._echo:
                self._echo.write(readable(json.loads(line)) + "\n")
                self._echo.flush()

    def _line(self, fields: dict[str, Any]) -> bytes:
        return json.dumps(fields | (self._bound | fields)).encode() + b"\n"

    def _gap(self) -> bytes:
        """The line that says that others are missing."""
        message = f"{self._left_out:,} lines of this log could not be written: {self._why}"
        return self._line(_head("ERROR", "supervisor", message))

    def _append(self, line: bytes) -> bool:
        """Write a whole line or nothing of it, and rotate first when the file is full."""
        try:
            size = self._file.seek(0, os.SEEK_END)
            if size and size + len(line) > self._max_bytes:
                self._rotate()
                size = 0
            if self._file.write(line) == len(line):
                return True
            self._why = os.strerror(errno.ENOSPC)  # the disk took what it had room for
            self._file.truncate(size)
        except OSError as error:
            self._why = error.strerror or str(error)
        return False

    def _rotate(self) -> None:
        """Begin a new file; if that fails, the old one is still open, and the next line tries."""
        if self._path.exists():
            for number in range(self._keep_files - 1, 0, -1):
                older = self._path.with_name(f"{LOG_FILE}.{number}")
                if older.exists():
                    older.replace(self._path.with_name(f"{LOG_FILE}.{number + 1}"))
            self._path.replace(self._path.with_name(f"{LOG_FILE}.1"))
        begun = self._open()
        self._file.close()
        self._file = begun

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


def _head(level: str, origin: str, message: str) -> dict[str, Any]:
    return {"at": iso(datetime.now(UTC)), "level": level, "from": origin, "message": message}


def pump(output: IO[bytes], log: JobLog) -> threading.Thread:
    """Copy the driver's output into the log until it ends, in a thread of its own."""

    def copy() -> None:
        with output:
            for line in output:
                log.driver_line(line)

    thread = threading.Thread(target=copy, name="driver-output", daemon=True)
    thread.start()
    return thread
