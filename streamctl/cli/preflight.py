"""`streamctl checkpoint preflight`: will the checkpoint accept this code and these settings?"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamctl.cli.command import Here, command
from streamctl.cli.render import Facts, Table, View

if TYPE_CHECKING:
    from streamctl.lifecycle.preflight import PreflightReport, QueryPreflight


def preflight_view(report: "PreflightReport") -> View:
    """The verdict, then one table a query."""
    anew = [("begins anew", name) for name in report.without_checkpoint]
    facts: list[tuple[str, object]] = [
        ("verdict", report.verdict),
        ("job", report.job),
        ("Spark", report.spark_version),
        *((query.query, query.acceptance.value) for query in report.queries),
        *anew,
    ]
    return [Facts(rows=facts), *(_table(query) for query in report.queries)]


def _table(query: "QueryPreflight") -> Table:
    return Table(
        columns=("what", "acceptance", "seen", "Spark says", "what to do"),
        rows=[
            (item.name, item.acceptance.value, item.detail, item.condition, item.hint)
            for item in query.items
        ],
        title=f"{query.query}, {query.checkpoint}",
    )


def preflight_command(
    here: Here,
    path: Annotated[
        str,
        typer.Argument(
            metavar="[PATH]", help="Path or URL; default: this job's.", show_default=False
        ),
    ] = "",
    *,
    job: Annotated[
        str,
        typer.Option("--job", help="The new code, MODULE:CLASS; default: job.entry."),
    ] = "",
    query: Annotated[
        str, typer.Option("--query", help="Only this query of the job.", show_default=False)
    ] = "",
    accept_risky: Annotated[
        bool, typer.Option("--accept-risky", help="Risky items do not make exit code 3.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds that Spark may take.", min=1)
    ] = 180,
) -> Any:
    """Say whether new code and settings can go on from the checkpoint. The job may run."""
    from streamctl.lifecycle.preflight import preflight

    layers, settings = here.layers(), here.settings(job__entry=job or None)
    return preflight(
        path or settings.checkpoint.location,
        settings,
        query=query,
        accept_risky=accept_risky,
        project=layers.root,
        timeout_seconds=timeout,
        context=here.context,
        on_event=here.on_event,
    )


def register(app: typer.Typer) -> None:
    """Add the command to its group."""
    command(app, "preflight", view=preflight_view)(preflight_command)
