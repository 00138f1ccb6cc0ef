"""`streamctl sandbox`: a real Kafka of one node to try things on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamctl.cli.command import Here, command
from streamctl.cli.confirm import confirm
from streamctl.cli.render import Facts, Line, Table, View
from streamctl.errors import SettingsInvalid

if TYPE_CHECKING:
    from streamctl.sandbox.model import SandboxReport

app = typer.Typer(
    name="sandbox", help="A real Kafka of one node to try things on.", no_args_is_help=True
)

_Name = Annotated[str, typer.Option("--name", help="Several sandboxes live side by side.")]
_Directory = Annotated[
    Path | None,
    typer.Option("--directory", help="Its data; default: in the user's cache.", show_default=False),
]


def _view(report: "SandboxReport") -> View:
    rows = [
        ("sandbox", report.name),
        ("state", report.state),
        ("bootstrap servers", report.bootstrap_servers),
        ("kafka", report.kafka_version),
        ("pid", str(report.pid) if report.pid else None),
        ("started", report.started_at),
        ("directory", report.directory),
        ("detail", report.detail),
    ]
    facts = Facts(rows=[(name, value) for name, value in rows if value not in {None, ""}])
    topics = [(topic.name, topic.partitions) for topic in report.topics]
    return [facts, Table(columns=("topic", "partitions"), rows=topics, right=frozenset({1}))]


def _short_view(report: "SandboxReport") -> View:
    return [Line(text=f'sandbox "{report.name}": {report.state}')]


@command(app, "up", view=_view)
def up(
    here: Here,
    *,
    name: _Name = "default",
    directory: _Directory = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Default: a free one.", show_default=False)
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", metavar="NAME[:PARTITIONS]", help="Make sure that it is there."),
    ] = None,
    broker_config: Annotated[
        list[str] | None,
        typer.Option("--broker-config", metavar="KEY=VALUE", help="Any setting of Kafka's broker."),
    ] = None,
    heap_mb: Annotated[
        int, typer.Option("--heap-mb", help="The JVM's largest heap.", min=64)
    ] = 512,
    timeout_seconds: Annotated[
        float, typer.Option("--timeout", help="Seconds for the broker to answer.")
    ] = 60,
) -> object:
    """Start the broker, unless it runs, and wait until it answers."""
    from streamctl.sandbox import lifecycle

    return lifecycle.up(
        directory=directory or lifecycle.sandbox_directory(name),
        port=port,
        topics=dict(_topic(text) for text in topic or ()),
        overrides=dict(_pair(text) for text in broker_config or ()),
        heap_mb=heap_mb,
        timeout_seconds=timeout_seconds,
        on_event=here.on_event,
    )


@command(app, "down", view=_short_view)
def down(
    here: Here,
    *,
    name: _Name = "default",
    directory: _Directory = None,
    timeout_seconds: Annotated[
        float, typer.Option("--timeout", help="Seconds until the process is killed.")
    ] = 30,
) -> object:
    """Stop the broker; its data stays."""
    from streamctl.sandbox import lifecycle

    return lifecycle.down(
        directory=directory or lifecycle.sandbox_directory(name),
        timeout_seconds=timeout_seconds,
        on_event=here.on_event,
    )


@command(app, "status", view=_view)
def status(here: Here, name: _Name = "default", directory: _Directory = None) -> object:
    """Say whether the broker runs and answers, and which topics it has."""
    from streamctl.sandbox import lifecycle

    del here
    return lifecycle.status(directory=directory or lifecycle.sandbox_directory(name))


@command(app, "reset", view=_short_view)
def reset(
    here: Here,
    *,
    name: _Name = "default",
    directory: _Directory = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> object:
    """Stop the broker and remove all its data."""
    from streamctl.sandbox import lifecycle

    where = directory or lifecycle.sandbox_directory(name)
    confirm(f'remove all data of the sandbox in "{where}"', yes=yes)
    return lifecycle.reset(directory=where, on_event=here.on_event)


def _topic(text: str) -> tuple[str, int]:
    name, colon, partitions = text.partition(":")
    if not name or (colon and not (partitions.isdigit() and int(partitions) > 0)):
        raise SettingsInvalid(f'"{text}" is not NAME or NAME:PARTITIONS')
    return name, int(partitions or 1)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise SettingsInvalid(f'"{text}" is not KEY=VALUE')
    return key.strip(), value.strip()
