"""What a load run is asked for, and what it finds."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from streamctl.errors import NotFound
from streamctl.reports import Verdict

FOLDER = "load"
REPORT = "load.json"
WORDS = {True: "sustained", False: "not sustained", None: "not known whether sustained"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rate. What is None is not known.

    Attributes:
        rate: records a second that were asked for.
        sent_rate: that were sent.
        committed_rate: that committed batches read in the second half; of a rate that is not
            sustained it is what the job can do.
        sustained: None when the lag could not be looked at often enough.
        lag_growth: records a second, by a straight line through the second half.
        batch_p50_seconds, batch_p95_seconds: of the micro-batches.
        latency_p50_seconds, latency_p95_seconds: of the records that count in a window, from the
            making of each to the commit of the batch that counted it; of those too that waited
            until after the step.
        processor_share: of all processors, used by the driver.
        memory_bytes: resident, of the driver and its JVM, at the end.
        checkpoint_bytes: of all files of the checkpoint, at the end.
        checkpoint_growth_bytes_per_second: while it was sent. The job of a load run keeps every
            version, so this is what it writes.
    """

    rate: float
    sent_rate: float
    committed_rate: float | None = None
    sustained: bool | None
    lag_growth: float | None
    batch_p50_seconds: float | None
    batch_p95_seconds: float | None
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    processor_share: float | None
    memory_bytes: int
    checkpoint_bytes: int
    checkpoint_growth_bytes_per_second: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The driver was killed with so much state.

    Attributes:
        state_rows: open windows, as the driver reported them.
        seconds: from the SIGKILL to the end of the next batch; None when none followed in time.
    """

    state_store: str
    state_rows: int
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What the job carries.

    Attributes:
        verdict: a problem when the longer step was not sustained, or the job did not come back;
            unknown when not even the first rate was sustained, or it is not known of a step.
        command: runs it again.
        sustained_rate: the highest that was sustained, records a second; None for none.
        steps: in the order in which they were tried.
        confirmed: a longer step at nine tenths of the highest rate; None when not asked for.
        recovery: after the steps, with the state that they left.
        surroundings: what it ran on.
        recoveries: with so much state in each provider, as asked for.
    """

    verdict: Verdict
    started_at: str
    sustained_rate: float | None
    directory: Path
    command: str = "streamctl load run"
    surroundings: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    confirmed: Step | None = None
    recovery: Recovery | None = None
    recoveries: list[Recovery] = field(default_factory=list)

    @property
    def every_recovery(self) -> list[Recovery]:
        """The one after the steps, then those by size of state."""
        return [*filter(None, (self.recovery,)), *self.recoveries]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How rates are tried.

    Attributes:
        first: the first rate, records a second.
        seconds: of a step.
        halvings: how often the span of the last two rates is halved.
        confirm_seconds: of a last step at nine tenths of the highest rate; 0 for none.
        states: rows of state with which the driver is killed, once for each of `stores`.
        stores: providers of the state: `rocksdb`, `hdfs`.
        partitions: of the topic.
    """

    first: float
    seconds: float = 30.0
    halvings: int = 2
    confirm_seconds: float = 0.0
    states: tuple[int, ...] = ()
    stores: tuple[str, ...] = ("rocksdb",)
    partitions: int = 2


def read_load(directory: Path) -> LoadReport:
    """Read what a run found.

    Raises:
        NotFound: it did not come to its end.
    """
    try:
        values = json.loads((directory / REPORT).read_text("utf-8"))
    except FileNotFoundError:
        raise NotFound(f'the load run "{directory.name}" has no figures') from None
    return LoadReport(
        verdict=Verdict(values["verdict"]),
        started_at=values["started_at"],
        sustained_rate=values["sustained_rate"],
        directory=directory,
        command=values.get("command", "streamctl load run"),
        surroundings=values.get("surroundings", {}),
        steps=[Step(**step) for step in values["steps"]],
        confirmed=Step(**values["confirmed"]) if values["confirmed"] else None,
        recovery=Recovery(**values["recovery"]) if values["recovery"] else None,
        recoveries=[Recovery(**each) for each in values.get("recoveries", [])],
    )
