"""Which records a batch fails on, by bisection. Pure: who runs a part of the batch is an argument.

A range that fails is halved. Where the first half runs, the other one must hold the fault, and is
not run again as a whole; a single record is always run alone, so that its own error is known. Each
record costs about log2(n) trials. What is no record's fault is told apart: a batch that fails
without any record, and a range that fails while each of its halves runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Span = tuple[int, int]
"""Records by their number in the batch; the end is not included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """How a trial failed.

    Attributes:
        condition: Spark's error condition, else the name of the exception.
        message: one line.
    """

    condition: str
    message: str


Trial = Callable[[Sequence[Span]], Error | None]
"""Runs the batch with these records only; None when that went well."""


class Fault(StrEnum):
    """What a batch fails on."""

    NONE = "none"
    """It runs: nothing fails now."""
    RECORDS = "records"
    """On the records that were found; without them it runs."""
    NO_RECORD = "no record"
    """It fails without any record: code, state or storage."""
    TOGETHER = "records together"
    """It fails on records of which none fails alone: memory, or what they make together."""
    TOO_MANY = "too many records"
    """More records fail than may be set aside: code, or the whole input."""
    NOT_KNOWN = "not known"
    """The time was over."""


class OutOfTime(Exception):
    """Raised by a trial that cannot be made any more."""


class _TooMany(Exception):
    """More records than wanted."""


class _Together(Exception):
    """A range fails, and its halves do not."""


@dataclass(slots=True, kw_only=True)
class Findings:
    """What a search found.

    Attributes:
        records: number in the batch -> how it fails alone.
        error: of the smallest range that was tried and failed; None where none did.
        range: that range.
        trials: how many were made.
    """

    fault: Fault = Fault.NOT_KNOWN
    records: dict[int, Error] = field(default_factory=dict)
    error: Error | None = None
    range: Span = (0, 0)
    trials: int = 0


def search(size: int, trial: Trial, *, most: int) -> Findings:
    """Find the records that a batch fails on.

    Args:
        size: records in the batch.
        trial: see there; may raise `OutOfTime`.
        most: records that are looked for; with one more the search ends.
    """
    found = Findings()
    made = _Counted(trial, found)
    try:
        found.fault = _fault(size, made, found, most)
    except OutOfTime:
        found.fault = Fault.NOT_KNOWN
    except _TooMany:
        found.fault = Fault.TOO_MANY
    except _Together:
        found.fault = Fault.TOGETHER
    return found


class _Counted:
    """A trial that counts, and remembers what failed last."""

    def __init__(self, trial: Trial, found: Findings) -> None:
        self._trial = trial
        self._found = found

    def __call__(self, *spans: Span) -> Error | None:
        error = self._trial(spans)
        self._found.trials += 1
        if error is not None:
            self._found.error = error
            self._found.range = (spans[0][0], spans[-1][1]) if spans else (0, 0)
        return error


def _fault(size: int, trial: _Counted, found: Findings, most: int) -> Fault:
    if trial((0, size)) is None:
        return Fault.NONE
    if trial() is not None:
        return Fault.NO_RECORD
    _descend((0, size), trial, found.records, most)
    return Fault.RECORDS if trial(*without(size, found.records)) is None else Fault.TOGETHER


def _descend(span: Span, trial: _Counted, records: dict[int, Error], most: int) -> None:
    """Find all in a range that fails, or that must fail because the range around it does."""
    start, end = span
    if end - start == 1:
        _record(span, trial(span), records, most)
        return
    middle = (start + end) // 2
    first, second = (start, middle), (middle, end)
    error = trial(first)
    if error is not None:
        _into(first, error, trial, records, most)
        other = trial(second)
        if other is not None:
            _into(second, other, trial, records, most)
    else:
        _descend(second, trial, records, most)


def _into(span: Span, error: Error, trial: _Counted, records: dict[int, Error], most: int) -> None:
    """Go on in a range that has failed; a single record needs no second trial."""
    if span[1] - span[0] == 1:
        _record(span, error, records, most)
    else:
        _descend(span, trial, records, most)


def _record(span: Span, error: Error | None, records: dict[int, Error], most: int) -> None:
    if error is None:
        raise _Together
    records[span[0]] = error
    if len(records) > most:
        raise _TooMany


def without(size: int, records: Sequence[int] | dict[int, Error]) -> list[Span]:
    """The ranges of a batch that are left without some records."""
    spans, start = [], 0
    for record in [*sorted(records), size]:
        if start < record:
            spans.append((start, record))
        start = record + 1
    return spans
