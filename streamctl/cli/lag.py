"""`streamctl lag`, and `lag wait | peek | publish`."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from streamctl.cli import lag_views as views
from streamctl.cli.command import Here, command
from streamctl.cli.moments import parse_moment, parse_seconds
from streamctl.errors import SettingsInvalid

if TYPE_CHECKING:
    from streamctl.kafka.client import Broker
    from streamctl.lag.model import LagReport
    from streamctl.lag.peek import PeekReport
    from streamctl.lag.positions import Positions
    from streamctl.lag.publish import Published
    from streamctl.lag.wait import Bound

app = typer.Typer(name="lag", add_completion=False)
_Checkpoint = Annotated[
    str, typer.Option(help="A checkpoint or location; default: this job's.", show_default=False)
]
_Query = Annotated[str, typer.Option(help="Of this query only.", show_default=False)]
_Servers = Annotated[
    str | None, typer.Option("--bootstrap-servers", help="Kafka brokers, `host:port,...`.")
]
_Every = Annotated[float, typer.Option("--interval", help="Seconds between looks.", min=0.1)]


class By(StrEnum):
    """What a row of the table is."""

    TOPIC = "topic"
    PARTITION = "partition"


@command(app, view=views.lag)
def lag(
    here: Here,
    *,
    checkpoint: _Checkpoint = "",
    query: _Query = "",
    bootstrap_servers: _Servers = None,
    by: Annotated[By, typer.Option(help="A row for each topic or partition.")] = By.PARTITION,
    only_lagging: Annotated[
        bool, typer.Option("--only-lagging", help="Leave out what is read to its end.")
    ] = False,
    ages: Annotated[
        bool, typer.Option("--ages/--no-ages", help="Read the oldest unread records.")
    ] = True,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again.")] = False,
    interval: _Every = 5.0,
) -> "LagReport | Iterator[LagReport]":
    """Say how far the job is behind Kafka, up or down.

    From its checkpoint, so that the job need not run.
    """
    look = _look(here, checkpoint, query, bootstrap_servers, ages=ages)

    def shown() -> "LagReport":
        return views.arranged(look(), by_topic=by is By.TOPIC, only_lagging=only_lagging)

    return here.watch(shown, every=interval) if watch else shown()


@command(app, "wait", view=views.lag_line)
def wait(
    here: Here,
    *,
    below: Annotated[str, typer.Option(help="1000 records, or a time: 30s.")],
    lasting: Annotated[str, typer.Option("--for", help="For so long without a break.")] = "0s",
    timeout: Annotated[str, typer.Option(help="Give up after so long.")] = "10m",
    checkpoint: _Checkpoint = "",
    query: _Query = "",
    bootstrap_servers: _Servers = None,
    interval: _Every = 2.0,
) -> "LagReport":
    """Wait until the lag is small: a gate for pipelines. Exit code 16 when it is not in time."""
    from streamctl.lag.wait import wait as wait_for

    bound = _bound(below)
    ages = bound.seconds is not None
    return wait_for(
        _look(here, checkpoint, query, bootstrap_servers, ages=ages),
        below=bound,
        lasting_seconds=parse_seconds(lasting, option="--for"),
        timeout_seconds=parse_seconds(timeout, option="--timeout"),
        every_seconds=interval,
        on_event=here.on_event,
    )


def _bound(text: str) -> "Bound":
    """`1000` is records, `30s` is time.

    Raises:
        SettingsInvalid: neither.
    """
    from streamctl.lag.wait import Bound

    if text.isdecimal():
        return Bound(records=int(text))
    return Bound(seconds=parse_seconds(text, option="--below"))


@command(app, "peek", view=views.peek)
def peek(
    here: Here,
    *,
    partition: Annotated[str, typer.Option(help="Partition, or topic:partition.")],
    at: Annotated[
        str, typer.Option(help="Offset or time; default: the next to read.", show_default=False)
    ] = "",
    limit: Annotated[int, typer.Option(help="Bytes of the value shown.", min=1)] = 4096,
    checkpoint: _Checkpoint = "",
    query: _Query = "",
    bootstrap_servers: _Servers = None,
) -> "PeekReport":
    """Show one record as it lies in Kafka."""
    from streamctl.lag.next_read import next_to_read, one_topic
    from streamctl.lag.peek import peek as peek_at

    asked, _, number = partition.rpartition(":")
    if not number.isdigit():
        raise SettingsInvalid(f'--partition "{partition}" is none', hint="Give 3, or events:3.")
    positions = [] if asked and at else _positions(here, checkpoint, query)
    topic = asked or one_topic(positions, default=here.settings().kafka.topics)
    place: int | datetime | None
    if at:
        place = int(at) if at.isdigit() else parse_moment(at, option="--at")
    else:
        place = next_to_read(positions, topic, int(number))
    with _broker(here, bootstrap_servers) as broker:
        return peek_at(broker, topic, int(number), at=place, limit_bytes=limit)


@command(app, "publish", view=views.publish)
def publish(
    here: Here,
    *,
    group: Annotated[str, typer.Option(help="Name of the consumer group.")],
    checkpoint: _Checkpoint = "",
    query: _Query = "",
    bootstrap_servers: _Servers = None,
    accept_foreign_offsets: Annotated[
        bool,
        typer.Option("--accept-foreign-offsets", help="Overwrite offsets of another program."),
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again and again.")] = False,
    interval: _Every = 5.0,
) -> "Published | Iterator[Published]":
    """Commit the checkpoint's offsets to a consumer group, for other tools to see."""
    from streamctl.lag.publish import publish_once
    from streamctl.lag.subjects import find_subjects

    location = checkpoint or here.settings().checkpoint.location

    def once() -> "Published":
        with _broker(here, bootstrap_servers) as broker:
            subjects = find_subjects(location, query=query)
            return publish_once(
                subjects,
                broker,
                group=group,
                now=datetime.now(UTC),
                accept_foreign_offsets=accept_foreign_offsets,
            )

    return here.watch(once, every=interval) if watch else once()


def _look(
    here: Here, checkpoint: str, query: str, servers: str | None, *, ages: bool
) -> "Callable[[], LagReport]":
    from streamctl.lag.measure import measure
    from streamctl.lag.subjects import find_subjects

    location = checkpoint or here.settings().checkpoint.location
    broker = _broker(here, servers)

    def look() -> "LagReport":
        subjects = find_subjects(location, query=query)
        now = datetime.now(UTC)
        return measure(subjects, broker, location=location, now=now, ages=ages)

    return look


def _broker(here: Here, servers: str | None) -> "Broker":
    from streamctl.kafka.client import Broker

    settings = here.settings(kafka__bootstrap_servers=servers)
    return Broker.of(settings.kafka)


def _positions(here: Here, checkpoint: str, query: str) -> "list[Positions]":
    """Of the queries; without --checkpoint the job need not have begun."""
    from streamctl.errors import CheckpointNotFound
    from streamctl.lag.positions import read_positions
    from streamctl.lag.subjects import find_subjects

    try:
        subjects = find_subjects(checkpoint or here.settings().checkpoint.location, query=query)
    except CheckpointNotFound:
        if checkpoint:
            raise
        return []
    return [read_positions(subject.checkpoint, batches=1) for subject in subjects]
