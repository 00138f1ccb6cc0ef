"""Positions of a checkpoint against the broker's logs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import starmap

from streamctl.checkpoint.formats.model import KafkaOffsets
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.kinds import Severity, kinds
from streamctl.errors import TopicNotFound
from streamctl.kafka.client import Broker
from streamctl.lag import rates as rating
from streamctl.lag import rules
from streamctl.lag.ages import Ages, ages_of
from streamctl.lag.model import (
    LagFinding,
    LagReport,
    PartitionLag,
    QueryLag,
    State,
    largest,
    total,
)
from streamctl.lag.positions import Positions, read_positions
from streamctl.reports import Verdict, worst

_ARRIVALS_SECONDS = 60.0
_VERDICTS = {State.OK: Verdict.OK, State.UNKNOWN: Verdict.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is measured.

    Attributes:
        name: of the query; empty for a bare checkpoint.
        topic_ids: topic -> the broker's id of it when the query began; empty where not known.
    """

    name: str
    checkpoint: Checkpoint
    topic_ids: Mapping[str, str]


Marks = dict[int, tuple[int, int]]
"""Partition -> log start and log end."""


class Topics:
    """What the broker says of each topic, asked once in a measurement."""

    def __init__(self, broker: Broker, *, now: datetime) -> None:
        self.broker = broker
        self.now = now
        self._marks: dict[str, Marks | None] = {}
        self._ends_at: dict[tuple[str, datetime], dict[int, int | None]] = {}

    def marks(self, topic: str) -> Marks | None:
        """Log starts and ends; None when the topic is not there.

        Raises:
            BrokerUnreachable: no answer.
        """
        if topic not in self._marks:
            try:
                self._marks[topic] = self.broker.watermarks(topic)
            except TopicNotFound:
                self._marks[topic] = None
        return self._marks[topic]

    def ends_at(self, topic: str, moment: datetime) -> dict[int, int]:
        """Where each partition ended at a past moment, by the records' timestamps."""
        key = (topic, moment)
        if key not in self._ends_at:
            self._ends_at[key] = self.broker.offsets_for_time(topic, moment)
        marks = self.marks(topic) or {}
        found = self._ends_at[key]
        return {p: high if (at := found.get(p)) is None else at for p, (_, high) in marks.items()}


def measure(
    subjects: Iterable[Subject], broker: Broker, *, location: str, now: datetime, ages: bool = True
) -> LagReport:
    """Measure the lag of queries.

    Args:
        subjects: the queries.
        broker: of their topics.
        location: as it was asked for, for the report.
        now: the moment.
        ages: read the oldest unread record of each partition, for time lag and retention.

    Raises:
        BrokerUnreachable: no answer from Kafka.
        Malformed, Unsupported: a checkpoint cannot be read.
    """
    topics = Topics(broker, now=now)
    queries = [_query(subject, topics, ages=ages) for subject in subjects]
    return LagReport(
        verdict=worst(query.verdict for query in queries) if queries else Verdict.UNKNOWN,
        at=now,
        location=location,
        bootstrap_servers=broker.servers,
        lag_records=_most(query.lag_records for query in queries),
        time_lag_seconds=largest(query.time_lag_seconds for query in queries),
        queries=queries,
    )


def _most(values: Iterable[int | None]) -> int | None:
    found = list(values)
    known = [value for value in found if value is not None]
    return max(known, default=None) if len(known) == len(found) else None


def _query(subject: Subject, topics: Topics, *, ages: bool) -> QueryLag:
    positions = read_positions(subject.checkpoint, batches=rules.WINDOW_BATCHES)
    partitions, findings = _partitions(subject, positions, topics)
    if ages:
        partitions = _with_ages(partitions, ages_of(topics.broker, partitions, now=topics.now))
    records = total(part.lag_records for part in partitions) if partitions else None
    judged = rules.judge(
        positions,
        lag_records=records,
        lags=partial(_past_lags, positions, topics, records),
        now=topics.now,
    )
    steps = positions.steps
    lost = [part.retention_left_seconds for part in partitions]
    return QueryLag(
        query=subject.name,
        location=subject.checkpoint.location,
        verdict=_verdict(judged.state, findings),
        state=judged.state,
        rule=judged.rule,
        reason=judged.reason,
        completeness=judged.completeness,
        lag_records=records,
        time_lag_seconds=largest(part.time_lag_seconds for part in partitions),
        retention_left_seconds=min((x for x in lost if x is not None), default=None),
        skew=_skew(partitions),
        committed_batch_id=steps[-1].batch_id if steps else None,
        planned_batch_id=positions.planned_batch_id,
        committed_at=steps[-1].committed_at if steps else None,
        rates=rating.rates(
            positions,
            arriving=_arriving(positions, topics),
            lag_records=records,
            moves=judged.state not in {State.STOPPED, State.STALLED},
        ),
        partitions=partitions,
        findings=findings,
    )


def _verdict(state: State, findings: list[LagFinding]) -> Verdict:
    """A finding that is only a note, such as a new partition, is no problem."""
    if any(kinds()[found.code].severity is not Severity.NOTE for found in findings):
        return Verdict.PROBLEM
    return _VERDICTS.get(state, Verdict.PROBLEM)


def _partitions(
    subject: Subject, positions: Positions, topics: Topics
) -> tuple[list[PartitionLag], list[LagFinding]]:
    committed, planned = positions.committed, positions.planned or {}
    partitions: list[PartitionLag] = []
    findings: list[LagFinding] = []
    for topic in sorted(committed.keys() | planned.keys()):
        marks = topics.marks(topic)
        findings += _made_anew(subject, topic, topics) if marks is not None else ()
        known = committed.get(topic, {})
        for partition in sorted(known.keys() | (marks or {}).keys()):
            part, found = _partition(
                topic,
                partition,
                at=known.get(partition),
                planned=planned.get(topic, {}).get(partition),
                mark=(marks or {}).get(partition),
            )
            partitions.append(part)
            findings += found
    if any(found.code == "kafka-topic-anew" for found in findings):
        partitions = [replace(part, lag_records=None) for part in partitions]
    return partitions, findings


def _made_anew(subject: Subject, topic: str, topics: Topics) -> list[LagFinding]:
    began_with = subject.topic_ids.get(topic)
    now = topics.broker.topic(topic).topic_id if began_with else None
    if not began_with or not now or now == began_with:
        return []
    return [
        LagFinding(
            code="kafka-topic-anew",
            topic=topic,
            partition=None,
            detail=f"{topic} was made anew: its offsets mean other records",
        )
    ]


def _partition(
    topic: str,
    partition: int,
    *,
    at: int | None,
    planned: int | None,
    mark: tuple[int, int] | None,
) -> tuple[PartitionLag, list[LagFinding]]:
    """One partition; where a number would be wrong there is a finding instead."""

    def finding(code: str, detail: str) -> list[LagFinding]:
        return [LagFinding(code=code, topic=topic, partition=partition, detail=detail)]

    place = f"{topic} partition {partition}"
    low, high = mark or (None, None)
    lag, found = None, []
    if low is None or high is None:
        found = finding("kafka-partition-gone", f"{place} is not there")
    elif at is None:
        lag = high - low
        if lag:
            found = finding("kafka-partition-new", f"{place} is new and was never read")
    elif at > high:
        found = finding("kafka-past-end", f"position {at} of {place} is past its end, {high}")
    else:
        lag = high - max(at, low)
        if at < low:
            found = finding("kafka-lost", f"{low - at:,} records of {place} were deleted unread")
    part = PartitionLag(
        topic=topic,
        partition=partition,
        committed=at,
        planned=planned if planned is not None else at,
        log_start=low,
        log_end=high,
        lag_records=lag,
    )
    return part, found


def _with_ages(
    partitions: list[PartitionLag], ages: Mapping[tuple[str, int], Ages]
) -> list[PartitionLag]:
    def with_age(part: PartitionLag) -> PartitionLag:
        if part.lag_records == 0:
            return replace(part, time_lag_seconds=0.0)
        age = ages.get((part.topic, part.partition))
        if age is None:
            return part
        return replace(
            part,
            time_lag_seconds=age.seconds,
            time_lag_estimated=age.estimated,
            oldest_unread_at=age.at,
            retention_left_seconds=age.retention_left_seconds,
        )

    return [with_age(part) for part in partitions]


def _skew(partitions: list[PartitionLag]) -> float | None:
    lags = [part.lag_records or 0 for part in partitions]
    return round(max(lags) * len(lags) / sum(lags), 2) if sum(lags) else None


def _arriving(positions: Positions, topics: Topics) -> float | None:
    """Records a second over the last minute."""
    moment = topics.now - timedelta(seconds=_ARRIVALS_SECONDS)
    count = 0
    for topic in positions.committed:
        marks = topics.marks(topic)
        if marks is None:
            return None
        before = topics.ends_at(topic, moment)
        count += sum(high - before[partition] for partition, (_, high) in marks.items())
    return count / _ARRIVALS_SECONDS if positions.committed else None


def _past_lags(positions: Positions, topics: Topics, records: int | None) -> list[int]:
    """Lag at the beginning and in the middle of the window, and now."""
    if not records or len(positions.steps) < 2:  # noqa: PLR2004
        return []
    first, last = positions.steps[0].committed_at, topics.now
    moments = [first, first + (last - first) / 2]
    return [*starmap(_lag_at, ((positions, topics, moment) for moment in moments)), records]


def _lag_at(positions: Positions, topics: Topics, moment: datetime) -> int:
    position: KafkaOffsets = rules.position_at(positions, moment)
    return sum(
        max(0, end - position[topic][partition])
        for topic in position
        if topics.marks(topic) is not None
        for partition, end in topics.ends_at(topic, moment).items()
        if partition in position[topic]
    )
