"""What a checkpoint holds and what code demands, as plain values, and the items of an answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from streamctl.checkpoint.tree.schemas import Rows


class Acceptance(StrEnum):
    """Whether Spark takes one thing as it is now.

    Risky: Spark starts, and what it then does may not be what is wanted.
    """

    ALLOWED = "allowed"
    RISKY = "risky"
    IMPOSSIBLE = "impossible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that was compared.

    Attributes:
        name: what it is: sources, topics, operator 0, setting spark.sql.shuffle.partitions.
        detail: what was seen on both sides, one line.
        condition: Spark's error condition or message where it refuses; else empty.
        hint: what to do, with its command; empty when allowed.
    """

    name: str
    acceptance: Acceptance
    detail: str
    condition: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source in plan order.

    Attributes:
        kind: "kafka", "file", "rate", "other", or "none" when it had no offset.
        topics: of Kafka; None when they are not known.
    """

    kind: str
    topics: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatefulOperator:
    """One stateful operator.

    Attributes:
        name: Spark's short name; None before Spark 4.0, which wrote none.
        stores: store, or store and column family, to its rows; None when they cannot be read.
        properties: of `transformWithState`; empty for others.
    """

    operator_id: int
    name: str | None
    stores: Mapping[str, Rows] | None
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a checkpoint holds.

    Attributes:
        batches: whether a batch was planned: before, everything is allowed.
        sources: as the newest offsets entry has them.
        conf: pinned settings.
        operators: by id.
        window_ms: lengths of the windows seen in the state; None when it was not looked at.
        format_version: `checkpointFormatVersion` that wrote the state; None without.
    """

    batches: bool
    sources: tuple[Source, ...]
    conf: Mapping[str, str]
    operators: tuple[StatefulOperator, ...]
    window_ms: frozenset[int] | None = None
    format_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demanded:
    """What code and settings demand, as Spark itself plans them.

    Attributes:
        spark_version: that plans.
        sources: in plan order.
        conf: the session's value of each pinned setting; None where Spark knows no such setting.
        operators: by id.
        window_ms: lengths of the windows that the plan makes; None when the plan is not understood.
        format_version: `checkpointFormatVersion` of the session.
        fail_on_data_loss: of the Kafka source.
    """

    spark_version: str
    sources: tuple[Source, ...]
    conf: Mapping[str, str | None]
    operators: tuple[StatefulOperator, ...]
    window_ms: frozenset[int] | None
    format_version: int
    fail_on_data_loss: bool
