"""What can stand in a change's way: each guard has a code, an exit code, one flag around it."""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from streamctl.checkpoint.change.plan import Obstacle
from streamctl.checkpoint.formats.model import KafkaOffsets
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.kinds import Severity
from streamctl.errors import ExitCode
from streamctl.reports import Verdict

ACCEPT_FINDINGS = "accept-findings"
ACCEPT_LOSS = "accept-loss"
ACCEPT_NEW_TOPIC = "accept-new-topic"
ACCEPT_LITTLE_SPACE = "accept-little-space"
ACCEPT_PROTECTED = "accept-protected"
NO_FILE_SINK = "no-file-sink"
MIN_FREE_BYTES = 64 << 20
_SHOWN = 3

Watermarks = Callable[[str], Mapping[int, tuple[int, int]]]
"""Topic -> partition -> log start and log end offset; `kafka.client.Broker.watermarks` is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kafka:
    """What plans ask a broker for.

    Attributes:
        watermarks: see there.
        topic_id: topic -> the broker's id of it; None when it has none.
    """

    watermarks: Watermarks
    topic_id: Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Records that the next start reads, or that are passed over.

    Attributes:
        start, end: offsets; the end is exclusive.
        records: end minus start.
        available_records: how many Kafka still has at most; None when it was not asked.
    """

    topic: str
    partition: int
    start: int
    end: int
    records: int
    available_records: int | None


def starts(planned: Checkpoint) -> list[Obstacle]:
    """Verify what a plan would make: it must start, and rightly.

    Raises:
        StreamctlError: storage fails.
    """
    from streamctl.checkpoint.verify.verify import verify

    report = verify(planned, sleep=lambda _: None)
    if report.verdict is Verdict.OK:
        return []
    bad = [item for item in report.findings if item.severity is not Severity.NOTE]
    first = f"{bad[0].code}: {bad[0].detail}" if bad else "it cannot be told"
    more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
    return [
        Obstacle(
            code=ACCEPT_FINDINGS,
            message=f"the checkpoint would not start rightly: {first}{more}",
            hint="Choose another batch; `streamctl checkpoint inspect` says how far back one can.",
            exit_code=ExitCode.WOULD_NOT_START,
        )
    ]


def standing_at(positions: KafkaOffsets) -> list[Range]:
    """Ranges without records: where the next start begins to read."""
    return [
        Range(
            topic=topic,
            partition=partition,
            start=offset,
            end=offset,
            records=0,
            available_records=None,
        )
        for topic, partitions in sorted(positions.items())
        for partition, offset in sorted(partitions.items())
    ]


def ask(ranges: Iterable[Range], kafka: Kafka | None) -> tuple[list[Range], list[Obstacle]]:
    """What Kafka still has of the ranges.

    Raises:
        BrokerUnreachable, TopicNotFound: it cannot be asked.
    """
    wanted = list(ranges)
    if kafka is None:
        return wanted, []
    there = {topic: kafka.watermarks(topic) for topic in sorted({r.topic for r in wanted})}
    found, gone, beyond = [], [], []
    for item in wanted:
        low, high = there[item.topic].get(item.partition, (0, 0))
        available = max(0, min(item.end, high) - max(item.start, low))
        found.append(
            Range(
                topic=item.topic,
                partition=item.partition,
                start=item.start,
                end=item.end,
                records=item.records,
                available_records=available,
            )
        )
        if item.start < low:
            gone.append(f"{item.topic}-{item.partition}: {low - item.start} before {low}")
        if item.end > high:
            beyond.append(f"{item.topic}-{item.partition}: {item.end} is past the end {high}")
    return found, [*_gone(gone), *_beyond(beyond)]


def _gone(lines: list[str]) -> Iterable[Obstacle]:
    if lines:
        yield Obstacle(
            code=ACCEPT_LOSS,
            message=f"Kafka no longer has records that would be read again ({_some(lines)})",
            hint="Choose a later batch: records that are gone would be missing from the result.",
            exit_code=ExitCode.OUTSIDE_RETENTION,
        )


def _beyond(lines: list[str]) -> Iterable[Obstacle]:
    if lines:
        yield Obstacle(
            code=ACCEPT_NEW_TOPIC,
            message=f"the topic was made anew or cut: {_some(lines)}",
            hint="The offsets in the checkpoint mean other records now; `streamctl checkpoint "
            "rotate --from earliest` begins anew.",
            exit_code=ExitCode.TOPIC_MADE_ANEW,
        )


def _some(lines: list[str]) -> str:
    more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return ", ".join(lines[:_SHOWN]) + more


def same_topics(began_with: Mapping[str, str], kafka: Kafka | None) -> list[Obstacle]:
    """A topic that was deleted and made anew since a generation began."""
    found = []
    for topic, then in began_with.items() if kafka else ():
        now = kafka.topic_id(topic) if kafka else None
        if then and now and now != then:
            found.append(f'topic "{topic}" is not the one that the generation began with')
    return list(_beyond(found))


def space(place: str, needed_bytes: int) -> list[Obstacle]:
    """Too little room for what is built: names of links, and the files that are written."""
    free = shutil.disk_usage(place).free
    if free >= needed_bytes + MIN_FREE_BYTES:
        return []
    return [
        Obstacle(
            code=ACCEPT_LITTLE_SPACE,
            message=f'"{place}" has {free} bytes free, and {needed_bytes + MIN_FREE_BYTES} '
            "are wanted",
            hint="`streamctl checkpoint prune` frees what the trash holds.",
            exit_code=ExitCode.NO_SPACE,
        )
    ]


def protected(context: str) -> list[Obstacle]:
    """The context that settings come from says that nothing may be changed casually."""
    return [
        Obstacle(
            code=ACCEPT_PROTECTED,
            message=f"{context or 'this project'} is protected",
            hint="`checkpoint.protected` is set there.",
            exit_code=ExitCode.PROTECTED,
        )
    ]


def sink_known(*, known: bool) -> list[Obstacle]:
    """A file sink that is left alone would skip the next batches without a word."""
    if known:
        return []
    return [
        Obstacle(
            code=NO_FILE_SINK,
            message="it is not known whether a file sink writes the output",
            hint="It skips every batch id that its log holds. Give its directory with --sink.",
            exit_code=ExitCode.WOULD_NOT_START,
        )
    ]


def sink_is_new(sink: str) -> list[Obstacle]:
    """Where a query begins anew, its file sink's directory must be new as well."""
    if not sink:
        return sink_known(known=False)
    place = f"{sink}/{layout.SINK_LOG}"
    if not os.path.isdir(place) or not os.listdir(place):  # noqa: PTH112, PTH208
        return []
    return [
        Obstacle(
            code=NO_FILE_SINK,
            message=f'the output "{sink}" already has a log of batches',
            hint="The sink would skip those. Give the query another output directory.",
            exit_code=ExitCode.NOT_EMPTY,
            overridable=False,
        )
    ]
