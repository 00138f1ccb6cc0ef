"""Reads from a checkpoint what new code would be compared with."""

from streamctl.checkpoint.compat.model import Held, Source, StatefulOperator
from streamctl.checkpoint.compat.schema import window_column
from streamctl.checkpoint.formats import log
from streamctl.checkpoint.formats.model import SourcePosition
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.reader import Checkpoint, again
from streamctl.checkpoint.tree.schemas import read_rows
from streamctl.checkpoint.tree.state import Operator, read_operator_metadata, scan
from streamctl.errors import Malformed, Unsupported


def read(checkpoint: Checkpoint) -> Held:
    """Look at the newest offsets entry and at the operators; the query may be running.

    Raises:
        Malformed, Unsupported: the newest offsets entry cannot be read.
        StreamctlError: storage fails, or files kept vanishing.
    """
    return again(lambda: _read(checkpoint))


def _read(checkpoint: Checkpoint) -> Held:
    planned = checkpoint.log_ids().planned
    if not planned:
        return Held(batches=False, sources=(), conf={}, operators=())
    entry = checkpoint.offsets(planned[-1])
    name = f"{layout.OFFSETS}/{planned[-1]}"
    return Held(
        batches=True,
        sources=tuple(_source(log.source_position(s, name=name)) for s in entry.sources),
        conf=entry.conf,
        operators=tuple(_operator(checkpoint.files, found) for found in scan(checkpoint.files)),
        format_version=checkpoint.state_format_version(),
    )


def _source(position: SourcePosition) -> Source:
    if position.kafka is not None:
        return Source(kind="kafka", topics=frozenset(position.kafka))
    match position.opaque:
        case None:
            return Source(kind="none")
        case {"logOffset": _, **rest} if not rest:
            return Source(kind="file")
        case {"offset": _, "timestamp": _, **rest} if not rest:
            return Source(kind="rate")
        case _:
            return Source(kind="other")


def _operator(files: Files, operator: Operator) -> StatefulOperator:
    try:
        metadata = read_operator_metadata(files, operator)
        stores = read_rows(files, operator, metadata)
    except (Malformed, Unsupported):
        return StatefulOperator(operator_id=operator.operator_id, name=None, stores=None)
    properties = metadata.properties if metadata else None
    return StatefulOperator(
        operator_id=operator.operator_id,
        name=metadata.name if metadata else None,
        stores=stores or None,
        properties=properties if isinstance(properties, dict) else {},
    )


def windows(held: Held) -> list[tuple[int, str, str]]:
    """Where windows lie in the state: operator, store, column of the key."""
    return [
        (operator.operator_id, store, column)
        for operator in held.operators
        for store, (key, _) in (operator.stores or {}).items()
        if (column := window_column(key)) is not None
    ]
