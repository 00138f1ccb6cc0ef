"""What the committed batches of a step tell: how long records waited, how many a second were read.

Pure. A producer's ledger has the moment of each record and where Kafka put it; the offset log has
the batch that read this place; and the file of a commit, when it was written.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from streamctl.lag.positions import Step as Committed

Made = tuple[int, int, float]
"""A record: partition, offset, and when it was made, in seconds since 1970."""


def waits(made: Iterable[Made], batches: Sequence[Committed], topic: str) -> "array[float] | None":
    """Seconds from the making of each record to the commit of the batch that read it.

    Args:
        made: the records.
        batches: committed ones, oldest first.
        topic: of the records.

    Returns:
        None when it is not known of every record: those that still wait are the slowest.
    """
    partitions = {p for batch in batches for p in batch.ends.get(topic, {})}
    ends = {p: [batch.ends.get(topic, {}).get(p, 0) for batch in batches] for p in partitions}
    commits = [batch.committed_at.timestamp() for batch in batches]
    # where a batch begins is told by the one before it
    first = 0 if batches and batches[0].batch_id == 0 else 1
    found = array("d")
    for partition, offset, at in made:
        reached = ends.get(partition, [])
        number = bisect_right(reached, offset)
        if not first <= number < len(reached):
            return None
        found.append(commits[number] - at)
    return found


def committed_rate(
    batches: Sequence[Committed], topic: str, *, began: float, ended: float
) -> float | None:
    """Records a second that were read, from the first commit to the last of a span of time.

    Returns:
        None for fewer than two commits.
    """
    told = [
        (batch.committed_at.timestamp(), sum(batch.ends.get(topic, {}).values()))
        for batch in batches
    ]
    inside = [(at, records) for at, records in told if began <= at <= ended]
    if len(inside) < 2 or inside[-1][0] == inside[0][0]:  # noqa: PLR2004 - a line needs two points
        return None
    (first, before), (last, after) = inside[0], inside[-1]
    return (after - before) / (last - first)
