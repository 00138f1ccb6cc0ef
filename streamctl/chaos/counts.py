"""Every record by what became of it: what must be set against what is. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from streamctl.chaos.evidence import Found, Must, Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Every record, by what became of it.

    Attributes:
        in_windows, in_state: counted in windows of the output, and in open ones.
        lost, duplicated: too few and too many in windows, and dead letters that are missing.
        windows_twice: windows with more than one row.
        letters_again: copies of dead letters; a crash may make some (at least once).
        gone: deleted by Kafka before they were read.
    """

    produced: int
    in_windows: int
    in_state: int
    dead_letters: int
    late: int
    lost: int
    duplicated: int
    windows_twice: int
    letters_again: int
    gone: int
    unread: int


def counts(must: Must, found: Found) -> Counts:
    """Set what must be against what is."""
    windows = _windows(must, found)
    missing = _missing_letters(must, found)
    times = Counter((device, start) for device, start, _ in [*found.rows, *found.state])
    places = {(partition, offset) for partition, offset, _ in found.letters}
    return Counts(
        produced=must.produced,
        in_windows=sum(count for *_, count in found.rows),
        in_state=sum(count for *_, count in found.state),
        dead_letters=len(places),
        late=must.late,
        lost=sum(max(0, wanted - got) for wanted, got in windows.values()) + len(missing),
        duplicated=sum(max(0, got - wanted) for wanted, got in windows.values()),
        windows_twice=sum(n > 1 for n in times.values()),
        letters_again=len(found.letters) - len(places),
        gone=must.gone,
        unread=must.unread,
    )


def _windows(must: Must, found: Found) -> dict[tuple[str, int], tuple[int, int]]:
    """Window -> records that it must count, and that it counts."""
    wanted: Counter[tuple[str, int]] = Counter()
    got: Counter[tuple[str, int]] = Counter()
    for device, start, count in must.windows:
        wanted[device, start] += count
    for device, start, count in [*found.rows, *found.state]:
        got[device, start] += count
    return {window: (wanted[window], got[window]) for window in wanted | got}


def _reasons(rejected: Rejected) -> dict[tuple[int, int], str]:
    return {(partition, offset): reason for partition, offset, reason in rejected}


def _missing_letters(must: Must, found: Found) -> list[tuple[int, int]]:
    there = _reasons(found.letters)
    return [place for place in _reasons(must.rejected) if place not in there]


def wrong_letters(must: Must, found: Found) -> list[str]:
    """Letters with another reason, and those of records that are not to be rejected."""
    wanted = _reasons(must.rejected)
    return [
        f"record {place} was rejected: {reason}, not {wanted.get(place, 'at all')}"
        for place, reason in sorted(_reasons(found.letters).items())
        if wanted.get(place) != reason
    ]


def examples(must: Must, found: Found) -> Iterator[str]:
    """What is wrong, one line each."""
    for (device, start), (wanted, got) in sorted(_windows(must, found).items()):
        if wanted != got:
            yield f"window of {device} at {start} counts {got}, not {wanted}"
    for partition, offset in _missing_letters(must, found):
        yield f"record ({partition}, {offset}) is in no dead letter"
    yield from wrong_letters(must, found)
