"""From a request to a plan: what Kafka has, what was begun before, how long it will take."""

from collections import Counter

from streamctl.checkpoint.formats import log
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import NotFound
from streamctl.kafka.client import Broker
from streamctl.reports import Verdict
from streamctl.reprocess import plan as planning
from streamctl.reprocess import run
from streamctl.reprocess.places import Places
from streamctl.reprocess.plan import Plan, Rate
from streamctl.reprocess.request import Offsets, Point, Range, Request, parse_offsets, resolve
from streamctl.settings.model import Settings

_SAMPLED_RECORDS = 50


def plan_reprocess(
    places: Places,
    settings: Settings,
    broker: Broker,
    request: Request,
    *,
    start: Point,
    end: Point,
    again: bool,
    allow_gone: bool,
    batch_records: int,
    max_rate: int | None,
) -> Plan:
    """Plan a request, or the rest of one that was begun.

    Args:
        places: of the live job.
        settings: of the live job.
        broker: of its topics.
        request: as it was typed.
        start: from where.
        end: to where.
        again: begin anew even if the same was begun or done before.
        allow_gone: go on where records of the range are no longer in Kafka.
        batch_records: the largest micro-batch.
        max_rate: records a second; None for as fast as it can.

    Raises:
        Refused: part of the range is gone, or it is empty.
        StreamctlError: of Kafka or of the store.
    """
    begun = None if again else run.find(places, request.as_text())
    if begun:
        ranges = _ranges(parse_offsets(begun.starting_offsets), parse_offsets(begun.ending_offsets))
    else:
        ranges = resolve(broker, settings.kafka.topics, start=start, end=end)
        planning.require_whole(ranges, allow_gone=allow_gone)
    records = sum(part.records for part in ranges)
    name = begun.name if begun else generations.next_name(places.store)
    chosen = planning.pace(max_rate, batch_records=batch_records)
    seconds, based_on = planning.expected_seconds(
        records, _measured_rate(places), max_rate=max_rate
    )
    return Plan(
        verdict=Verdict.OK,
        generation=name,
        resumes=begun is not None,
        request=request,
        ranges=ranges,
        bounded=end.word != "now",
        records=records,
        gone=planning.gone_in(ranges),
        estimated_bytes=_estimate_bytes(broker, ranges),
        expected_seconds=seconds,
        expected_from=based_on,
        output=generations.base(request.output_location or settings.output.location, name),
        max_offsets_per_trigger=chosen.max_offsets_per_trigger,
        trigger=chosen.trigger,
        touches=_touches(settings, request),
    )


def batch_start(places: Places, batch_id: int, *, query: str = "") -> Offsets:
    """Where a batch of the live job began to read: the end of the batch before.

    Raises:
        NotFound: the log no longer holds it.
    """
    current = generations.current(places.store)
    if current is None:
        raise NotFound("the job was never started: it has no batches")
    names = [query] if query else generations.queries(places.store, current.name)
    checkpoint = Checkpoint.open(f"{places.store.url.rstrip('/')}/{current.name}/{names[0]}")
    if batch_id == 0:
        return parse_offsets(current.starting_offsets)
    try:
        entry = checkpoint.offsets(batch_id - 1)
    except FileNotFoundError:
        planned = checkpoint.log_ids().planned
        there = f"{planned[0] + 1} to {planned[-1] + 1}" if planned else "none"
        raise NotFound(
            f"the log of {names[0]} no longer tells where batch {batch_id} began",
            hint=f"It tells that of batches {there}.",
        ) from None
    found: Offsets = {}
    for source in entry.sources:
        found |= log.source_position(source, name=f"offsets/{batch_id - 1}").kafka or {}
    return found


def _ranges(starts: Offsets, ends: Offsets) -> list[Range]:
    return [
        Range(topic=topic, partition=partition, start=start, end=ends[topic][partition])
        for topic, partitions in sorted(starts.items())
        for partition, start in sorted(partitions.items())
    ]


def _measured_rate(places: Places) -> Rate | None:
    """Of the newest reprocessing; else of the live job's batches, which are smaller."""
    for generation in reversed(places.all()):
        kept = places.receipt(generation.name)
        if kept and kept["records_per_second"]:
            return Rate(
                records_per_second=kept["records_per_second"],
                measured=f"the reprocessing in generation {generation.name}",
            )
    rates = _live_rates(places)
    if not rates:
        return None
    return Rate(
        records_per_second=min(rates),
        measured="the live job's batches; larger ones are faster",
    )


def _live_rates(places: Places) -> list[float]:
    """Of each query: records over the time of the batches that had any."""
    rows: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for line in places.live.progress():
        if line["kind"] == "progress" and line["input_rows"]:
            rows[line["query"]] += line["input_rows"]
            seconds[line["query"]] += line["duration_ms"].get("triggerExecution", 0) / 1000
    return [rows[query] / spent for query, spent in seconds.items() if spent]


def _estimate_bytes(broker: Broker, ranges: list[Range]) -> int | None:
    """Mean size of some records at the beginning, times the number of records."""
    part = max(ranges, key=lambda found: found.records)
    end = min(part.end, part.start + _SAMPLED_RECORDS)
    sizes = [
        len(record.value or b"") + len(record.key or b"")
        for record in broker.read(part.topic, part.partition, part.start, end)
    ]
    if not sizes:
        return None
    return sum(found.records for found in ranges) * sum(sizes) // len(sizes)


def _touches(settings: Settings, request: Request) -> list[str]:
    told = ["a new generation of checkpoint and output; the live ones stay as they are"]
    if request.send:
        told.append(f'topic "{settings.kafka.dead_letters}": dead letters are sent once more')
    else:
        told.append("no topic: what queries send to topics goes to files of the new output")
    told.append("functions of the job's own (foreachBatch) are called again for all of it")
    return told
