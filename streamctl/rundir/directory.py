"""Finds, reads and writes the files of one job."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from streamctl.errors import Malformed
from streamctl.reports import as_json
from streamctl.resilience.breaker import BreakerState
from streamctl.rundir.files import append_whole, build, read_file, read_line, replace_file
from streamctl.rundir.losses import Loss, Seen
from streamctl.rundir.records import (
    BackupState,
    BreakerRequest,
    Failure,
    Launch,
    Status,
    StopRequest,
)

T = TypeVar("T")
Written = (
    Launch | StopRequest | Status | Failure | BreakerState | BreakerRequest | BackupState | Seen
)
_FORMER_KEPT = 5


class RunDirectory:
    """Reads and writes the files of a job.

    Args:
        path: made when the first file is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def settings_file(self) -> Path:
        """`settings.json`."""
        return self.path / "settings.json"

    @property
    def progress_file(self) -> Path:
        """`progress.jsonl`."""
        return self.path / "progress.jsonl"

    @property
    def logs(self) -> Path:
        """The log directory, made on use."""
        folder = self.path / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def temporary(self) -> Path:
        """Links to where its processes have temporary files, see `streamctl.job.scratch`."""
        return self.path / "temporary"

    def write(self, value: Written) -> None:
        """Replace the file of this kind."""
        replace_file(self.path / _FILES[type(value)], json.dumps(as_json(value), indent=1) + "\n")

    def read(self, kind: type[T]) -> T | None:
        """Read the file of this kind; None when there is none.

        Raises:
            Malformed: the file is not what this release writes.
        """
        return read_file(self.path / _FILES[kind], kind)

    def remove(self, kind: type) -> None:
        """Remove the file of this kind, if any."""
        (self.path / _FILES[kind]).unlink(missing_ok=True)

    def try_lock(self) -> int | None:
        """Take the run directory: an open, locked file descriptor, or None when another has it.

        The lock lives as long as any copy of the descriptor, so the CLI hands it to the
        supervisor by inheritance, and the kernel drops it when the supervisor dies.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def progress(self) -> Iterator[dict[str, Any]]:
        """Lines of `progress.jsonl`, oldest first; one that is not whole is left out."""
        try:
            file = self.progress_file.open("rb")
        except FileNotFoundError:
            return
        with file:
            for line in file:
                if line.endswith(b"\n") and (found := read_line(line)) is not None:
                    yield found

    def losses(self) -> list[Loss]:
        """Lines of `losses.jsonl`, oldest first.

        Raises:
            Malformed: the file is not what this release writes.
        """
        try:
            lines = self._losses_file.read_bytes().split(b"\n")[:-1]
            return [build(Loss, json.loads(line)) for line in lines]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, KeyError) as error:
            raise Malformed(
                f'cannot read "{self._losses_file}": {error}',
                hint="Move it away; the journal has the same receipts.",
            ) from error

    def add_losses(self, losses: Iterable[Loss]) -> None:
        """Append to `losses.jsonl`, all or none; on disk when it returns."""
        text = "".join(json.dumps(as_json(loss)) + "\n" for loss in losses)
        append_whole(self._losses_file, text, flush=True)

    def put_history_aside(self, now: datetime) -> Path | None:
        """Move what was told of batches to `former/<time>`: those of another checkpoint begin anew.

        The newest five of them are kept.

        Args:
            now: UTC.

        Returns:
            The directory that it is in now; None when there was nothing.
        """
        progress = self.progress_file
        files = [progress, progress.with_name(f"{progress.name}.1"), self._losses_file]
        found = [file for file in (*files, self.path / _FILES[Seen]) if file.exists()]
        aside = self.path / "former" / f"{now:%Y%m%dT%H%M%S.%fZ}"
        for file in found:
            aside.mkdir(parents=True, exist_ok=True)
            file.rename(aside / file.name)
        for old in sorted(aside.parent.glob("*"))[:-_FORMER_KEPT]:
            shutil.rmtree(old)
        return aside if found else None

    @property
    def _losses_file(self) -> Path:
        return self.path / "losses.jsonl"


_FILES: dict[type, str] = {
    Launch: "launch.json",
    StopRequest: "stop.json",
    Status: "status.json",
    Failure: "failure.json",
    BreakerState: "breaker.json",
    BreakerRequest: "breaker-request.json",
    BackupState: "backup.json",
    Seen: "seen.json",
}
