"""`streamctl audit`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamctl.cli.audit_views import audit_view
from streamctl.cli.command import Here, command
from streamctl.cli.moments import parse_moment

if TYPE_CHECKING:
    from streamctl.audit.model import AuditReport

app = typer.Typer(add_completion=False)


@command(app, "audit", view=audit_view)
def audit(
    here: Here,
    *,
    start: Annotated[
        str, typer.Option("--from", help="A time, or 2h ago as `2h`.", show_default=False)
    ] = "",
    end: Annotated[str, typer.Option("--to", help="A time.", show_default=False)] = "",
    ledger: Annotated[
        list[Path] | None,
        typer.Option(help="Of `streamctl produce`: a file, or a directory of them."),
    ] = None,
) -> "AuditReport":
    """Account for every record: exit code 3 when one is missing."""
    from streamctl.audit.run import Subject
    from streamctl.audit.run import audit as audit_job
    from streamctl.checkpoint.location.store import Store
    from streamctl.kafka.client import Broker
    from streamctl.rundir.directory import RunDirectory
    from streamctl.settings.resolve import resolve

    layers = here.layers()
    settings = resolve(layers)
    subject = Subject(
        run=RunDirectory(layers.run_directory),
        store=Store.open(settings.checkpoint.location),
        settings=settings,
        project=layers.root,
    )
    with Broker.of(settings.kafka) as kafka:
        return audit_job(
            subject,
            kafka,
            start=parse_moment(start, option="--from") if start else None,
            end=parse_moment(end, option="--to") if end else None,
            ledgers=ledger or [],
            now=datetime.now(UTC),
            on_event=here.on_event,
        )
