"""What a job is: a name, and a function from Kafka records to streaming queries.

A job of one's own is a class with `name` and `queries`; `streamctl start --job module:Class`
runs it. Session, source, checkpoints, triggers, listener, stop and failures are the runner's.

    class OrdersJob(Job):
        name = "orders"
        schema = "order_id STRING NOT NULL, placed_at TIMESTAMP NOT NULL, amount DOUBLE NOT NULL"
        rules = (Rule(reason="out_of_range:amount", broken="amount <= 0"),)

        def queries(self, records, context):
            judged = judge(records, self.schema, self.rules)
            return [
                Query(name="orders", frame=valid(judged), sink=Parquet()),
                dead_letters(self, judged, context),
            ]
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pyspark.sql import DataFrame

from streamctl.settings.model import StreamSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule of data quality.

    Attributes:
        reason: what a record that breaks it is called, such as `out_of_range:amount`.
        broken: SQL predicate over the schema's fields and the record's `topic`, `partition`,
            `offset` and `timestamp`; a rule whose fields are null is not broken.
    """

    reason: str
    broken: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parquet:
    """Files under the generation's output, exactly once through Spark's own log of files."""

    partition_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kafka:
    """A topic, at least once. The frame has `value` and may have `key` and `headers`."""

    topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeachBatch:
    """A function of each batch and its id; make its effects idempotent by batch id."""

    function: Callable[[DataFrame, int], None]


Sink = Parquet | Kafka | ForeachBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How a query's rows tell of how many records they were made.

    Attributes:
        output: SQL for the number of records of one row of the output, such as `records`, or `1`
            where each record makes one row.
        state: likewise for a row of the first operator's state, over `key` and `value`; a name that
            `value` has again is `name_2` there. Empty for a query without state.
        state_key: SQL for what `Query.key` names, over the state's `key`.
    """

    output: str
    state: str = ""
    state_key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One streaming query; checkpoint and output are kept under its name.

    Attributes:
        name: letters, digits, `_` and `-`; unique within the job and never changed later.
        frame: streaming; may hold `observe`d metrics, which go to the progress file.
        trigger: `N seconds`, `N minutes` or `once`; None takes the setting.
        lateness: name of the observation made by `lateness.observe_windows`, if there is one.
        key: columns of the output that tell one row from all others; empty for the whole row.
        time: column of the output by which a range of it is told; empty for none.
        counted: lets `streamctl audit` find every record again; None when rows do not tell.
    """

    name: str
    frame: DataFrame
    sink: Sink
    output_mode: Literal["append", "update", "complete"] = "append"
    trigger: str | None = None
    lateness: str | None = None
    key: tuple[str, ...] = ()
    time: str = ""
    counted: Counted | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a job may know of its run.

    Attributes:
        stream: window, watermark and trigger as set.
        options: the job's own, its defaults overridden by the settings.
        dead_letter_topic: where rejected records go.
        run_id: one `start`.
    """

    stream: StreamSettings
    dead_letter_topic: str
    run_id: str
    options: Mapping[str, str] = field(default_factory=dict)


class Job(ABC):
    """A job. It is made without arguments, once in each run.

    Attributes:
        name: shown to the operator.
        schema: DDL of a record's JSON; `NOT NULL` marks what must be there. Empty when the
            job parses by itself.
        rules: of data quality.
        options: names of the job's own options, each with its default.
    """

    name: ClassVar[str]
    schema: ClassVar[str] = ""
    rules: ClassVar[tuple[Rule, ...]] = ()
    options: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def queries(self, records: DataFrame, context: Context) -> list[Query]:
        """Build the queries, and do nothing else: a standby also builds them for its rehearsal.

        Args:
            records: streaming; `key` and `value` (binary), `headers` (array of key and binary
                value, null when there are none), `topic`, `partition`, `offset`, `timestamp`.
            context: of the run.
        """
