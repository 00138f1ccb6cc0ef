"""A load run as a page: what was sustained, and how each figure grows with the rate."""

from collections.abc import Callable, Iterator
from html import escape

from streamctl.chaos.load.model import LoadReport, Step
from streamctl.chaos.report.plot import Plot, draw
from streamctl.chaos.report.skeleton import document, surroundings, table

_CURVES: dict[str, Callable[[Step], float | None]] = {
    "longest wait of a record to its commit, 95th percentile, s": lambda s: s.latency_p95_seconds,
    "batch duration, 95th percentile, s": lambda s: s.batch_p95_seconds,
    "lag grows by, records/s": lambda s: max(0.0, s.lag_growth),
    "processors used by the driver, %": lambda s: s.processor_share * 100,
    "memory of the driver, MiB": lambda s: s.memory_bytes / 2**20,
}


def load_page(report: LoadReport, *, command: str) -> str:
    """One self-contained HTML file.

    Args:
        report: of the run.
        command: runs it again.
    """
    rate = report.sustained_rate
    closing = "Not even the first rate was sustained." if rate is None else (
        f"{rate:,.0f} records/s are sustained."
    )  # fmt: skip
    body = [
        f'<p class="closing {report.verdict}">{closing}</p>',
        *(f"<figure>{draw(plot)}</figure>" for plot in curves(report)),
        table(("records/s", "sustained", "lag grows/s", "wait p50", "wait p95"), _rows(report)),
    ]
    if report.recovery is not None:
        back = report.recovery
        body.append(
            f"<p>Killed with {back.state_rows:,} rows in {escape(back.state_store)}, the job "
            f"committed again after {back.seconds:.1f} s.</p>"
        )
    body += [f"<figure>{draw(plot)}</figure>" for plot in recovery_curves(report)]
    return document(
        f"Load, {report.started_at}", [*body, surroundings(command, report.surroundings)]
    )


def curves(report: LoadReport) -> Iterator[Plot]:
    """Each figure over the rate; the band is what was not sustained."""
    steps = sorted(report.steps, key=lambda step: step.rate)
    if not steps:
        return
    highest = steps[-1].rate
    failed = [step.rate for step in steps if not step.sustained]
    for title, figure in _CURVES.items():
        yield Plot(
            title=title,
            points=[(step.rate, figure(step)) for step in steps],
            span=(0.0, highest),
            band=(min(failed), highest) if failed else None,
            unit="/s",
        )


def recovery_curves(report: LoadReport) -> Iterator[Plot]:
    """Seconds from a SIGKILL to the next commit over the rows of state, for each provider."""
    highest = max((each.state_rows for each in report.recoveries), default=0)
    for store in dict.fromkeys(each.state_store for each in report.recoveries):
        mine = sorted(
            (each.state_rows, each.seconds)
            for each in report.recoveries
            if each.state_store == store
        )
        yield Plot(
            title=f"recovery by rows of state in {store}, s",
            points=mine,
            span=(0.0, float(highest)),
            unit="rows",
        )


def _rows(report: LoadReport) -> list[list[str]]:
    return [
        [
            f"{step.rate:,.0f}",
            "yes" if step.sustained else "no",
            f"{step.lag_growth:,.0f}",
            _seconds(step.latency_p50_seconds),
            _seconds(step.latency_p95_seconds),
        ]
        for step in report.steps
    ]


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"
