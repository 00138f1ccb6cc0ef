"""Kafka in memory, as far as dead letters need it: partitions, transactions, fencing, kills."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

from streamctl.kafka.model import Record
from streamctl.resilience.dead_letter import Origin, headers_of

DLQ = "t.dlq"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_MS = round(NOON.timestamp() * 1000)


class Killed(BaseException):
    """The process is gone: nothing after it runs."""


class Cluster:
    """Args: step: called before each change, to be killed at one of them."""

    timeout_seconds = 1.0

    def __init__(self) -> None:
        self.logs: dict[tuple[str, int], list[Record | None]] = defaultdict(list)
        self.lows: dict[tuple[str, int], int] = defaultdict(int)
        self.aborted: set[tuple[str, int, int]] = set()
        self.open: dict[str, list[tuple[str, int, int]]] = {}
        self.step: Callable[[str], None] = lambda _: None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def add(self, topic, partition, *, at_ms=NOON_MS, key=b"d1", value=b"{}", headers=()):
        log = self.logs[topic, partition]
        log.append(
            Record(
                topic=topic,
                partition=partition,
                offset=len(log),
                timestamp_ms=at_ms,
                key=key,
                value=value,
                headers=tuple(headers),
            )
        )
        return len(log) - 1

    def letter(
        self, offset, *, topic="t", partition=0, reasons=("bad",), headers=(), run="r1", **more
    ):
        origin = Origin(
            topic=topic,
            partition=partition,
            offset=offset,
            timestamp_ms=NOON_MS - 1000,
            reasons=reasons,
            job="telemetry",
            run=run,
        )
        return self.add(DLQ, partition, headers=(*headers, *headers_of(origin)), **more)

    def watermarks(self, topic):
        return {p: (self.lows[t, p], len(log)) for (t, p), log in self.logs.items() if t == topic}

    def offsets_for_time(self, topic, moment):
        ms = moment.timestamp() * 1000
        found = {}
        for partition in self.watermarks(topic):
            log = self.logs[topic, partition][self.lows[topic, partition] :]
            later = (r.offset for r in log if r is not None and r.timestamp_ms >= ms)
            found[partition] = next(later, None)
        return found

    def read(self, topic, partition, start, end, *, isolation=""):
        assert start >= self.lows[topic, partition]
        for record in self.logs[topic, partition][start:end]:
            hidden = record and (topic, partition, record.offset) in self.aborted
            if record is not None and not (hidden and isolation == "read_committed"):
                yield record

    def delete_records(self, topic, before):
        for partition, offset in before.items():
            self.lows[topic, partition] = offset
        return dict(before)

    def producer(self, config):
        return Producer(self, config["transactional.id"])

    def end(self, name: str, *, commit: bool) -> None:
        places = self.open.pop(name, [])
        if not commit:
            self.aborted.update(places)
        for topic, partition in {place[:2] for place in places}:
            self.logs[topic, partition].append(None)  # the marker


class Producer:
    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster, self.name = cluster, name

    def init_transactions(self, _timeout):
        self.cluster.end(self.name, commit=False)

    def begin_transaction(self):
        self.cluster.step("begin")
        self.cluster.open[self.name] = []

    def produce(self, topic, *, partition=0, key, value, headers):
        self.cluster.step("produce")
        offset = self.cluster.add(topic, partition, key=key, value=value, headers=headers)
        self.cluster.open[self.name].append((topic, partition, offset))

    def commit_transaction(self, _timeout):
        self.cluster.step("commit")
        self.cluster.end(self.name, commit=True)
