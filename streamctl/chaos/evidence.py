"""What was seen during an experiment: all that its verdict is made from, and nothing else.

Plain values that go to a JSON file and come back, so that a verdict can be made again, and so that
the verdict itself can be tried on evidence of jobs that are known to be wrong.
"""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from streamctl.errors import Malformed, NotFound
from streamctl.reports import as_json
from streamctl.rundir.files import replace_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The job at one moment, as it says itself and as it is.

    Attributes:
        at: seconds since 1970.
        verdict: of `status`; empty where it could not be asked. (So is `observed`.)
        attempt, restarts: as the status counts them.
        driver_pid: as the status names it; None for none.
        driver_lives: whether a driver's process is there, looked at from outside.
        health: verdict of `/health`; `silent` without an answer, empty without an address.
        ready: whether it answered 200, as `/readyz` does; None without an answer.
        alerts: those that are open; None when nobody looks, or it is not known.
        breaker: where the circuit breaker stands; empty when not known.
        committed: newest entry of the windows' commit log, looked at from outside; None for none.
        told_lag: records behind, by `lag`; None where it could not tell.
        true_lag: log ends minus the offset log's last committed entry; of the values around the
            moment at which `lag` was asked, the nearest to its answer. None where Kafka is silent.
    """

    at: float
    observed: str = ""
    verdict: str = ""
    attempt: int = 0
    restarts: int = 0
    driver_pid: int | None = None
    driver_lives: bool = False
    health: str = ""
    ready: bool | None = None
    alerts: list[str] | None = None
    breaker: str = ""
    committed: int | None = None
    told_lag: int | None = None
    true_lag: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A micro-batch of the query that makes windows, as the driver reported it.

    Attributes:
        at: its begin, seconds since 1970.
        seconds: how long it took.
        attempt: of the driver.
        generation: of the checkpoint; batch ids begin anew with each that has empty state.
    """

    at: float
    seconds: float
    batch_id: int
    records: int
    attempt: int
    generation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """A batch of the query that writes dead letters.

    Attributes:
        at: its begin, seconds since 1970.
        rejected: records, each as often as it has reasons.
        done: when it was told, seconds since 1970; None when not known.
        query: its name.
        records: that it read; None when not known.
        letters: records that it rejected; None when not known.
    """

    at: float
    rejected: int
    done: float | None = None
    query: str = ""
    records: int | None = None
    letters: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Aimed:
    """A kill that was to hit a phase of a batch; whether it did."""

    phase: str
    batch: int
    hit: bool


Counted = list[tuple[str, int, int]]
"""Device, start of the window in ms since 1970, records."""
Rejected = list[tuple[int, int, str]]
"""Partition, offset, reason; partitions of an earlier topic of the name are below 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Must:
    """What must have become of every record, worked out without Spark.

    Attributes:
        produced: records that Kafka has, or had.
        windows: closed or open ones.
        late: records that came after their window was closed.
        gone: records that Kafka had deleted before they were read; it is told which.
        unread: records that no committed batch has read.
    """

    produced: int
    windows: Counted
    rejected: Rejected
    late: int
    gone: int = 0
    unread: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What did become of them.

    Attributes:
        rows: of the output, by the sink's own log; a window that is there twice is twice here.
        state: open windows.
        letters: of the dead letter topic, copies too.
        late: as the job counted them; None when it could not.
    """

    rows: Counted
    state: Counted
    letters: Rejected
    late: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The graceful stop at the end, and what the checkpoint says.

    Attributes:
        outcome: as `stop` told it.
        told_batch, true_batch: last committed batch, as told and by the commit log.
        planned_batch: newest entry of the offset log.
        missing_commits: batches between the first and the last one without a commit.
        drivers: processes of the driver that were seen from outside.
        restarts: as the status counts them, and the starts that an operator made.
    """

    outcome: str
    told_batch: int | None
    true_batch: int | None
    planned_batch: int | None
    missing_commits: int
    drivers: int
    restarts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What `streamctl audit` says of the records of a job that is not the experiment's own.

    Attributes:
        verdict: ok, problem or unknown.
        detail: one line.
    """

    verdict: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One experiment.

    Attributes:
        touched: when the first action began, the fault or not; None when not known.
        began, ended: of the fault, see `Part`, seconds since 1970; None when there was none.
        crashed: whether a process was ended by force, so that dead letters may be repeated.
        rate: records a second that were sent meanwhile.
        deleted, told_deleted: query -> records that Kafka had deleted before it read them, and
            those that the job told of.
        launched: when a driver said that it starts its queries, seconds since 1970.
        aimed: kills that were to hit a phase.
        set_to: those settings of the job that say when it must tell of trouble, by section; empty
            when not known.
        unmet: probes of the method whose answer was out of tolerance, one line each.
        failed: steps that could not be done, so that the method was not, one line each.
        not_changed_back: rollbacks and opposites that failed, one line each.
        signs: who else noticed, and when, in seconds since 1970: `verify` found damage.
        must, found, end: None where it could not be told; `unknown` says why.
        audited: of a job that is not the experiment's own, instead of must, found and end.
    """

    experiment: str
    title: str
    ended_how: str
    deviated: bool
    began: float | None
    ended: float | None
    crashed: bool
    rate: float
    expects: dict[str, Any]
    touched: float | None = None
    set_to: dict[str, dict[str, Any]] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    letters: list[Letters] = field(default_factory=list)
    launched: list[float] = field(default_factory=list)
    aimed: list[Aimed] = field(default_factory=list)
    signs: dict[str, float] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)
    told_deleted: dict[str, int] = field(default_factory=dict)
    unmet: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    not_changed_back: list[str] = field(default_factory=list)
    must: Must | None = None
    found: Found | None = None
    end: End | None = None
    audited: Audited | None = None
    unknown: str = ""


_LISTS = {"samples": Sample, "batches": Batch, "letters": Letters, "aimed": Aimed}
_ONE = {"must": Must, "found": Found, "end": End, "audited": Audited}


def write_evidence(path: Path, evidence: Evidence) -> None:
    """Replace the file."""
    replace_file(path, json.dumps(as_json(evidence), separators=(",", ":")) + "\n")


def read_evidence(path: Path) -> Evidence:
    """Read what `write_evidence` wrote.

    Raises:
        NotFound: no such file.
        Malformed: it is damaged or of another release.
    """
    try:
        return evidence_of(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise NotFound(f'no evidence "{path}"') from None
    except (ValueError, TypeError, KeyError) as error:
        raise Malformed(f'cannot read "{path}": {error}') from error


def evidence_of(values: dict[str, Any]) -> Evidence:
    """Build it from JSON."""
    known = {each.name for each in fields(Evidence)}
    built = {name: value for name, value in values.items() if name in known}
    for name, kind in _LISTS.items():
        built[name] = [kind(**each) for each in values.get(name, [])]
    for name, one in _ONE.items():
        built[name] = one(**_tuples(values[name])) if values.get(name) else None
    return Evidence(**built)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [tuple(each) for each in value] if isinstance(value, list) else value
        for name, value in values.items()
    }
