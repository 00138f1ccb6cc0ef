"""What was seen of a job at one moment. None means not known, never zero."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from streamctl.checkpoint.verify.kinds import Severity, kinds
from streamctl.lag.model import LagFinding, LagReport, QueryLag
from streamctl.observe.batches import Batch
from streamctl.observe.machine import Disk, Processes
from streamctl.observe.sizes import Usage
from streamctl.observe.status import QueryStatus, StatusReport


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySample:
    """One query.

    Attributes:
        status: as `streamctl status` tells it.
        lag: None when it could not be measured, or was not yet.
        last: the newest finished batch; None before the first.
        usual_seconds: median duration of the last batches.
        commit_age_seconds: since the last batch was finished.
        not_processing_seconds: since the last batch, or since the attempt began; 0 while the
            query says that there is nothing to read.
        stall_window_seconds: silent for longer, it is taken to be stalled.
        input_per_second, output_per_second: over the last minute.
        rejected_per_minute: reason -> records in the last minute.
        rejected_share: of the records of the last minute; None when there were none.
        watermark_delay_seconds: how far the watermark is behind the clock.
        losses_last_hour: ranges of offsets that were found to be passed over unread.
        repaired_last_hour: damaged snapshots of state that Spark went around.
        sizes: files of its checkpoint, by kind.
    """

    name: str
    status: QueryStatus
    lag: QueryLag | None
    last: Batch | None
    usual_seconds: float | None
    commit_age_seconds: float | None
    not_processing_seconds: float | None
    stall_window_seconds: float
    input_per_second: float | None
    output_per_second: float | None
    rejected_per_minute: Mapping[str, int] = field(default_factory=dict)
    rejected_share: float | None = None
    watermark_delay_seconds: float | None = None
    losses_last_hour: int = 0
    repaired_last_hour: int | None = None
    sizes: list[Usage] = field(default_factory=list)

    @property
    def findings(self) -> list[LagFinding] | None:
        """Where Kafka does not go with the checkpoint; None when it was not compared.

        Without those that are only a note, such as a new partition.
        """
        if self.lag is None:
            return None
        known = kinds()
        return [f for f in self.lag.findings if known[f.code].severity is not Severity.NOTE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The whole job.

    Attributes:
        lag: the newest measurement; None when there is none.
        lag_problem: why not; empty when it could be measured.
        processes: of the driver; None while there is none.
    """

    at: datetime
    status: StatusReport
    queries: list[QuerySample]
    lag: LagReport | None
    lag_problem: str
    disks: list[Disk]
    processes: Processes | None

    @property
    def findings(self) -> list[LagFinding]:
        """Where Kafka does not go with the checkpoints, each once."""
        found = [finding for query in self.queries for finding in query.findings or ()]
        return list(dict.fromkeys(found))

    @property
    def checkpoint_bytes(self) -> int | None:
        """All queries' checkpoints of the current generation; None when one is not known."""
        sizes = [query.sizes for query in self.queries]
        if not sizes or not all(sizes):
            return None
        return sum(usage.size_bytes for query in sizes for usage in query)
