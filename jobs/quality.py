"""Which records are rejected and why, counted per batch.

The counts live on the dead letter query, after its filter: a valid record costs nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

OBSERVATION = "quality"
_REJECTED = "rejected"
_COUNT = "count:"
_SAMPLE = "sample:"
_SAMPLE_CHARACTERS = 120


def observe_reasons(rejected: DataFrame, reasons: Sequence[str]) -> DataFrame:
    """Count each reason, and keep one sample of each: the first by partition and offset.

    Args:
        rejected: rejected records with `reasons`, `topic`, `partition`, `offset`, `value`.
        reasons: all that can occur.
    """
    sample = F.struct(
        "topic",
        "partition",
        "offset",
        F.substring(F.col("value").cast("string"), 1, _SAMPLE_CHARACTERS).alias("value"),
    )
    metrics = [F.count(F.lit(1)).alias(_REJECTED)]
    for reason in reasons:
        has = F.array_contains("reasons", reason)
        metrics += [
            F.count_if(has).alias(_COUNT + reason),
            F.min(F.when(has, sample)).alias(_SAMPLE + reason),
        ]
    return rejected.observe(OBSERVATION, *metrics)


def rejected_records(observed: Mapping[str, Any] | None) -> int:
    """How many records were rejected; one with two reasons counts once."""
    return int((observed or {}).get(_REJECTED) or 0)


def rejects(observed: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Read the counts back: reason -> `count` of records and `sample`, for what occurred."""
    found = observed or {}
    counts = {k.removeprefix(_COUNT): n for k, n in found.items() if k.startswith(_COUNT) and n}
    return {
        reason: {"count": count, "sample": found.get(_SAMPLE + reason)}
        for reason, count in counts.items()
    }
