"""Talks with a Spark child: one JSON object there, one back, in a session that stays warm.

For questions of which the next depends on the answer before. The child is a module of `jobs` that
reads its standard input line by line, and ends with it.
"""

import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streamctl.errors import DeadlinePassed
from streamctl.job.ask import ChildFailed, reason
from streamctl.job.child import Child
from streamctl.settings.model import Settings

ANSWER = '{"answer":'
"""What a line of the child begins with that is an answer: a user's code may print others."""
_LOOK_SECONDS = 0.2


class Conversation:
    """One child, which is gone with its JVM when the conversation ends.

    Args:
        module: of `jobs`.
        arguments: of its command line.
        project: its working directory, from which a user's job is imported.
        errors: where its standard error goes.
        settings: of the job.
    """

    def __init__(
        self, module: str, arguments: list[str], *, project: Path, errors: Path, settings: Settings
    ) -> None:
        self._errors = errors
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        with errors.open("wb") as stderr:
            self._child = Child(
                module,
                arguments,
                project=project,
                stdin=subprocess.PIPE,
                stderr=stderr,
                settings=settings,
            )
        try:
            threading.Thread(target=self._read, name="answers", daemon=True).start()
        except RuntimeError:  # there is no thread to be had
            self._child.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Process id of the child; also the id of its session."""
        return self._child.process.pid

    def ask(self, question: dict[str, Any], *, until: float, beat: Callable[[], None]) -> Any:
        """Send a question and wait for its answer.

        Args:
            question: becomes one line of JSON.
            until: monotonic time at which patience ends, in seconds.
            beat: called now and then meanwhile; what it raises ends the waiting.

        Raises:
            ChildFailed: the child died of it; the message is the root cause that it printed.
            DeadlinePassed: no answer by then.
        """
        stream = self._child.process.stdin
        if stream is None:
            raise RuntimeError("the child was started without a pipe")
        try:
            stream.write(json.dumps(question) + "\n")
            stream.flush()
        except BrokenPipeError:
            raise self._died() from None
        while True:
            beat()
            try:
                line = self._lines.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                if time.monotonic() > until:
                    raise DeadlinePassed("Spark gave no answer in time") from None
                continue
            if line is None:
                raise self._died()
            if line.startswith(ANSWER):
                return json.loads(line)["answer"]

    def end(self) -> None:
        """End the child and all of its session."""
        self._child.end()

    def _read(self) -> None:
        stream = self._child.process.stdout
        if stream is not None:
            for line in stream:
                self._lines.put(line)
        self._lines.put(None)

    def _died(self) -> ChildFailed:
        self.end()
        return ChildFailed(reason(self._errors.read_text(encoding="utf-8", errors="replace")))
