"""Accounts for every record of a job whose topic was made anew: chapter by chapter, then together.

A chapter is one topic and the generation that read it. The next begins with other records at the
same places and with empty state, so each is accounted for by itself. Event time leaps in between
(`Feed.begin_anew`), so a window belongs to one chapter alone.
"""

from functools import reduce

from streamctl.chaos import account
from streamctl.chaos.account import Place, Sent
from streamctl.chaos.evidence import Found, Must, Rejected
from streamctl.chaos.subject import LETTERS, WINDOWS, Subject
from streamctl.errors import TopicNotFound
from streamctl.observe.status import read_status

_SPAN = 1 << 20
"""More than the partitions of any topic."""


def remember_sent(subject: Subject) -> None:
    """Keep what lies in the topic, before it is deleted: what is sent next is of another."""
    subject.sent = _sent(subject)
    subject.feed.begin_anew()


def close_chapter(subject: Subject) -> None:
    """Account for topic and generation so far; the job must be stopped.

    Raises:
        StreamctlError: state, logs or letters cannot be read.
    """
    subject.chapters.append(_chapter(subject))
    subject.sent = None
    subject.history.clear()
    for places in subject.gone.values():
        places.clear()
    subject.letters_from = _ends(subject)


def whole_account(subject: Subject) -> tuple[Must, Found]:
    """Every record of all chapters: what must have become of it, and what did."""
    return reduce(_together, [*subject.chapters, _chapter(subject)])


def _chapter(subject: Subject) -> tuple[Must, Found]:
    sent = _sent(subject) if subject.sent is None else subject.sent
    subject.remember()
    must = account.must_be(
        sent,
        subject.history,
        subject.topic,
        gone=subject.gone[WINDOWS],
        gone_letters=subject.gone[LETTERS],
    )
    late = [q.late_rows for q in read_status(subject.run).queries if q.name == WINDOWS]
    found = Found(
        rows=account.output_rows(subject.generation("output") / WINDOWS),
        state=account.state_rows(subject.checkpoint().location),
        letters=account.dead_letters(subject.broker, _letters(subject), subject.letters_from),
        late=late[0] if late else None,
    )
    return must, found


def _sent(subject: Subject) -> dict[Place, Sent]:
    strange = account.strange_records(subject.feed.strange_file)
    return account.sent_records(subject.feed.ledgers, strange, subject.broker, subject.topic)


def _letters(subject: Subject) -> str:
    return f"{subject.topic}.dlq"


def _ends(subject: Subject) -> dict[int, int]:
    try:
        marks = subject.broker.watermarks(_letters(subject))
    except TopicNotFound:
        return {}
    return {partition: high for partition, (_, high) in marks.items()}


def _together(before: tuple[Must, Found], after: tuple[Must, Found]) -> tuple[Must, Found]:
    """Two chapters as one; places of the earlier topic get partitions below 0."""
    (must, found), (must_then, found_then) = before, after
    known = None not in {found.late, found_then.late}
    return (
        Must(
            produced=must.produced + must_then.produced,
            windows=must.windows + must_then.windows,
            rejected=_below(must.rejected) + must_then.rejected,
            late=must.late + must_then.late,
            gone=must.gone + must_then.gone,
            unread=must.unread + must_then.unread,
        ),
        Found(
            rows=found.rows + found_then.rows,
            state=found.state + found_then.state,
            letters=_below(found.letters) + found_then.letters,
            late=(found.late or 0) + (found_then.late or 0) if known else None,
        ),
    )


def _below(places: Rejected) -> Rejected:
    return [(partition - _SPAN, offset, reason) for partition, offset, reason in places]
