"""The error tree and the exit codes: what a command says when it could not do its work.

A message is one lower-case line without a full stop, with commands in backticks and
values in double quotes. The hint is a full sentence that tells the way out.
A finding is not an error: it is part of a report.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process answers to its caller. Numbers are never reused."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    FOUND = 3
    NOT_FOUND = 10
    BUSY = 11
    UNSUPPORTED = 12
    UNREACHABLE = 13
    REFUSED = 14
    PARTLY_DONE = 15
    DEADLINE_PASSED = 16
    WOULD_NOT_START = 20
    NOT_EMPTY = 21
    OUTSIDE_RETENTION = 22
    TOPIC_MADE_ANEW = 23
    NO_SPACE = 24
    PROTECTED = 25
    INTERRUPTED = 130


EXIT_MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "done, and the verdict is ok",
    ExitCode.FAILED: "failed",
    ExitCode.USAGE: "usage: an unknown command, flag or setting, or a value of the wrong type",
    ExitCode.FOUND: "done, and it found a problem or an unknown",
    ExitCode.NOT_FOUND: "not found: job, checkpoint, backup or topic",
    ExitCode.BUSY: "busy: locked, or the job is running",
    ExitCode.UNSUPPORTED: "format or version not supported",
    ExitCode.UNREACHABLE: "broker unreachable",
    ExitCode.REFUSED: "refused by a guard",
    ExitCode.PARTLY_DONE: "partly done, can be resumed",
    ExitCode.DEADLINE_PASSED: "deadline passed",
    ExitCode.WOULD_NOT_START: "refused: the checkpoint would not start, or not rightly",
    ExitCode.NOT_EMPTY: "refused: the place is not empty",
    ExitCode.OUTSIDE_RETENTION: "refused: Kafka no longer has records that would be read",
    ExitCode.TOPIC_MADE_ANEW: "refused: the topic was made anew, its offsets mean other records",
    ExitCode.NO_SPACE: "refused: not enough disk space",
    ExitCode.PROTECTED: "refused: the context is protected",
    ExitCode.INTERRUPTED: "interrupted",
}


class StreamctlError(Exception):
    """Something could not be done.

    Args:
        message: one lower-case line without a full stop.
        hint: a full sentence that says what to do next; may be empty.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SettingsInvalid(StreamctlError):
    """A setting is unknown, of the wrong type, or its file cannot be read."""

    exit_code = ExitCode.USAGE


class NotFound(StreamctlError):
    """The thing asked for is not there."""

    exit_code = ExitCode.NOT_FOUND


class CheckpointNotFound(NotFound):
    """No Spark checkpoint under the path."""


class TopicNotFound(NotFound):
    """The broker answers and has no such topic."""


class JobNotFound(NotFound):
    """The job's entry cannot be imported, or no job was ever started here."""


class JavaNotFound(NotFound):
    """No Java of a version that Spark runs on."""


class JarsUnavailable(StreamctlError):
    """Jars could not be downloaded: no network, no such mirror, a wrong checksum."""


class Busy(StreamctlError):
    """Locked by another owner, or the job is running."""

    exit_code = ExitCode.BUSY


class Unsupported(StreamctlError):
    """A format or version that this release does not know. It is never guessed at."""

    exit_code = ExitCode.UNSUPPORTED


class ConnectorNotFound(Unsupported):
    """No Kafka connector is published for this version of Spark."""


class BrokerUnreachable(StreamctlError):
    """No answer from Kafka within the client's timeout."""

    exit_code = ExitCode.UNREACHABLE


class Refused(StreamctlError):
    """A guard says no: going on would lose or mix data, or harm something protected."""

    exit_code = ExitCode.REFUSED


class WouldNotStart(Refused):
    """Spark would not start from what is there, or not rightly."""

    exit_code = ExitCode.WOULD_NOT_START


class NotEmpty(Refused):
    """Something is where nothing may be."""

    exit_code = ExitCode.NOT_EMPTY


class TopicMadeAnew(Refused):
    """A topic was deleted and made anew: old offsets mean other records."""

    exit_code = ExitCode.TOPIC_MADE_ANEW


class Protected(Refused):
    """The context is marked as one that must not be harmed."""

    exit_code = ExitCode.PROTECTED


class PartlyDone(StreamctlError):
    """Some of it is done; the same command goes on from there."""

    exit_code = ExitCode.PARTLY_DONE


class DeadlinePassed(StreamctlError):
    """It did not end within the time allowed."""

    exit_code = ExitCode.DEADLINE_PASSED


class Interrupted(StreamctlError):
    """Ctrl-C or SIGTERM reached the command itself."""

    exit_code = ExitCode.INTERRUPTED


class Malformed(StreamctlError):
    """A file is damaged: its text or bytes do not follow the format that its name promises."""


LASTING = (SettingsInvalid, Unsupported, Malformed, Refused)
"""What one who looks again will meet again: a loop ends with these, and goes on after others."""
