"""Metrics as Prometheus reads them, through its own client library."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streamctl import __version__
from streamctl.metrics.definitions import JOB_LABEL, METRICS, Kind
from streamctl.observe.model import Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class SampleCollector(Collector):
    """Gives the newest sample to a registry.

    Args:
        sample: tells it; None before the first.
        partitions: whether each topic partition has its series.
    """

    def __init__(self, sample: Callable[[], Sample | None], *, partitions: bool = False) -> None:
        self._sample = sample
        self._partitions = partitions

    def collect(self) -> Iterator[Metric]:
        """All metrics that have a value."""
        sample = self._sample()
        if sample is None:
            return
        job = sample.status.job
        info = GaugeMetricFamily(
            "streamctl_job_info",
            "1, with what the job is as labels.",
            labels=(JOB_LABEL, "generation", "version"),
        )
        info.add_metric((job, sample.status.generation, __version__), 1)
        yield info
        for metric in METRICS:
            if metric.partitions and not self._partitions:
                continue
            make = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
            family = make(metric.name, metric.help, labels=(JOB_LABEL, *metric.labels))
            for labels, value in metric.read(sample):
                if value is not None:
                    family.add_metric((job, *labels), value)
            if family.samples:
                yield family


def exposition(sample: Sample, *, partitions: bool = False) -> str:
    """One sample as text."""
    registry = CollectorRegistry()
    registry.register(SampleCollector(lambda: sample, partitions=partitions))
    return generate_latest(registry).decode()
