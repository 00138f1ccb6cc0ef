"""How many records came too late: exact, or unknown.

Spark's own metric counts rows after partial aggregation, not records. So the valid records of
a batch are counted per window end before the aggregation, with `histogram_numeric`, which is
exact while it has a bin for each distinct value. Once the batch is done, the bins whose window
had ended by the watermark that Spark used for late events are summed.

That watermark is the one planned for the batch before (Spark `IncrementalExecution`:
`prevOffsetSeqMetadata`), and a window is late when its end is at or below it (`WatermarkSupport`).
"""

from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  (the name that Spark's users know)

BINS = 1024


def observe_windows(frame: DataFrame, window: Column, *, name: str) -> DataFrame:
    """Observe the valid records per window, to be read by `late_records`.

    Args:
        frame: streaming, with one row a record, before the aggregation.
        window: the window column, as made by `functions.window`.
        name: of the observation; goes to `Query.lateness`.
    """
    end_ms = F.unix_millis(window["end"])
    return frame.observe(
        name,
        F.count(F.lit(1)).alias("records"),
        F.min(end_ms).alias("first_window_end_ms"),
        F.histogram_numeric(end_ms.cast("double"), F.lit(BINS)).alias("window_ends_ms"),
    )


def late_records(observed: Mapping[str, Any] | None, watermark_ms: int | None) -> int | None:
    """Count the records whose window had ended by the watermark; None when it is not known.

    Args:
        observed: what `observe_windows` saw in the batch.
        watermark_ms: the watermark that the batch used for late events, epoch milliseconds.
    """
    if observed is None or watermark_ms is None:
        return None
    first = observed.get("first_window_end_ms")
    if first is None or first > watermark_ms:
        return 0
    bins = observed.get("window_ends_ms") or []
    if len(bins) >= BINS:
        return None
    return sum(int(bin_["y"]) for bin_ in bins if bin_["x"] <= watermark_ms)
