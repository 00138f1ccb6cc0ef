"""The seam to a Kafka cluster: everything that streamctl asks a broker goes through `Broker`.

Every call has a short timeout and ends in one of the errors of `streamctl.errors`, whose message
names the servers and the reason. The client library's own log goes to the logger
`streamctl.kafka`, never straight to stderr.
"""

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from streamctl.errors import BrokerUnreachable, SettingsInvalid, StreamctlError, TopicNotFound
from streamctl.kafka.codes import LEADERSHIP, UNKNOWN, UNREACHABLE
from streamctl.kafka.model import Record, TopicReport
from streamctl.kafka.options import to_librdkafka
from streamctl.settings.secrets import resolve

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Producer
    from confluent_kafka.admin import AdminClient

    from streamctl.settings.model import KafkaSettings

LOGGER = logging.getLogger("streamctl.kafka")
LOGGER.addHandler(logging.NullHandler())
_LOG_START, _LOG_END = -2, -1
"""Times with a meaning of their own, see `ListOffsetsRequest` of Kafka."""
_BACKOFF_MS = 20
"""The first connection of all may have to wait for half of it, see librdkafka's
`rd_kafka_connect_any`; its own default is 100."""
_PARTITIONS_PER_REQUEST = 300
"""The client looks each answer up in the list of what was asked: long lists take much longer."""


class Broker:
    """A Kafka cluster.

    Args:
        servers: `host:port`, several separated by commas.
        options: Spark's `kafka.*` options or librdkafka's, see `kafka/options.py`.
        timeout_seconds: for each call.
    """

    def __init__(
        self,
        servers: str,
        *,
        options: Mapping[str, str] | None = None,
        timeout_seconds: float = 5.0,
    ) -> None:
        self.servers = servers
        self.timeout_seconds = timeout_seconds
        self._config: dict[str, Any] = {
            "client.id": "streamctl",
            "socket.connection.setup.timeout.ms": max(1000, int(timeout_seconds * 1000)),
            "reconnect.backoff.ms": _BACKOFF_MS,
            "reconnect.backoff.max.ms": 1000,
            **to_librdkafka(options or {}),
            "bootstrap.servers": servers,
        }
        self._last_error = ""
        self._admin_client: AdminClient | None = None
        self._offsets_client: Consumer | None = None

    @classmethod
    def of(cls, kafka: "KafkaSettings", *, timeout_seconds: float | None = None) -> Self:
        """The cluster that settings name, with their secrets resolved.

        Args:
            kafka: the section of the settings.
            timeout_seconds: for each call; None for the setting.

        Raises:
            SettingsInvalid: a secret cannot be resolved.
        """
        return cls(
            kafka.bootstrap_servers,
            options={name: resolve(value) for name, value in kafka.options.items()},
            timeout_seconds=kafka.timeout_seconds if timeout_seconds is None else timeout_seconds,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._admin_client = None
        if self._offsets_client is not None:
            self._offsets_client.close()
            self._offsets_client = None

    def ping(self) -> int:
        """Ask the cluster who is in it; return the number of brokers.

        Raises:
            BrokerUnreachable: no answer within the timeout.
        """
        future = self.admin().describe_cluster(request_timeout=self.timeout_seconds)
        return len(self.result(future).nodes)

    def topic(self, name: str) -> TopicReport:
        """Describe a topic.

        Raises:
            TopicNotFound: the cluster answers, and has none of that name.
            BrokerUnreachable: no answer within the timeout.
        """
        from confluent_kafka import TopicCollection

        futures = self.admin().describe_topics(
            TopicCollection([name]), request_timeout=self.timeout_seconds
        )
        return _as_report(self.result(futures[name], topic=name))

    def topics(self) -> tuple[TopicReport, ...]:
        """Describe all topics but Kafka's own, sorted by name.

        Raises:
            BrokerUnreachable: no answer within the timeout.
        """
        from confluent_kafka import TopicCollection

        with self._translated(""):
            names = self.admin().list_topics(timeout=self.timeout_seconds).topics
        wanted = sorted(name for name in names if not name.startswith("__"))
        if not wanted:
            return ()
        futures = self.admin().describe_topics(
            TopicCollection(wanted), request_timeout=self.timeout_seconds
        )
        return tuple(_as_report(self.result(futures[name], topic=name)) for name in wanted)

    def watermarks(self, topic: str) -> dict[int, tuple[int, int]]:
        """Return partition -> (log start offset, log end offset).

        The end is the offset that the next record will get.

        Raises: as `topic`.
        """
        low, high = self._offsets(topic, _LOG_START, _LOG_END)
        return {p: (low[p], high[p]) for p in low}

    def offsets_for_time(self, topic: str, moment: datetime) -> dict[int, int | None]:
        """Return partition -> offset of the first record at or after a moment, or None.

        Raises: as `topic`.
        """
        (found,) = self._offsets(topic, int(moment.astimezone(UTC).timestamp() * 1000))
        return {p: offset if offset >= 0 else None for p, offset in found.items()}

    def create_topic(
        self,
        name: str,
        *,
        partitions: int = 1,
        replication: int = 1,
        config: Mapping[str, str] | None = None,
    ) -> bool:
        """Create a topic; return False if it was there already, with whatever partitions.

        Raises:
            StreamctlError: the cluster refused, with its reason.
            BrokerUnreachable: no answer within the timeout.
        """
        from confluent_kafka.admin import NewTopic

        wanted = NewTopic(name, partitions, replication, config=dict(config or {}))
        futures = self.admin().create_topics([wanted], request_timeout=self.timeout_seconds)
        try:
            self.result(futures[name], topic=name)
        except _AlreadyThere:
            return False
        self._wait_until(lambda: not self.topic(name).leaderless, topic=name)
        return True

    def delete_topic(self, name: str) -> None:
        """Delete a topic and wait until the cluster no longer names it.

        Raises: as `topic`.
        """
        futures = self.admin().delete_topics([name], request_timeout=self.timeout_seconds)
        self.result(futures[name], topic=name)
        self._wait_until(lambda: self._is_gone(name), topic=name)

    def delete_records(self, topic: str, before: Mapping[int, int]) -> dict[int, int]:
        """Delete all records before an offset, as retention does; return the new log start offsets.

        Args:
            topic: where.
            before: partition -> first offset to keep; -1 keeps none.

        Raises: as `topic`.
        """
        from confluent_kafka import TopicPartition

        wanted = [TopicPartition(topic, p, offset) for p, offset in before.items()]
        futures = self.admin().delete_records(wanted, request_timeout=self.timeout_seconds)
        return {
            partition.partition: self.result(future, topic=topic).low_watermark
            for partition, future in futures.items()
        }

    def read(
        self, topic: str, partition: int, start: int, end: int, *, isolation: str = ""
    ) -> Iterator[Record]:
        """Read the records of `[start, end)` in order; offsets without a record are passed over.

        Args:
            topic: where.
            partition: of it.
            start: first offset.
            end: the offset after the last.
            isolation: `read_committed` or `read_uncommitted`; empty for what the connection's
                options say.

        Raises:
            TopicNotFound: no such topic or partition.
            BrokerUnreachable: no record for the time of the timeout.
            StreamctlError: `start` is no longer, or not yet, in the log.
        """
        from streamctl.kafka.records import read

        return read(self, topic, partition, start, end, isolation=isolation)

    def consumer(self, config: Mapping[str, Any] | None = None) -> "Consumer":
        """Build a consumer that commits nothing and fails where an offset is not there.

        It reads what Spark reads with the same options: its client is Kafka's own, which by default
        reads aborted and open transactions too (`ConsumerConfig`); librdkafka by default does not.

        Args:
            config: librdkafka's names, over those of the connection.

        Raises:
            SettingsInvalid: an unknown name or a value out of range.
        """
        from confluent_kafka import Consumer, KafkaException

        base = {
            "group.id": "streamctl-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
        }
        try:
            given = {**self._callbacks(), **base, **(config or {})}
            return Consumer({"isolation.level": "read_uncommitted", **given}, logger=LOGGER)
        except KafkaException as error:
            raise SettingsInvalid(f"the Kafka client says: {error.args[0].str()}") from error

    def producer(self, config: Mapping[str, Any]) -> "Producer":
        """Build a producer for this cluster.

        Args:
            config: librdkafka's names, over those of the connection.

        Raises:
            SettingsInvalid: an unknown name or a value out of range.
        """
        from confluent_kafka import KafkaException, Producer

        try:
            return Producer({**self._callbacks(), **config}, logger=LOGGER)
        except KafkaException as error:
            raise SettingsInvalid(f"the Kafka client says: {error.args[0].str()}") from error

    def admin(self) -> "AdminClient":
        """The admin client, made on first use. Give its futures to `result`."""
        if self._admin_client is None:
            from confluent_kafka import KafkaException
            from confluent_kafka.admin import AdminClient

            try:
                self._admin_client = AdminClient(self._callbacks(), logger=LOGGER)
            except KafkaException as error:
                raise SettingsInvalid(f"the Kafka client says: {error.args[0].str()}") from error
        return self._admin_client

    def _callbacks(self) -> dict[str, Any]:
        return {**self._config, "error_cb": self._remember}

    def _remember(self, error: "KafkaError") -> None:
        if error.name() != "_ALL_BROKERS_DOWN":  # it tells that, not why
            reason = re.sub(r"^\S+/\w+: ", "", error.str())
            self._last_error = re.sub(r" \(after \d+ms in state .*\)$", "", reason)

    def _offsets(self, topic: str, *times: int) -> list[dict[int, int]]:
        """Partition -> offset at a time in ms since 1970, or at an end of the log; a dict a time.

        While the leadership of a partition changes it is asked again, with fresh metadata.
        """
        deadline = time.monotonic() + self.timeout_seconds
        while True:
            try:
                with self._translated(topic):
                    partitions = self._partitions(topic)
                    return [self._offsets_at(at, topic, partitions) for at in times]
            except TryAgain:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def _partitions(self, topic: str) -> list[int]:
        found = self._asking().list_topics(topic, timeout=self.timeout_seconds).topics[topic]
        for told in (found, *found.partitions.values()):
            if told.error is not None:
                raise self.translate(told.error, topic)
        return sorted(found.partitions)

    def _offsets_at(self, at: int, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        from confluent_kafka import TopicPartition

        offsets: dict[int, int] = {}
        for first in range(0, len(partitions), _PARTITIONS_PER_REQUEST):
            some = partitions[first : first + _PARTITIONS_PER_REQUEST]
            asked = [TopicPartition(topic, partition, at) for partition in some]
            for told in self._asking().offsets_for_times(asked, timeout=self.timeout_seconds):
                if told.error is not None:
                    raise self.translate(told.error, topic)
                offsets[told.partition] = told.offset
        return offsets

    def _asking(self) -> "Consumer":
        """A consumer that reads nothing: it asks for offsets faster than an admin client.

        To one that reads what is committed, a log ends before an open transaction.
        """
        if self._offsets_client is None:
            self._offsets_client = self.consumer({"isolation.level": "read_uncommitted"})
        return self._offsets_client

    def result(self, future: Any, *, topic: str = "") -> Any:
        """Wait for an answer, and turn the client's error into ours."""
        try:
            with self._translated(topic):
                return future.result(timeout=self.timeout_seconds + 1)
        except TimeoutError:
            raise self.unreachable("timed out") from None

    @contextmanager
    def _translated(self, topic: str) -> Iterator[None]:
        from confluent_kafka import KafkaException

        try:
            yield
        except KafkaException as error:
            raise self.translate(error.args[0], topic) from None

    def translate(self, error: "KafkaError", topic: str) -> StreamctlError:
        """Turn the client's error into ours."""
        name = error.name()
        if name in UNKNOWN:
            return TopicNotFound(
                f'no topic "{topic}" at {self.servers}',
                hint="Create it, or look for a typing error.",
            )
        if name == "TOPIC_ALREADY_EXISTS":
            return _AlreadyThere(f'topic "{topic}" exists')
        if name in UNREACHABLE:
            return self.unreachable(error.str())
        kind = TryAgain if error.retriable() or name in LEADERSHIP else StreamctlError
        about = f' about topic "{topic}"' if topic else ""
        return kind(f"Kafka at {self.servers} says{about}: {error.str()} ({name})")

    def unreachable(self, reason: str) -> BrokerUnreachable:
        """Name the broker and what its connections said; `reason` when they said nothing."""
        for client in (self._admin_client, self._offsets_client):
            if client is not None:
                client.poll(0)  # hands over the errors that were not told yet
        why = (self._last_error or reason).rstrip(".")
        return BrokerUnreachable(
            f"no answer from Kafka at {self.servers} within {self.timeout_seconds:g} s: {why}",
            hint="Check the address and that the broker runs; `streamctl sandbox up` starts one.",
        )

    def _is_gone(self, topic: str) -> bool:
        with suppress(TopicNotFound):
            self.topic(topic)
            return False
        return True

    def _wait_until(self, holds: Callable[[], bool], *, topic: str) -> None:
        deadline = time.monotonic() + self.timeout_seconds
        while True:
            with suppress(TopicNotFound):
                if holds():
                    return
            if time.monotonic() > deadline:
                raise self.unreachable(f'the change of topic "{topic}" did not show')
            time.sleep(0.02)


class TryAgain(StreamctlError):
    """The same question may be answered a moment later."""


class _AlreadyThere(StreamctlError):
    """The cluster has a topic of that name."""


def _as_report(found: Any) -> TopicReport:
    return TopicReport(
        name=found.name,
        topic_id=_as_kafka_writes(found.topic_id),
        partitions=len(found.partitions),
        leaderless=tuple(p.id for p in found.partitions if p.leader is None),
    )


def _as_kafka_writes(topic_id: Any) -> str | None:
    """Return the id in the alphabet of Kafka's own tools, which is that for URLs."""
    return None if topic_id is None else str(topic_id).translate(str.maketrans("+/", "-_"))
