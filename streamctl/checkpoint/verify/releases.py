"""Which Spark planned a batch, by the settings that it pinned.

Each release pins some that the one before it did not know (`OffsetSeqMetadata.relevantSQLConfs`).
A start of a newer one pins its own with its first batch. Nothing else tells the release.
"""

from collections.abc import Mapping

Release = tuple[int, int]
_PINS_FIRST: tuple[tuple[Release, str], ...] = (
    ((4, 3), "spark.sql.streaming.statefulOperator.alwaysNullableOutput.enabled"),
    ((4, 2), "spark.sql.streaming.stateStore.rowChecksum.enabled"),
    ((4, 0), "spark.sql.streaming.stateStore.encodingFormat"),
    ((3, 5), "spark.sql.optimizer.pruneFiltersCanPruneStreamingSubplan"),
)


def planned_by(conf: Mapping[str, str]) -> Release:
    """The oldest release that pins all these; (4, 0) is 4.0 or 4.1, which pin the same.

    Args:
        conf: of an entry of the offset log.
    """
    return next((release for release, key in _PINS_FIRST if key in conf), (0, 0))
