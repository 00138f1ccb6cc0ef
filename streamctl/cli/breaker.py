"""`streamctl breaker status | open | close`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from streamctl.cli.command import Here, command
from streamctl.cli.render import Facts, Line, View
from streamctl.reports import iso
from streamctl.resilience.breaker import Circuit
from streamctl.rundir.directory import RunDirectory

if TYPE_CHECKING:
    from streamctl.lifecycle.breaker import BreakerReport

app = typer.Typer(
    name="breaker",
    help="See and move the circuit breaker of the job.",
    no_args_is_help=True,
    add_completion=False,
)
_Why = Annotated[str, typer.Option("--why", help="For those who wonder.")]


def _view(report: "BreakerReport") -> View:
    if report.asked:
        return [Line(text="asked the supervisor; `streamctl breaker status` shows when it is so")]
    state = report.state
    facts: list[tuple[str, object]] = [
        ("circuit breaker", state.circuit.value.replace("_", "-")),
        ("since", iso(state.since)),
    ]
    if state.reason:
        facts.append(("reason", state.reason))
    if state.circuit is Circuit.OPEN:
        next_trial = iso(state.next_trial_at) if state.next_trial_at else "none: it is held open"
        facts.append(("next trial", next_trial))
    return [Facts(rows=facts)]


@command(app, "status", view=_view)
def status(here: Here) -> "BreakerReport":
    """Say whether it is closed, open or half-open, and why; exit code 3 unless closed."""
    from streamctl.lifecycle.breaker import read_breaker

    return read_breaker(_run(here))


@command(app, "open", view=_view)
def open_(here: Here, *, why: _Why = "") -> "BreakerReport":
    """Stop processing after the running batch, and hold it until `breaker close`."""
    return _move(here, Circuit.OPEN, why)


@command(app, "close", view=_view)
def close(here: Here, *, why: _Why = "") -> "BreakerReport":
    """Let the job process again, without a trial."""
    return _move(here, Circuit.CLOSED, why)


def _move(here: Here, wanted: Circuit, why: str) -> "BreakerReport":
    from streamctl.lifecycle.breaker import move_breaker

    return move_breaker(_run(here), wanted, why=why, now=datetime.now(UTC))


def _run(here: Here) -> RunDirectory:
    return RunDirectory(here.layers().run_directory)
