"""`streamctl alerts list | test | silence`."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from streamctl.cli.command import Here, command
from streamctl.cli.lag_views import span
from streamctl.cli.moments import parse_seconds
from streamctl.cli.render import Facts, Line, Table, View
from streamctl.cli.top_view import size
from streamctl.reports import iso
from streamctl.rundir.directory import RunDirectory

if TYPE_CHECKING:
    from streamctl.health.alerts.listing import AlertsReport, Silences, Tested

app = typer.Typer(
    name="alerts", help="See, try and silence alerts.", no_args_is_help=True, add_completion=False
)


def _alerts(report: "AlertsReport") -> View:
    table = Table(
        columns=("alert", "state", "value", "threshold", "where", "silenced until"),
        rows=[
            (
                alert.name,
                f"open since {iso(alert.open_since)}" if alert.open_since else "closed",
                _measured(alert.value, alert.unit),
                ("below " if alert.below else "above ") + _measured(alert.threshold, alert.unit),
                alert.where,
                iso(alert.silenced_until) if alert.silenced_until else None,
            )
            for alert in report.alerts
        ],
        right=frozenset({2, 3}),
    )
    lines = [] if report.watched else [Line(text="The job is down: nobody looks.")]
    if report.undelivered:
        lines.append(Line(text=f"{report.undelivered} notices wait for a receiver."))
    return [table, *lines]


def _measured(value: float | None, unit: str) -> str:
    if value is None:
        return "not known"
    if unit == "bytes":
        return size(round(value))
    if unit == "seconds":
        return span(value)
    return f"{value:.1%}" if unit == "ratio" else f"{value:,.0f}"


@command(app, "list", view=_alerts)
def list_(here: Here) -> "AlertsReport":
    """List all alerts as they stand. Exit code 3 when one is open."""
    from streamctl.health.alerts.listing import list_alerts
    from streamctl.observe.status import is_supervised
    from streamctl.settings.resolve import resolve

    layers = here.layers()
    run = RunDirectory(layers.run_directory)
    return list_alerts(run, resolve(layers), watched=is_supervised(run), now=datetime.now(UTC))


def _tested(report: "Tested") -> View:
    return [
        Facts(
            rows=[
                (f"receiver {r.receiver}", f"{r.service}: {r.problem or f'took it, {r.seconds} s'}")
                for r in report.receipts
            ]
        )
    ]


@command(app, "test", view=_tested)
def test(here: Here) -> "Tested":
    """Send a test notice to each receiver."""
    from streamctl.health.alerts.listing import try_receivers

    settings = here.settings()
    return try_receivers(settings.alerts, job=settings.job.entry, now=datetime.now(UTC))


def _silences(report: "Silences") -> View:
    if not report.silences:
        return [Line(text="no silence holds")]
    rows = [(s.alert, iso(s.until), s.who, s.why) for s in report.silences]
    return [Table(columns=("alert", "until", "who", "why"), rows=rows)]


@command(app, "silence", view=_silences)
def silence(
    here: Here,
    alert: Annotated[str, typer.Argument(help="Name of the alert; `*` for all.")],
    *,
    lasting: Annotated[str, typer.Option("--for", help="30m, 2h, 1d; 0s ends the silence.")] = "1h",
    why: Annotated[str, typer.Option("--why", help="For those who wonder.")] = "",
) -> "Silences":
    """Tell nobody of an alert for a while; it is still recorded and shown."""
    from streamctl.checkpoint.location.journal import whoami
    from streamctl.health.alerts.listing import silence as silence_alert

    return silence_alert(
        RunDirectory(here.layers().run_directory),
        alert,
        lasting=timedelta(seconds=parse_seconds(lasting, option="--for")),
        who=whoami(),
        why=why,
        now=datetime.now(UTC),
    )
