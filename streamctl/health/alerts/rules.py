"""Every alert: which metric, above or below which threshold, and what to type next."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from streamctl.metrics.definitions import METRICS, Metric
from streamctl.observe.model import Sample
from streamctl.settings.model import Settings

_METRICS = {metric.name: metric for metric in METRICS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a rule looks at, at one moment.

    Attributes:
        where: the series that is worst; empty for the sum of all.
        threshold: of that series.
    """

    value: float
    where: str
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One alert.

    Attributes:
        name: as it is silenced.
        title: what is wrong, in a few words.
        metric: its name; the worst of its series counts, or their sum.
        setting: field of `alerts` with the threshold; empty for "is not zero".
        at_most: bounds the threshold from above.
        floor: name of a metric that bounds it from below, series by series.
        below: whether small values are the bad ones.
        summed: whether the series are added up.
        at_once: not averaged: a state rather than a measurement.
        whole: counts whole things, of which a hysteresis knows no share.
        hint: a full sentence with the next command.
    """

    name: str
    title: str
    metric: str
    hint: str
    setting: str = ""
    at_most: Callable[[Settings], float] = lambda _: math.inf
    floor: str = ""
    below: bool = False
    summed: bool = False
    at_once: bool = False
    whole: bool = False

    @property
    def definition(self) -> Metric:
        """Of its metric."""
        return _METRICS[self.metric]

    def threshold(self, settings: Settings) -> float:
        """As it is set; 0 switches a rule that has a setting off."""
        if not self.setting:
            return 0.0
        return min(float(getattr(settings.alerts, self.setting)), self.at_most(settings))

    def closes_at(self, threshold: float, settings: Settings) -> float:
        """Where a value has to be back for the alert to close."""
        share = 0.0 if self.whole else settings.alerts.hysteresis
        return threshold * (1 + share if self.below else 1 - share)

    def is_on(self, settings: Settings) -> bool:
        """Whether it is looked at."""
        return not self.setting or self.threshold(settings) > 0

    def read(self, sample: Sample, settings: Settings) -> Reading | None:
        """The worst series, or the sum of all; None when none is known."""
        known = {labels: v for labels, v in self.definition.read(sample) if v is not None}
        if not known:
            return None
        threshold = self.threshold(settings)
        if self.summed:
            return Reading(value=sum(known.values()), where="", threshold=threshold)
        floors = dict(_METRICS[self.floor].read(sample)) if self.floor else {}
        readings = [
            Reading(
                value=value,
                where=self._where(labels),
                threshold=max(threshold, floors.get(labels) or 0.0),
            )
            for labels, value in known.items()
        ]
        pick = min if self.below else max
        return pick(readings, key=lambda reading: reading.value - reading.threshold)

    def _where(self, labels: tuple[str, ...]) -> str:
        names = zip(self.definition.labels, labels, strict=True)
        return ", ".join(f"{name} {label}" for name, label in names)


RULES: tuple[Rule, ...] = (
    Rule(
        name="failed",
        title="the job has failed",
        metric="streamctl_failed",
        at_once=True,
        hint="`streamctl status` tells the failure and its remedy.",
    ),
    Rule(
        name="breaker",
        title="the circuit breaker is open",
        metric="streamctl_breaker_state",
        at_once=True,
        hint="`streamctl breaker status` tells why and when it is tried again.",
    ),
    Rule(
        name="not_processing",
        title="no batch is committed",
        metric="streamctl_not_processing_seconds",
        setting="not_processing_seconds",
        floor="streamctl_stall_window_seconds",
        at_once=True,
        hint="`streamctl logs -f --level WARN` shows what it waits for.",
    ),
    Rule(
        name="lag",
        title="consumer lag is high",
        metric="streamctl_consumer_lag_records",
        setting="lag_records",
        hint="`streamctl lag` tells the partitions and when it will be gone.",
    ),
    Rule(
        name="time_lag",
        title="the oldest unread record is old",
        metric="streamctl_time_lag_seconds",
        setting="time_lag_seconds",
        hint="`streamctl lag` tells the partitions and when it will be gone.",
    ),
    Rule(
        name="retention",
        title="Kafka is about to delete unread records",
        metric="streamctl_retention_left_seconds",
        setting="retention_left_seconds",
        below=True,
        at_once=True,
        hint="Raise the topic's retention, or let the job catch up: `streamctl lag` shows it.",
    ),
    Rule(
        name="kafka",
        title="Kafka does not go with the checkpoint",
        metric="streamctl_kafka_findings",
        at_once=True,
        hint="`streamctl lag` names the findings; `streamctl explain` tells the way out of each.",
    ),
    Rule(
        name="loss",
        title="records were passed over unread",
        metric="streamctl_loss_ranges_last_hour",
        at_once=True,
        hint="`streamctl status` names the ranges; `streamctl reprocess` reads again what is left.",
    ),
    Rule(
        name="errors",
        title="many records are rejected",
        metric="streamctl_rejected_records_per_minute",
        setting="errors_per_minute",
        summed=True,
        hint="`streamctl logs --level WARN` shows a sample for each reason.",
    ),
    Rule(
        name="rejected_share",
        title="a large share of the records is rejected",
        metric="streamctl_rejected_ratio",
        setting="rejected_share",
        hint="`streamctl logs --level WARN` shows a sample for each reason.",
    ),
    Rule(
        name="repaired_state",
        title="Spark went around damaged state",
        metric="streamctl_repaired_snapshots_last_hour",
        at_once=True,
        hint="`streamctl checkpoint verify --level deep` names the files.",
    ),
    Rule(
        name="checkpoint_size",
        title="the checkpoint is large",
        metric="streamctl_checkpoint_bytes",
        setting="checkpoint_bytes",
        summed=True,
        hint="`streamctl checkpoint inspect` tells what grows; `checkpoint prune` frees old ones.",
    ),
    Rule(
        name="disk",
        title="little disk space is left",
        metric="streamctl_disk_free_bytes",
        setting="disk_free_bytes",
        below=True,
        hint="`streamctl checkpoint prune` and `streamctl backup prune` free some.",
    ),
    Rule(
        name="backup",
        title="the last scheduled backup failed",
        metric="streamctl_backup_failed",
        at_once=True,
        hint="`streamctl backup take` says why; `streamctl backup list` shows what there is.",
    ),
    Rule(
        name="restarts",
        title="the restarts are used up",
        metric="streamctl_attempts_left",
        setting="attempts_left",
        at_most=lambda settings: settings.supervise.attempts,
        below=True,
        at_once=True,
        whole=True,
        hint="`streamctl status` tells why the driver ended.",
    ),
)
