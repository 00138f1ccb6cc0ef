"""Will a checkpoint accept this code and these settings? Pure: a function of both sides.

The rules are Spark's: "Recovery Semantics after Changes in a Streaming Query" in its guide,
`OffsetSeq.toStreamProgress` (sources), `OffsetSeqMetadata.setSessionConf` (settings),
`IncrementalExecution.checkOperatorValidWithMetadata` (operators) and
`StateSchemaCompatibilityChecker` (schemas). A column that keeps its type and name and changes its
meaning, such as a sum over something else or another filter before it, is in no file: nothing
here can tell. Commands in the hints are fields, which who knows the checkpoint's place fills.
"""

from collections.abc import Iterator, Mapping

from streamctl.checkpoint.compat.model import (
    Acceptance,
    Demanded,
    Held,
    Item,
    Source,
    StatefulOperator,
)
from streamctl.checkpoint.compat.schema import fits, names, window_column
from streamctl.checkpoint.formats.types import describe

_ROTATE = "Take the change back, or begin with empty state: `{rotate}`."
_ENCODING = "spark.sql.streaming.stateStore.encodingFormat"
_PARTITIONS = "spark.sql.shuffle.partitions"
_FIXED_PROPERTIES = ("timeMode", "outputMode")


def compare(held: Held, demanded: Demanded) -> tuple[Item, ...]:
    """Judge each thing that Spark carries over from a checkpoint.

    Args:
        held: what the checkpoint holds.
        demanded: what the code and the settings demand.

    Returns:
        Items in the order in which Spark looks at them.
    """
    if not held.batches:
        detail = "nothing is planned yet: the first start takes any code"
        return (Item(name="checkpoint", acceptance=Acceptance.ALLOWED, detail=detail),)
    items = [_spark(held, demanded)]
    items += _sources(held.sources, demanded)
    items += _settings(held, demanded)
    items += _operators(held, demanded)
    items += _windows(held, demanded)
    return tuple(items)


def _spark(held: Held, demanded: Demanded) -> Item:
    """A pinned setting that this Spark does not know was pinned by a newer one."""
    newer = sorted(name for name in held.conf if demanded.conf.get(name) is None)
    if newer:
        return Item(
            name="Spark version",
            acceptance=Acceptance.RISKY,
            detail=f"Spark {demanded.spark_version} does not know {newer[0]}, which is pinned",
            hint="A newer Spark wrote this: install it, or try a copy made with `{restore}`.",
        )
    detail = f"Spark {demanded.spark_version} knows all that is pinned"
    return Item(name="Spark version", acceptance=Acceptance.ALLOWED, detail=detail)


def _sources(held: tuple[Source, ...], demanded: Demanded) -> Iterator[Item]:
    new = demanded.sources
    if len(held) != len(new):
        yield Item(
            name="sources",
            acceptance=Acceptance.IMPOSSIBLE,
            detail=f"{len(held)} in the checkpoint, {len(new)} in the code",
            condition=f"There are [{len(held)}] sources in the checkpoint offsets and now there "
            f"are [{len(new)}] sources requested by the query",
            hint=_ROTATE,
        )
        return
    for number, (old, now) in enumerate(zip(held, new, strict=True)):
        yield _source(number, old, now)
        if old.topics is not None and now.topics is not None:
            yield from _topics(old.topics, now.topics, fails=demanded.fail_on_data_loss)


def _source(number: int, old: Source, now: Source) -> Item:
    name = f"source {number}"
    if old.kind == "none":
        detail = "it had nothing to read yet, so that its kind is not known"
        hint = "Compare the order of the sources with that of the code that ran."
        return Item(name=name, acceptance=Acceptance.UNKNOWN, detail=detail, hint=hint)
    if old.kind == now.kind:
        return Item(name=name, acceptance=Acceptance.ALLOWED, detail=f"{now.kind}, as before")
    return Item(
        name=name,
        acceptance=Acceptance.IMPOSSIBLE,
        detail=f"{old.kind} in the checkpoint, {now.kind} in the code",
        condition="offsets of another source cannot be parsed",
        hint=_ROTATE,
    )


def _topics(old: frozenset[str], now: frozenset[str], *, fails: bool) -> Iterator[Item]:
    """Source: `KafkaMicroBatchStream.planInputPartitions` and `reportDataLoss`."""
    gone, new = sorted(old - now), sorted(now - old)
    if gone:
        yield Item(
            name="topics",
            acceptance=Acceptance.IMPOSSIBLE if fails else Acceptance.RISKY,
            detail=f"{', '.join(gone)} is no longer read: its position is forgotten",
            condition="Some data may have been lost because they are not available in Kafka"
            if fails
            else "",
            hint="Subscribe to it again, or begin anew where it ends: "
            "`{rotate}`."
            + (" `kafka.fail_on_data_loss=false` starts all the same." if fails else ""),
        )
    if new:
        yield Item(
            name="topics",
            acceptance=Acceptance.RISKY,
            detail=f"{', '.join(new)} is new, and will be read from its earliest record",
            hint="If that is too much, begin anew: `{rotate}`.",
        )
    if not gone and not new:
        detail = f"{', '.join(sorted(now))}, as before"
        yield Item(name="topics", acceptance=Acceptance.ALLOWED, detail=detail)


def _settings(held: Held, demanded: Demanded) -> Iterator[Item]:
    """Pinned settings win over the session's, with a line in Spark's log."""
    for name, pinned in sorted(held.conf.items()):
        now = demanded.conf.get(name)
        if now is not None and now != pinned and (name != _PARTITIONS or held.operators):
            yield Item(
                name=f"setting {name}",
                acceptance=Acceptance.ALLOWED,
                detail=f"{pinned} is pinned and stays; {now} has no effect",
                hint="To change it, begin with empty state: `{rotate}`.",
            )
    if held.format_version not in {None, demanded.format_version}:
        yield Item(
            name="state format",
            acceptance=Acceptance.IMPOSSIBLE,
            detail=f"{held.format_version} in the checkpoint, {demanded.format_version} set",
            condition="CANNOT_LOAD_STATE_STORE.UNCATEGORIZED",
            hint="Leave out `spark.sql.streaming.stateStore.checkpointFormatVersion`: "
            "`streamctl start` sets what the checkpoint needs.",
        )


def _operators(held: Held, demanded: Demanded) -> Iterator[Item]:
    old = {operator.operator_id: operator for operator in held.operators}
    new = {operator.operator_id: operator for operator in demanded.operators}
    for number in sorted(old.keys() | new.keys()):
        if number not in new:
            yield _refused(number, f"{old[number].name or 'an operator'} is not in the code")
        elif number not in old:
            yield _refused(number, f"{new[number].name} is not in the checkpoint")
        else:
            yield from _operator(old[number], new[number], avro=held.conf.get(_ENCODING) == "avro")


def _listed(stores: Mapping[str, object]) -> str:
    return ", ".join(sorted(stores))


def _refused(
    number: int,
    detail: str,
    *,
    condition: str = "STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA",
) -> Item:
    return Item(
        name=f"operator {number}",
        acceptance=Acceptance.IMPOSSIBLE,
        detail=detail,
        condition=condition,
        hint=_ROTATE,
    )


def _operator(old: StatefulOperator, new: StatefulOperator, *, avro: bool) -> Iterator[Item]:
    if old.name is not None and old.name != new.name:
        yield _refused(old.operator_id, f"{old.name} in the checkpoint, {new.name} in the code")
        return
    if old.name is None and old.stores and new.stores and not old.stores.keys() & new.stores.keys():
        # Before Spark 4.0 no name was written; a join's stores are not an aggregation's.
        detail = f"it kept {_listed(old.stores)}, {new.name} keeps {_listed(new.stores)}"
        yield _refused(old.operator_id, detail, condition="CANNOT_LOAD_STATE_STORE")
        return
    name = f"operator {old.operator_id}"
    if old.stores is None or new.stores is None:
        yield Item(
            name=name,
            acceptance=Acceptance.UNKNOWN,
            detail="its schema cannot be read",
            hint="`{verify}` says which file stands in the way.",
        )
        return
    differing = [_rows(f"{name}, {store}", old.stores[store], new.stores[store], avro=avro)
                 for store in sorted(old.stores.keys() & new.stores.keys())]  # fmt: skip
    found = [item for item in differing if item is not None]
    found += _properties(name, old, new)
    found += _variables(name, old, new)
    if not found:
        detail = f"{new.name}: the same keys and values"
        found = [Item(name=name, acceptance=Acceptance.ALLOWED, detail=detail)]
    yield from found


def _rows(name: str, old: tuple[object, object], new: tuple[object, object],
          *, avro: bool) -> Item | None:  # fmt: skip
    for part, before, now in (("key", old[0], new[0]), ("value", old[1], new[1])):
        if before == now:
            continue
        detail = f"{part} was {describe(before)}, is {describe(now)}"
        if not fits(now, before):
            evolves = avro and part == "value"
            return Item(
                name=name,
                acceptance=Acceptance.RISKY if evolves else Acceptance.IMPOSSIBLE,
                detail=detail,
                condition="" if evolves else f"STATE_STORE_{part.upper()}_SCHEMA_NOT_COMPATIBLE",
                hint="Avro state evolves where a new column has a default and an old one goes."
                if evolves
                else _ROTATE,
            )
        if names(before) != names(now):
            return Item(
                name=name,
                acceptance=Acceptance.RISKY,
                detail=detail,
                hint="Spark looks at types alone: old state is read under the new names. If they "
                "mean something else, begin with empty state: `{rotate}`.",
            )
    return None


def _properties(name: str, old: StatefulOperator, new: StatefulOperator) -> Iterator[Item]:
    for key in _FIXED_PROPERTIES:
        if old.properties.get(key) != new.properties.get(key):
            yield Item(
                name=name,
                acceptance=Acceptance.IMPOSSIBLE,
                detail=f"{key} was {old.properties.get(key)}, is {new.properties.get(key)}",
                condition="STATE_STORE_INVALID_CONFIG_AFTER_RESTART",
                hint=_ROTATE,
            )


def _variables(name: str, old: StatefulOperator, new: StatefulOperator) -> Iterator[Item]:
    """`transformWithState` may gain and lose variables; no variable may change its type."""
    before, now = _kinds(old), _kinds(new)
    for variable in sorted(before.keys() & now.keys()):
        if before[variable] != now[variable]:
            yield Item(
                name=name,
                acceptance=Acceptance.IMPOSSIBLE,
                detail=f"{variable} was a {before[variable]}, is a {now[variable]}",
                condition="STATE_STORE_INVALID_VARIABLE_TYPE_CHANGE",
                hint=_ROTATE,
            )
    if gone := sorted(before.keys() - now.keys()):
        yield Item(
            name=name,
            acceptance=Acceptance.RISKY,
            detail=f"{', '.join(gone)} is not in the code: its state is removed",
            hint="Keep the variable if it will be wanted again.",
        )


def _kinds(operator: StatefulOperator) -> dict[str, str]:
    variables = operator.properties.get("stateVariables", ())
    return {item["stateName"]: item["stateVariableType"] for item in variables}


def _windows(held: Held, demanded: Demanded) -> Iterator[Item]:
    """The length of a window is in no schema: it is seen in the state, and in the plan."""
    both = _windowed(held.operators) and _windowed(demanded.operators)
    if not both or held.window_ms == frozenset():
        return
    if held.window_ms is None or demanded.window_ms is None:
        yield Item(
            name="windows",
            acceptance=Acceptance.UNKNOWN,
            detail="their length cannot be told",
            hint="Compare the windows of the code with those of the code that ran.",
        )
    elif held.window_ms <= demanded.window_ms:
        detail = f"of {_seconds(held.window_ms)}, as before"
        yield Item(name="windows", acceptance=Acceptance.ALLOWED, detail=detail)
    else:
        yield Item(
            name="windows",
            acceptance=Acceptance.RISKY,
            detail=f"of {_seconds(held.window_ms)} are open in the state, the code makes windows "
            f"of {_seconds(demanded.window_ms)}",
            hint="Spark starts, and closes the open windows with their old length. To close them "
            "first: `{drain}`.",
        )


def _windowed(operators: tuple[StatefulOperator, ...]) -> bool:
    keys = (key for operator in operators for key, _ in (operator.stores or {}).values())
    return any(window_column(key) for key in keys)


def _seconds(lengths: frozenset[int]) -> str:
    return ", ".join(f"{ms / 1000:g} s" for ms in sorted(lengths)) or "no length"
