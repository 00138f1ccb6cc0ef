"""Carries an audit out: cut, ask Kafka and Spark, balance, compare. Only reads."""

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from streamctl.audit import figures as collecting
from streamctl.audit import ledger as comparing
from streamctl.audit.account import Role, account
from streamctl.audit.cut import Cut, cuts
from streamctl.audit.figures import Letters, Marks, Place, Span
from streamctl.audit.model import AuditReport, LedgerAudit, QueryAudit
from streamctl.audit.reads import Reads
from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import KafkaOffsets
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.generations import Generation
from streamctl.checkpoint.location.store import Store
from streamctl.errors import CheckpointNotFound, NotFound, Unsupported
from streamctl.job.ask import ask_about
from streamctl.kafka.client import Broker
from streamctl.produce.ledger import read_header
from streamctl.produce.ledger_entries import read_ledger
from streamctl.reports import Event, OnEvent, ignore, worst
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.losses import Loss
from streamctl.settings.model import Settings

_SPARK_SECONDS = 3600.0
_UNITS_MS = {"second": 1000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
_PART = "in windows, in state or late: for a part of a generation these cannot be told apart"
_NO_LEDGER = (
    "what producers meant to send: records that never arrived in Kafka are not missed here",
    "whether each record is in the window of its own time, and not in another's",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is audited.

    Attributes:
        run: the run directory of the job.
        store: its checkpoint location.
        project: working directory of the Spark child, from which the job is imported.
    """

    run: RunDirectory
    store: Store
    settings: Settings
    project: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """All that is asked, once.

    Attributes:
        answers: query -> what the Spark child says of it.
        rows: of output and state; empty unless a ledger is to be compared.
        letters: origins of dead letters; None when some may be gone.
        totals: query -> the driver's counts as of its cut.
        losses: receipts of this generation.
    """

    generation: Generation
    cuts: list[Cut]
    answers: dict[str, dict[str, Any]]
    rows: list[dict[str, Any]]
    letters: Letters | None
    marks: Marks
    totals: dict[str, dict[str, Any]]
    losses: list[Loss]

    @property
    def topics(self) -> set[str]:
        return {topic for cut in self.cuts for topic in cut.planned}


def audit(
    subject: Subject,
    broker: Broker,
    *,
    start: datetime | None,
    end: datetime | None,
    ledgers: list[Path],
    now: datetime,
    on_event: OnEvent = ignore,
) -> AuditReport:
    """Account for all that the current generation has read, or for a range of it.

    Args:
        subject: what is audited; the job may run.
        broker: of its topics.
        start: of the range, by the timestamps of records in Kafka; None for the beginning.
        end: of the range, not included; None for now.
        ledgers: of producers; these are always compared whole.
        now: UTC.
        on_event: told of each step.

    Raises:
        CheckpointNotFound: no query has begun.
        ChildFailed, DeadlinePassed: output or state could not be read.
        StreamctlError: of Kafka, or of a file that cannot be read.
    """
    evidence = _collect(subject, broker, rows=bool(ledgers), on_event=on_event)
    is_whole = start is None and end is None
    span = _span(broker, evidence, start=start, end=end)
    queries = [_query(cut, evidence, span, is_whole=is_whole) for cut in evidence.cuts]
    compared = None
    if ledgers:
        on_event(Event(message="comparing record by record"))
        compared = _compare(subject, evidence, ledgers)
    return AuditReport(
        verdict=worst([*(q.verdict for q in queries), *([compared.verdict] if compared else [])]),
        at=now,
        generation=evidence.generation.name,
        start=start,
        end=end,
        queries=queries,
        ledger=compared,
        limits=[*([] if is_whole else [_PART]), *([] if ledgers else _NO_LEDGER)],
    )


def _collect(subject: Subject, broker: Broker, *, rows: bool, on_event: OnEvent) -> _Evidence:
    settings, generation = subject.settings, _generation(subject)
    location = generation.output_location or settings.output.location
    cut = cuts(subject.store, generation, output_location=location)
    on_event(Event(message="reading output and state with Spark"))
    answers, found = _ask(subject, cut, rows=rows)
    letters: Letters | None = Letters()
    if any(answer["role"] == Role.LETTERS for answer in answers.values()):
        on_event(Event(message="reading dead letters"))
        letters = collecting.read_places(broker, settings.kafka.dead_letters, generation)
    return _Evidence(
        generation=generation,
        cuts=cut,
        answers=answers,
        rows=found,
        letters=letters,
        marks=collecting.read_marks(broker, {topic for one in cut for topic in one.planned}),
        totals=collecting.read_totals(subject.run, cut, generation.name),
        losses=[loss for loss in subject.run.losses() if loss.generation == generation.name],
    )


def _query(cut: Cut, evidence: _Evidence, span: Span, *, is_whole: bool) -> QueryAudit:
    found = collecting.figures(
        cut,
        span,
        evidence.marks,
        is_whole=is_whole,
        totals=evidence.totals.get(cut.query),
        losses=evidence.losses,
        letters=evidence.letters,
        answer=evidence.answers.get(cut.query, {"role": Role.OTHER}),
    )
    judged = account(found)
    return QueryAudit(
        query=cut.query,
        verdict=judged.verdict,
        batch_id=cut.batch_id,
        figures=found,
        account=judged,
    )


def _generation(subject: Subject) -> Generation:
    named = subject.settings.checkpoint.generation
    store = subject.store
    generation = generations.read(store, named) if named else generations.current(store)
    if generation is None:
        raise CheckpointNotFound(
            f'no job was ever started on "{store.url}"', hint="`streamctl start` starts one."
        )
    return generation


def _span(
    broker: Broker, evidence: _Evidence, *, start: datetime | None, end: datetime | None
) -> Span:
    """The range as offsets, no earlier than the generation began."""
    starts = log.parse_kafka_offsets(evidence.generation.starting_offsets) or {}
    ends: KafkaOffsets = {}
    for moment, places in ((start, starts), (end, ends)):
        if moment is None:
            continue
        for topic in evidence.topics:
            highs = evidence.marks.ends.get(topic, {})
            for partition, offset in broker.offsets_for_time(topic, moment).items():
                at = highs.get(partition, 0) if offset is None else offset
                known = places.setdefault(topic, {}).get(partition, 0)
                places[topic][partition] = max(at, known)
    return Span(starts=starts, ends=ends)


def _ask(
    subject: Subject, cut: list[Cut], *, rows: bool
) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """What the Spark child says of each query, and of each row."""
    question = {
        one.query: {
            "files": one.files,
            "output": one.output,
            "checkpoint": one.checkpoint.location,
            "batch": one.batch_id,
            "format_version": one.checkpoint.state_format_version(),
        }
        for one in cut
    }
    with tempfile.TemporaryDirectory(prefix="streamctl-audit-") as scratch:
        file = Path(scratch) / "question.json"
        file.write_text(json.dumps(question), encoding="utf-8")
        found = ask_about(
            "jobs.audit_rows",
            subject.settings,
            [str(file), *(["--rows"] if rows else [])],
            project=subject.project,
            timeout_seconds=_SPARK_SECONDS,
            hint="Look whether checkpoint and output are whole: `streamctl checkpoint verify`.",
        )
    answers = {line["query"]: line for line in found if "role" in line}
    return answers, [line for line in found if "role" not in line]


def _compare(subject: Subject, evidence: _Evidence, ledgers: list[Path]) -> LedgerAudit:
    roles = {query: answer["role"] for query, answer in evidence.answers.items()}
    counted = [cut for cut in evidence.cuts if roles.get(cut.query) == Role.COUNTED]
    if len(counted) != 1:
        raise Unsupported(
            f"a ledger is compared with one query that counts records, not with {len(counted)}",
            hint="Leave --ledger out.",
        )
    (cut,) = counted
    window_ms = _window_ms(subject.settings.stream.window)
    batches = comparing.read_batches(cut, subject.run, evidence.generation.name)
    letters = evidence.letters
    must = comparing.Expected(
        reads=Reads(batches),
        window_ms=window_ms,
        hidden=frozenset(letters.set_aside if letters else ()),
    )
    for path in ledger_files(ledgers):
        topic = read_header(path).topic
        for entry in read_ledger(path):
            must.add(topic, entry)
    until = Span(starts=cut.starts, ends=cut.ends)
    inside = None
    if letters is not None:
        inside = {p: why for p, why in letters.rejected.items() if _in(until, p)}
    read = until.count(cut.starts, cut.ends)
    return comparing.compare(must, read=read, rows=evidence.rows, rejected=inside)


def _in(span: Span, place: Place) -> bool:
    return place[0] in span.ends and span.has(place)


def ledger_files(given: list[Path]) -> Iterator[Path]:
    """Files, and those in directories.

    Raises:
        NotFound: a path is neither, or a directory has none.
    """
    for path in given:
        found = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
        if not found:
            raise NotFound(f'no ledger in "{path}"')
        yield from found


def _window_ms(text: str) -> int:
    """Spark's `1 minute`, as far as tumbling windows of telemetry are written so."""
    found = re.fullmatch(r"(\d+)\s+(second|minute|hour|day)s?", text.strip())
    if found is None:
        raise Unsupported(
            f'a ledger cannot be compared with windows of "{text}"', hint="Leave --ledger out."
        )
    return int(found[1]) * _UNITS_MS[found[2]]
