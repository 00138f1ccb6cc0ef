"""`streamctl produce`: telemetry with known flaws, and a ledger."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamctl.cli.command import Here, command
from streamctl.cli.moments import parse_range
from streamctl.cli.render import Facts, Table, View
from streamctl.errors import SettingsInvalid

if TYPE_CHECKING:
    from streamctl.produce.run import ProduceReport
    from streamctl.produce.telemetry import Clock

app = typer.Typer(add_completion=False)
_MIX, _PACE, _CLIENT = "What is sent", "How fast, how long", "Kafka client"


def _view(report: "ProduceReport") -> View:
    rows = [
        ("verdict", report.verdict),
        ("run", report.run_id),
        ("topic", report.topic),
        ("sent", report.sent_records),
        ("acknowledged", report.acknowledged_records),
        ("failed", report.failed_records),
        ("error", report.error),
        ("valid", report.valid_records),
        ("of these late", report.late_records),
        ("rate", f"{report.records_per_second:,.0f} records/s"),
        ("seed", str(report.seed)),
        ("ledger", report.ledger),
    ]
    facts = Facts(rows=[row for row in rows if row[1] != ""])
    flaws = sorted(report.reasons_records.items())
    return [facts, Table(columns=("flaw", "records"), rows=flaws, right=frozenset({1}))]


@command(app, "produce", view=_view)
def produce(
    here: Here,
    *,
    topic: Annotated[
        str, typer.Option("--topic", help="Default: the job's first.", show_default=False)
    ] = "",
    bootstrap_servers: Annotated[
        str | None,
        typer.Option("--bootstrap-servers", help="Default: the job's.", show_default=False),
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option("--partitions", help="Make the topic if it is missing.", min=1),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", help="Records a second; default: all it can.", min=0.01, rich_help_panel=_PACE
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", help="Records.", min=0, rich_help_panel=_PACE)
    ] = None,
    duration: Annotated[
        float | None, typer.Option("--duration", help="Seconds.", min=0, rich_help_panel=_PACE)
    ] = None,
    devices: Annotated[
        int, typer.Option("--devices", help="Each is a key.", min=1, rich_help_panel=_MIX)
    ] = 100,
    flaw: Annotated[
        list[str] | None,
        typer.Option(
            "--flaw",
            metavar="NAME=SHARE",
            help="invalid_json, schema_mismatch, missing, out_of_range, invalid_duration, "
            "timestamp_in_future, one with its field as in missing:latitude, or all.",
            rich_help_panel=_MIX,
        ),
    ] = None,
    late: Annotated[
        float, typer.Option("--late", help="Share of late records.", rich_help_panel=_MIX)
    ] = 0.0,
    late_by: Annotated[
        str,
        typer.Option("--late-by", metavar="LEAST:MOST", help="Seconds.", rich_help_panel=_MIX),
    ] = "60:1200",
    seed: Annotated[
        int, typer.Option("--seed", help="The same gives the same records.", rich_help_panel=_MIX)
    ] = 0,
    start_time: Annotated[
        datetime | None,
        typer.Option(
            "--start-time",
            help="Simulated time of the first record, UTC.",
            metavar="TIME",
            formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"],
            rich_help_panel=_MIX,
        ),
    ] = None,
    event_rate: Annotated[
        float | None,
        typer.Option(
            "--event-rate",
            help="Records a second of simulated time; default: the rate, or 1000.",
            min=0.001,
            rich_help_panel=_MIX,
        ),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option("--ledger", help="New file; default: with the job's files."),
    ] = None,
    run_id: Annotated[
        str | None, typer.Option("--run-id", help="Goes into each record's header.")
    ] = None,
    acks: Annotated[
        str, typer.Option("--acks", help="0, 1 or all.", rich_help_panel=_CLIENT)
    ] = "all",
    linger_ms: Annotated[float, typer.Option("--linger-ms", rich_help_panel=_CLIENT)] = 20,
    batch_bytes: Annotated[int, typer.Option("--batch-bytes", rich_help_panel=_CLIENT)] = 1_000_000,
    compression: Annotated[
        str, typer.Option("--compression", help="none, lz4, zstd...", rich_help_panel=_CLIENT)
    ] = "lz4",
    delivery_timeout: Annotated[
        float, typer.Option("--delivery-timeout", help="Seconds.", rich_help_panel=_CLIENT)
    ] = 120,
) -> object:
    """Send telemetry with known flaws, and keep a ledger of it.

    The ledger says what must become of each record.
    """
    import uuid

    from streamctl.kafka.client import Broker
    from streamctl.produce import run
    from streamctl.produce.mix import Mix

    layers = here.layers(kafka__bootstrap_servers=bootstrap_servers)
    settings = here.settings(kafka__bootstrap_servers=bootstrap_servers)
    wanted, name = topic or settings.kafka.topics[0], run_id or uuid.uuid4().hex[:12]
    mix = Mix(
        devices=devices,
        flaws=dict(_share(text) for text in flaw or ()),
        late_share=late,
        late_by_seconds=parse_range(late_by, option="--late-by"),
        seed=seed,
    )
    mix.reasons()  # a mistake is told before anything is made
    kafka = Broker.of(settings.kafka)
    if partitions is not None and kafka.create_topic(wanted, partitions=partitions):
        here.on_event(_made(wanted, partitions))
    with kafka, _signals() as signals:
        return run.produce(
            kafka,
            wanted,
            mix=mix,
            pace=run.Pace(rate=rate, count=count, duration_seconds=duration),
            ledger=ledger or layers.run_directory / "ledgers" / f"{name}.ledger",
            clock=_clock(start_time, event_rate or rate or 1000.0),
            run_id=name,
            config={
                "acks": acks,
                "linger.ms": linger_ms,
                "batch.size": batch_bytes,
                "compression.type": compression,
                "delivery.timeout.ms": int(delivery_timeout * 1000),
            },
            stopping=lambda: bool(signals),
            on_event=here.on_event,
        )


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM, so that the ledger is brought to its end."""
    got: list[int] = []
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = {one: signal.signal(one, lambda number, _: got.append(number)) for one in wanted}
    try:
        yield got
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _clock(start: datetime | None, records_per_second: float) -> "Clock":
    from streamctl.produce.run import simulated_clock, wall_clock

    if start is None:
        return wall_clock
    moment = start if start.tzinfo else start.replace(tzinfo=UTC)
    return simulated_clock(moment, records_per_second=records_per_second)


def _share(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    try:
        return name, float(share)
    except ValueError:
        raise SettingsInvalid(f'"{text}" is not NAME=SHARE') from None


def _made(topic: str, partitions: int) -> Any:
    from streamctl.reports import Event

    return Event(message=f'created topic "{topic}", {partitions} partitions')
