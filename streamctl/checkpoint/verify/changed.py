"""A file that its checksum contradicts: does the start see the change?

Hadoop's sums tell what was there before a flipped bit or an appendix (`sidecar.hadoop_original`).
Both are read, and what Spark does not look at does not count: of a batch before the newest all but
the sources (`MicroBatchExecution.populateStartOffsets`), of an operator's metadata all but id and
name (`IncrementalExecution`), in a schema the fields' comments (`StateSchemaCompatibilityChecker`).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from streamctl.checkpoint.formats import decode, log, sidecar
from streamctl.checkpoint.formats.operator import parse_operator_metadata, parse_schema
from streamctl.checkpoint.verify import pinned
from streamctl.checkpoint.verify.kinds import Effect
from streamctl.errors import Malformed, Unsupported

Compare = Callable[[bytes, bytes], Effect]
"""What a start does that reads the second where the first was written.

Raises:
    Malformed, Unsupported: one of them cannot be read.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of a file.

    Attributes:
        effect: on a start that reads it.
        detail: what was done to it, as far as that is known; "" where it is not.
    """

    effect: Effect = Effect.UNKNOWN
    detail: str = ""


HARMLESS = Change(effect=Effect.STARTS)
"""To a file that no start reads."""


def judge(sums: bytes, now: bytes, compare: Compare) -> Change:
    """What was done to a file that does not match its sums.

    Args:
        sums: Hadoop's sidecar.
        now: the file.
        compare: of its kind.
    """
    was = sidecar.hadoop_original(sums, now)
    if was is None:
        return Change()
    longer = len(now) - len(was)
    detail = f"{longer} bytes were added" if longer else _bit(was, now)
    try:
        return Change(effect=compare(was, now), detail=detail)
    except decode.Trailing:  # told for itself
        return Change(effect=Effect.STARTS if longer else Effect.UNKNOWN, detail=detail)
    except (Malformed, Unsupported):
        return Change(detail=detail)


def _bit(was: bytes, now: bytes) -> str:
    at = next(n for n, (old, new) in enumerate(zip(was, now, strict=True)) if old != new)
    return f"one bit flipped: byte {at} was 0x{was[at]:02x} and is 0x{now[at]:02x}"


def _same(old: object, new: object) -> Effect:
    return Effect.STARTS if old == new else Effect.UNKNOWN


def metadata(was: bytes, now: bytes) -> Effect:
    """Of `metadata`: the query's id."""
    return _same(log.parse_metadata(was), log.parse_metadata(now))


def newest_offsets(*, has_state: bool) -> Compare:
    """Of the entry that a start goes by. An earlier watermark only keeps state longer."""

    def compare(was: bytes, now: bytes) -> Effect:
        old, new = log.parse_offsets(was), log.parse_offsets(now)
        rest = replace(old, watermark_ms=new.watermark_ms, conf=new.conf)
        if new.watermark_ms > old.watermark_ms or new != rest:
            return Effect.UNKNOWN
        return pinned.effect_of(old.conf, new.conf, has_state=has_state)

    return compare


def older_offsets(was: bytes, now: bytes) -> Effect:
    """Of the entry before it, where its ranges begin."""
    return _same(log.parse_offsets(was).sources, log.parse_offsets(now).sources)


def commit(was: bytes, now: bytes) -> Effect:
    """Of the newest commit. The watermark that it hands on never lowers the planned one."""
    old, new = log.parse_commit(was), log.parse_commit(now)
    if new.next_watermark_ms > old.next_watermark_ms:
        return Effect.UNKNOWN
    return _same((old.version, old.state_unique_ids), (new.version, new.state_unique_ids))


def operator(was: bytes, now: bytes) -> Effect:
    """Of an operator's metadata of version 1, which is compared with the query's plan."""
    old, new = (parse_operator_metadata(data, name="metadata") for data in (was, now))
    same = (old.operator_id, old.name) == (new.operator_id, new.name)
    return Effect.STARTS if same else Effect.FAILS


def schema(was: bytes, now: bytes) -> Effect:
    """Of a state schema."""
    old, new = (parse_schema(data, name="schema") for data in (was, now))
    return _same(*([_plain(asdict(family)) for family in of.families] for of in (old, new)))


def state_file(codec: str) -> Compare:
    """Of changes or a snapshot that can be read: rows end before what was added.

    The blocks of lz4 have sums of their own, so that a bit which they let pass is none of a row's.
    """

    def compare(was: bytes, now: bytes) -> Effect:
        same = codec == "lz4" or now.startswith(was)
        return Effect.STARTS if same else Effect.UNKNOWN

    return compare


def _plain(value: Any) -> Any:
    """Without the comments of fields."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != "metadata"}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
