"""What a start makes of the settings that the newest entry of the offset log pins.

Follows `OffsetSeqMetadata.setSessionConf`: it looks for the names it knows; a value is set, and
refused where the setting cannot have it; for a lost one the default of the releases before it
counts, or else the session's, which no file tells. Names that it does not know it does not see.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from streamctl.checkpoint.tree.state import CODEC_CONF, PARTITIONS_CONF, PROVIDER_CONF
from streamctl.checkpoint.verify.findings import Finding, finding, worst_effect
from streamctl.checkpoint.verify.kinds import Effect, Severity

Conf = Mapping[str, str]


class _Setting(NamedTuple):
    """One of `OffsetSeqMetadata.relevantSQLConfs`.

    Attributes:
        values: a pattern of those that it can have.
        lost: what counts without it (`relevantSQLConfDefaultValues`); None: the session's.
        of: what alone depends on it: "state", "rocksdb", or "" for any query.
    """

    values: str
    lost: str | None
    of: str


_BOOLEAN, _NUMBER, _ANY = "(?i:true|false)", r"\d+", ".+"
_STREAMING = "spark.sql.streaming."
_SETTINGS: dict[str, _Setting] = {
    PARTITIONS_CONF: _Setting(_NUMBER, None, "state"),
    PROVIDER_CONF: _Setting(_ANY, None, "state"),
    CODEC_CONF: _Setting(_ANY, "lz4", "state"),
    _STREAMING + "multipleWatermarkPolicy": _Setting("(?i:min|max)", "min", ""),
    _STREAMING + "flatMapGroupsWithState.stateFormatVersion": _Setting("[12]", "1", "state"),
    _STREAMING + "aggregation.stateFormatVersion": _Setting("[12]", "1", "state"),
    _STREAMING + "join.stateFormatVersion": _Setting("[1-4]", "1", "state"),
    _STREAMING + "statefulOperator.useStrictDistribution": _Setting(_BOOLEAN, "false", "state"),
    _STREAMING + "statefulOperator.alwaysNullableOutput.enabled": _Setting(_BOOLEAN, None, "state"),
    _STREAMING + "stateStore.encodingFormat": _Setting("(?i:unsaferow|avro)", "unsaferow", "state"),
    _STREAMING + "stateStore.rowChecksum.enabled": _Setting(_BOOLEAN, "false", "state"),
    _STREAMING + "stateStore.rocksdb.formatVersion": _Setting(_NUMBER, None, "rocksdb"),
    _STREAMING + "stateStore.rocksdb.mergeOperatorVersion": _Setting("[12]", "1", "rocksdb"),
    _STREAMING + "queryEvolution.enableSourceEvolution": _Setting(_BOOLEAN, "false", ""),
    "spark.sql.optimizer.pruneFiltersCanPruneStreamingSubplan": _Setting(_BOOLEAN, "true", ""),
    "spark.sql.function.protobufExtensions.enabled": _Setting(_BOOLEAN, "false", ""),
    "spark.sql.dropDuplicates.deterministicKeyOrder.enabled": _Setting(_BOOLEAN, None, "state"),
}


def compare(path: str, before: Conf, last: Conf, *, has_state: bool) -> Iterator[Finding]:
    """Findings of settings that the newest entry has otherwise, or no longer.

    Args:
        path: of the newest entry.
        before: of the entry before it.
        last: of the newest.
        has_state: the query keeps state.
    """
    for key, value in last.items():
        was = before.get(key, value)
        if was == value:
            continue
        detail = f"{key} is {value} after {was}"
        if key == PARTITIONS_CONF and has_state:
            yield finding("partitions-changed", path, detail)
            continue
        effect = _effect(key, before, last, has_state=has_state)
        if key == CODEC_CONF:  # a file of the other codec is found on loading
            effect = Effect.STARTS
        yield _changed(path, detail, effect)
    lost = sorted(set(before) - set(last))
    if lost:
        detail = f"{len(lost)} pinned settings are gone, such as {lost[0]}"
        yield _changed(path, detail, effect_of(before, last, has_state=has_state))


def effect_of(before: Conf, last: Conf, *, has_state: bool) -> Effect:
    """What a start does that reads the last settings where it ran with those before."""
    keys = [key for key in before if last.get(key) != before[key]]
    return worst_effect(_effect(key, before, last, has_state=has_state) for key in keys)


def _effect(key: str, before: Conf, last: Conf, *, has_state: bool) -> Effect:
    was, now, setting = before[key], last.get(key), _SETTINGS.get(key)
    if setting is None:
        return Effect.STARTS if _misspelt(key) else Effect.UNKNOWN
    if now is not None and not re.fullmatch(setting.values, now):
        return Effect.FAILS
    rocksdb = any("RocksDB" in conf.get(PROVIDER_CONF, "") for conf in (before, last))
    idle = (setting.of and not has_state) or (setting.of == "rocksdb" and not rocksdb)
    if idle or not re.fullmatch(setting.values, was):  # it is the entry before that is damaged
        return Effect.STARTS
    return Effect.STARTS if was == (setting.lost if now is None else now) else Effect.UNKNOWN


def _misspelt(key: str) -> bool:
    """One letter away from a name that Spark knows: it is the damaged one, and never looked for."""
    return any(
        len(name) == len(key) and sum(a != b for a, b in zip(name, key, strict=True)) == 1
        for name in _SETTINGS
    )


def _changed(path: str, detail: str, effect: Effect) -> Finding:
    severity = Severity.WARNING if effect is Effect.STARTS else Severity.ERROR
    return finding("pinned-conf-changed", path, detail, effect=effect, severity=severity)
