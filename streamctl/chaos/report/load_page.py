"""A load run as a page: what was sustained, and how each figure grows with the rate."""

from collections.abc import Callable, Iterator
from html import escape

from streamctl.chaos.load.model import LoadReport, Step
from streamctl.chaos.report.plot import Plot, draw
from streamctl.chaos.report.skeleton import document, surroundings, table

_CURVES: dict[str, Callable[[Step], float | None]] = {
    "a record waits for its commit, 95th percentile, s": lambda s: s.latency_p95_seconds,
    "batch duration, 95th percentile, s": lambda s: s.batch_p95_seconds,
    "records committed, records/s": lambda s: s.committed_rate,
    "lag grows by, records/s": lambda s: None if s.lag_growth is None else max(0.0, s.lag_growth),
    "processors used by the driver, %": lambda s: _scaled(s.processor_share, 0.01),
    "memory of the driver, MiB": lambda s: s.memory_bytes / 2**20,
    "checkpoint grows by, KiB/s": lambda s: _scaled(s.checkpoint_growth_bytes_per_second, 2**10),
}
_HEADS = (
    "records/s", "sustained", "committed/s", "lag grows/s", "batch p50", "batch p95", "wait p50",
    "wait p95", "cpu", "memory", "checkpoint", "growth",
)  # fmt: skip


def load_page(report: LoadReport) -> str:
    """One self-contained HTML file."""
    rate = report.sustained_rate
    closing = "No rate is known to be sustained." if rate is None else (
        f"{rate:,.0f} records/s are sustained."
    )  # fmt: skip
    body = [
        f'<p class="closing {report.verdict}">{closing}</p>',
        *_confirmed(report),
        *(f"<figure>{draw(plot)}</figure>" for plot in curves(report)),
        table(_HEADS, [_row(step) for step in report.steps]),
        *_recoveries(report),
        *(f"<figure>{draw(plot)}</figure>" for plot in recovery_curves(report)),
        surroundings(report.command, report.surroundings),
    ]
    return document(f"Load, {report.started_at}", body)


def _confirmed(report: LoadReport) -> Iterator[str]:
    """The longer step, in words and figures."""
    step = report.confirmed
    if step is None:
        return
    word = {True: "held", False: "did not hold", None: "may have held: its lag is not known"}
    verdict = {True: "ok", False: "problem", None: "unknown"}[step.sustained]
    yield (
        f'<section><h2>The longer step</h2><p class="{verdict}">Nine tenths of it, '
        f"{step.rate:,.0f} records/s, {word[step.sustained]}.</p>"
    )
    if step.committed_rate is not None and report.sustained_rate:
        share = step.committed_rate / report.sustained_rate
        yield f"<p>{share:.0%} of the rate that was found was committed meanwhile.</p>"
    yield table(_HEADS, [_row(step)]) + "</section>"


def _recoveries(report: LoadReport) -> Iterator[str]:
    """Every SIGKILL, and how long it took to the next commit."""
    if not report.every_recovery:
        return
    rows = [
        [escape(back.state_store), f"{back.state_rows:,}", _back(back.seconds)]
        for back in report.every_recovery
    ]
    yield "<section><h2>After a SIGKILL of the driver</h2>"
    yield table(("state store", "rows of state", "to the next commit"), rows) + "</section>"


def _back(seconds: float | None) -> str:
    if seconds is None:
        return '<span class="problem">none followed</span>'
    return f"{seconds:.1f} s"


def curves(report: LoadReport) -> Iterator[Plot]:
    """Each figure over the rate; the band is what was not sustained."""
    steps = sorted(report.steps, key=lambda step: step.rate)
    if not steps:
        return
    highest = steps[-1].rate
    failed = [step.rate for step in steps if step.sustained is False]
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


def _row(step: Step) -> list[str]:
    return [
        f"{step.rate:,.0f}",
        {True: "yes", False: "no", None: "not known"}[step.sustained],
        _figure(step.committed_rate, ",.0f"),
        _figure(step.lag_growth, ",.0f"),
        _figure(step.batch_p50_seconds, ".2f", " s"),
        _figure(step.batch_p95_seconds, ".2f", " s"),
        _figure(step.latency_p50_seconds, ".2f", " s"),
        _figure(step.latency_p95_seconds, ".2f", " s"),
        _figure(step.processor_share, ".0%"),
        f"{step.memory_bytes / 2**20:,.0f} MiB",
        f"{step.checkpoint_bytes / 2**20:,.1f} MiB",
        _figure(_scaled(step.checkpoint_growth_bytes_per_second, 2**10), ",.0f", " KiB/s"),
    ]


def _scaled(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


def _figure(value: float | None, form: str, unit: str = "") -> str:
    return "not known" if value is None else f"{value:{form}}{unit}"
