"""Positions of a checkpoint against the broker's logs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.kinds import Severity, kinds
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
    known_total,
    largest,
    total,
)
from streamctl.lag.past import Past
from streamctl.lag.positions import Positions, read_positions
from streamctl.lag.topics import Topics
from streamctl.reports import Verdict, worst

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
        found = ages_of(topics.broker, partitions, now=topics.now)
        partitions = _with_ages(partitions, found.ages)
        findings += found.findings
    past = Past(positions, topics, partitions)
    records = total(part.lag_records for part in partitions) if partitions else None
    known = known_total(part.lag_records for part in partitions)
    judged = rules.judge(
        positions,
        lag_records=records if records is not None else known or None,
        past=past,
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
        known_lag_records=known,
        time_lag_seconds=largest(part.time_lag_seconds for part in partitions),
        retention_left_seconds=min((x for x in lost if x is not None), default=None),
        skew=_skew(partitions),
        committed_batch_id=steps[-1].batch_id if steps else None,
        planned_batch_id=positions.planned_batch_id,
        committed_at=steps[-1].committed_at if steps else None,
        rates=rating.rates(
            positions,
            arriving=past.arriving(),
            lag_records=records,
            moves=judged.state not in {State.STOPPED, State.STALLED},
        ),
        partitions=partitions,
        unidentified_topics=_unidentified(subject, positions),
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
        anew = _made_anew(subject, topic, topics) if marks is not None else []
        findings += anew
        known = committed.get(topic, {})
        for partition in sorted(known.keys() | (marks or {}).keys()):
            part, found = _partition(
                topic,
                partition,
                at=known.get(partition),
                planned=planned.get(topic, {}).get(partition),
                mark=(marks or {}).get(partition),
            )
            partitions.append(replace(part, lag_records=None) if anew else part)
            findings += found
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


def _unidentified(subject: Subject, positions: Positions) -> list[str]:
    return sorted(topic for topic in positions.committed if not subject.topic_ids.get(topic))


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
    lags = [part.lag_records for part in partitions if part.lag_records is not None]
    return round(max(lags) * len(lags) / sum(lags), 2) if sum(lags) else None
