"""How `streamctl load` shows what it found."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamctl.cli.render import Facts, Line, Table, View
from streamctl.reports import Verdict

if TYPE_CHECKING:
    from streamctl.chaos.load.model import LoadReport, Recovery, Step

_READ = ("records/s", "sustained", "committed/s", "lag grows/s", "latency p50", "p95")
_TOOK = ("records/s", "batch p50", "p95", "cpu", "memory MiB", "checkpoint grows KiB/s")
_SUSTAINED = {True: "yes", False: "no", None: "not known"}
_HELD = {True: "held", False: "NOT held", None: "not known whether held"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A report that was written."""

    verdict: Verdict
    file: Path


def written(report: Written) -> View:
    """The file."""
    return [Line(text=str(report.file))]


def found(report: "LoadReport") -> View:
    """Of each rate what was read and what it took, then what comes of it."""
    rate = report.sustained_rate
    facts: list[tuple[str, object]] = [
        ("sustained", "none" if rate is None else f"{rate:,.0f} records/s"),
        ("figures", report.directory),
    ]
    blocks: list[Facts | Table | Line] = [
        _table(_READ, [_read(step) for step in report.steps]),
        _table(_TOOK, [_took(step) for step in report.steps]),
        Facts(rows=facts),
    ]
    if report.confirmed is not None:
        blocks.append(Line(text=confirmation(report.confirmed, rate)))
    return [*blocks, *(Line(text=recovery(back)) for back in report.every_recovery)]


def confirmation(step: "Step", rate: float | None) -> str:
    """What the longer step says of the rate that was found."""
    growth = _figure(step.lag_growth, ",.0f", "/s")
    text = f"{step.rate:,.0f} records/s {_HELD[step.sustained]}: the lag grew by {growth}"
    if step.committed_rate is None or not rate:
        return text
    return f"{text}, {step.committed_rate / rate:.0%} of the rate found was committed"


def recovery(back: "Recovery") -> str:
    """How long it took, or that it did not end."""
    killed = f"killed with {back.state_rows:,} rows in {back.state_store}: "
    if back.seconds is None:
        return f"{killed}NO commit followed"
    return f"{killed}{back.seconds:.1f} s to the next commit"


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    return Table(columns=columns, rows=rows, right=frozenset(range(len(columns))))


def _read(step: "Step") -> tuple[str, ...]:
    return (
        f"{step.rate:,.0f}",
        _SUSTAINED[step.sustained],
        _figure(step.committed_rate, ",.0f"),
        _figure(step.lag_growth, ",.0f"),
        _figure(step.latency_p50_seconds, ".2f", " s"),
        _figure(step.latency_p95_seconds, ".2f", " s"),
    )


def _took(step: "Step") -> tuple[str, ...]:
    growth = step.checkpoint_growth_bytes_per_second
    return (
        f"{step.rate:,.0f}",
        _figure(step.batch_p50_seconds, ".2f", " s"),
        _figure(step.batch_p95_seconds, ".2f", " s"),
        _figure(step.processor_share, ".0%"),
        f"{step.memory_bytes / 2**20:,.0f}",
        _figure(None if growth is None else growth / 2**10, ",.0f"),
    )


def _figure(value: float | None, form: str, unit: str = "") -> str:
    return "not known" if value is None else f"{value:{form}}{unit}"
