"""Collects what is known of each query: offsets, totals, receipts, letters, rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from streamctl.audit.account import Figures, Role
from streamctl.audit.cut import Cut
from streamctl.checkpoint.formats.model import KafkaOffsets
from streamctl.checkpoint.location.generations import Generation
from streamctl.dlq.letters import Wanted, ranges, read_letters
from streamctl.errors import TopicNotFound
from streamctl.kafka.client import Broker
from streamctl.resilience.dead_letter import QUARANTINE, SKIP, Origin
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.losses import Loss

_SET_ASIDE = {SKIP, QUARANTINE}
_CLOCKS_APART = timedelta(minutes=1)
Place = tuple[str, int, int]
"""Topic, partition and offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A range of offsets in each partition: the end is not included."""

    starts: KafkaOffsets
    ends: KafkaOffsets

    def count(self, start: KafkaOffsets, end: KafkaOffsets) -> int:
        """Offsets of `[start, end)` that are in here."""
        return sum(high - low for _, _, low, high in self.parts(start, end))

    def parts(self, start: KafkaOffsets, end: KafkaOffsets) -> Iterator[tuple[str, int, int, int]]:
        """Topic, partition, and what is in here of the range between two positions."""
        for topic, ends in end.items():
            for partition, until in ends.items():
                low = max(_at(start, topic, partition), _at(self.starts, topic, partition))
                high = min(until, self.ends.get(topic, {}).get(partition, until))
                if low < high:
                    yield topic, partition, low, high

    def has(self, place: Place) -> bool:
        """Whether a record is in here."""
        topic, partition, offset = place
        end = self.ends.get(topic, {}).get(partition)
        return _at(self.starts, topic, partition) <= offset and (end is None or offset < end)


def _at(offsets: KafkaOffsets, topic: str, partition: int) -> int:
    return offsets.get(topic, {}).get(partition, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Log starts and ends of the topics that are read."""

    starts: KafkaOffsets
    ends: KafkaOffsets


def read_marks(broker: Broker, topics: set[str]) -> Marks:
    """Ask for log starts and ends; a topic that is not there has none.

    Raises:
        BrokerUnreachable: no answer.
    """
    starts: KafkaOffsets = {}
    ends: KafkaOffsets = {}
    for topic in sorted(topics):
        try:
            marks = broker.watermarks(topic)
        except TopicNotFound:
            continue
        starts[topic] = {partition: low for partition, (low, _) in marks.items()}
        ends[topic] = {partition: high for partition, (_, high) in marks.items()}
    return Marks(starts=starts, ends=ends)


def read_totals(run: RunDirectory, cuts: list[Cut], generation: str) -> dict[str, dict[str, Any]]:
    """The driver's counts of each query as of its cut; without those it did not live to tell."""
    wanted = {cut.query: cut.batch_id for cut in cuts}
    found = {}
    for line in run.progress():
        if line["kind"] != "progress" or line.get("generation") != generation:
            continue
        if wanted.get(line["query"]) == line["batch_id"] and "totals" in line:
            found[line["query"]] = line["totals"]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """Origins of dead letters.

    Attributes:
        rejected: by the job's rules: place -> reasons, by commas.
        set_aside: others, that were skipped or hidden from the job: place -> which of the two.
    """

    rejected: dict[Place, str] = field(default_factory=dict)
    set_aside: dict[Place, str] = field(default_factory=dict)


def read_places(broker: Broker, topic: str, generation: Generation) -> Letters | None:
    """Origins of the dead letters that a generation wrote; None when some may be gone.

    Args:
        broker: of the dead letter topic.
        topic: of the dead letters.
        generation: a reprocessed one sends its letters to files.

    Raises:
        BrokerUnreachable: no answer.
    """
    if generation.request:
        return None
    wanted = Wanted(start=generation.created_at - _CLOCKS_APART)
    try:
        begins = {partition: low for partition, (low, _) in broker.watermarks(topic).items()}
        chosen = ranges(broker, topic, wanted)
        if any(begins[partition] == start > 0 for partition, (start, _) in chosen.items()):
            return None
        origins = [x.origin for x in read_letters(broker, topic, wanted) if x.origin]
    except TopicNotFound:
        return None
    rejected = {_place(x): ",".join(x.reasons) for x in origins if x.run not in _SET_ASIDE}
    aside = {_place(x): x.run for x in origins if x.run in _SET_ASIDE}
    return Letters(
        rejected=rejected, set_aside={p: run for p, run in aside.items() if p not in rejected}
    )


def _place(origin: Origin) -> Place:
    return origin.topic, origin.partition, origin.offset


def figures(
    cut: Cut,
    span: Span,
    marks: Marks,
    *,
    is_whole: bool,
    totals: Mapping[str, Any] | None,
    losses: list[Loss],
    letters: Letters | None,
    answer: Mapping[str, Any],
) -> Figures:
    """Put together what is known of one query.

    Args:
        cut: the query.
        span: the range that is audited.
        marks: of Kafka.
        is_whole: whether the range is all that the generation has read: what has no offsets, such
            as rows of windows, can only be counted for that.
        totals: of the driver, as of the cut.
        losses: receipts of this generation.
        letters: of the generation; None when some may be gone.
        answer: of the Spark child.
    """
    read = span.count(cut.starts, cut.ends)
    own = [x for x in losses if x.query == cut.query and _is_by(x, cut.batch_id)]
    skipped, exactly = _skipped(own, span)
    counted = totals if is_whole and totals and not totals["uncounted_batches"] else None
    until = Span(starts=cut.starts, ends=cut.ends)
    mine = Letters() if letters is None else _within(letters, span, until)
    passed = sum(run == SKIP for run in mine.set_aside.values())  # Spark has not read them
    empty = None if counted is None or not exactly else read - skipped - counted["input_rows"]
    empty = None if empty is None else empty - passed
    return Figures(
        role=Role(answer["role"]),
        is_cut=cut.batch_id is not None,
        read=read,
        read_later=span.count(cut.ends, cut.committed),
        in_flight=span.count(cut.committed, cut.planned),
        unread=span.count(_later(cut.planned, marks.starts), marks.ends),
        deleted_unread=span.count(cut.planned, marks.starts) if cut.planned else 0,
        skipped=skipped,
        skipped_exactly=exactly,
        empty=empty if empty is not None and empty >= 0 else None,
        in_output=answer.get("output_records") if is_whole and cut.is_whole else None,
        in_state=answer.get("state_records") if is_whole else None,
        letters=None if letters is None else len(mine.rejected),
        set_aside=len(mine.set_aside),
        rejected=counted.get("dead_letters") if counted else None,
        late=counted["late_rows"] if counted and answer.get("tells_late") else None,
    )


def _within(letters: Letters, *spans: Span) -> Letters:
    return Letters(
        rejected={p: x for p, x in letters.rejected.items() if all(s.has(p) for s in spans)},
        set_aside={p: x for p, x in letters.set_aside.items() if all(s.has(p) for s in spans)},
    )


def _is_by(loss: Loss, batch_id: int | None) -> bool:
    return batch_id is not None and loss.batch_id <= batch_id


def _skipped(losses: list[Loss], span: Span) -> tuple[int, bool]:
    count, exactly = 0, True
    for loss in losses:
        start = {loss.topic: {loss.partition: loss.start_offset}}
        inside = span.count(start, {loss.topic: {loss.partition: loss.end_offset}})
        count += min(inside, loss.records or 0)
        exactly &= loss.exact or not inside
    return count, exactly


def _later(one: KafkaOffsets, other: KafkaOffsets) -> KafkaOffsets:
    """The later position of each partition."""
    return {
        topic: {
            partition: max(_at(one, topic, partition), _at(other, topic, partition))
            for partition in one.get(topic, {}).keys() | other.get(topic, {}).keys()
        }
        for topic in one.keys() | other.keys()
    }
