"""What one query read, held against what became of it. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from streamctl.reports import Verdict


class Role(StrEnum):
    """What a query makes of records, as its job says."""

    COUNTED = "counted"
    """Its rows tell how many records each was made of."""
    LETTERS = "letters"
    """It writes the dead letters."""
    OTHER = "other"
    """Nobody says how many records its output was made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is known of one query; None is not known.

    Attributes:
        is_cut: whether there is a batch that all queries have reached.
        read: offsets up to it, the cut.
        read_later: offsets committed after the cut: other queries have not come as far.
        in_flight: offsets of the planned batch.
        unread: offsets after that which are still there.
        deleted_unread: offsets after that which are gone: they will be skipped.
        skipped: offsets that were passed over, by the receipts of losses.
        skipped_exactly: whether it is just so many.
        empty: offsets that hold no record: markers of transactions, and what compaction took.
        in_output: records in the rows of the output.
        in_state: records in open windows and other state.
        letters: records in dead letters, by the rules of the job.
        set_aside: records in dead letters because they failed a batch; the job was not shown them.
        rejected: records that the rules rejected, as the driver has counted them.
        late: records whose window was closed.
    """

    role: Role
    is_cut: bool
    read: int
    read_later: int
    in_flight: int
    unread: int
    deleted_unread: int
    skipped: int
    skipped_exactly: bool
    empty: int | None
    in_output: int | None
    in_state: int | None
    letters: int | None
    rejected: int | None
    late: int | None
    set_aside: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A verdict on one query's figures.

    Attributes:
        unexplained: offsets read that are in none of the places; below 0 when the places hold
            more than was read. None when that cannot be said.
        reasons: what is wrong, and what is not known.
    """

    verdict: Verdict
    unexplained: int | None
    reasons: tuple[str, ...]


def account(figures: Figures) -> Account:
    """Balance one query."""
    wrong, unknown = _lost(figures)
    unexplained = None
    if not figures.is_cut:
        unknown.append("what became of any record: no batch was reached by all queries")
    elif figures.role is Role.COUNTED:
        unexplained = _balance(figures, wrong, unknown)
    elif figures.role is Role.LETTERS:
        _check_letters(figures, wrong, unknown)
    else:
        unknown.append("what it made of the records it read: its job names no count of them")
    verdict = Verdict.PROBLEM if wrong else Verdict.UNKNOWN if unknown else Verdict.OK
    return Account(
        verdict=verdict,
        unexplained=unexplained,
        reasons=(*wrong, *(f"not known: {text}" for text in unknown)),
    )


def _lost(figures: Figures) -> tuple[list[str], list[str]]:
    wrong, unknown = [], []
    if figures.skipped:
        about = "" if figures.skipped_exactly else "up to "
        wrong.append(f"{about}{figures.skipped:,} records were passed over unread")
    elif not figures.skipped_exactly:
        unknown.append("how many records a topic held that was made anew")
    if figures.deleted_unread:
        wrong.append(f"{figures.deleted_unread:,} records were deleted and will never be read")
    return wrong, unknown


def _balance(figures: Figures, wrong: list[str], unknown: list[str]) -> int | None:
    """Read = in output + in state + rejected + set aside + late + skipped + empty."""
    needed = {
        "how many records are in the output": figures.in_output,
        "how many records are in state": figures.in_state,
        "how many records are in dead letters": figures.letters,
    }
    untold = [name for name, value in needed.items() if value is None]
    if untold:
        unknown += untold
        return None
    found = sum(value or 0 for value in needed.values())
    found += figures.set_aside + (figures.late or 0) + (figures.empty or 0)
    rest = figures.read - figures.skipped - found
    if rest < 0 and figures.skipped_exactly:
        wrong.append(f"{-rest:,} more records are accounted for than were read")
        return rest
    open_ = [
        name
        for name, value in {
            "how many records were late": figures.late,
            "how many offsets hold no record": figures.empty,
        }.items()
        if value is None
    ]
    if open_:
        about = f"{rest:,} offsets may be of these" if rest else "nothing is missing without them"
        unknown.append(f"{' and '.join(open_)}; {about}")
        return rest
    if rest and figures.skipped_exactly:
        wrong.append(f"{rest:,} records were read and are nowhere")
    return rest


def _check_letters(figures: Figures, wrong: list[str], unknown: list[str]) -> None:
    """Each record that was rejected has a letter."""
    if figures.letters is None:
        unknown.append("how many records are in dead letters")
    elif figures.rejected is None:
        unknown.append("how many records were rejected: not all batches were counted")
    elif figures.letters != figures.rejected:
        told = f"{figures.letters:,} records are in dead letters"
        wrong.append(f"{told}, and {figures.rejected:,} were rejected")
