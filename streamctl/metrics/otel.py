"""The same metrics to an OpenTelemetry collector, over OTLP with HTTP. Needs the extra `otel`."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from streamctl import __version__
from streamctl.errors import SettingsInvalid
from streamctl.metrics.definitions import JOB_LABEL, METRICS, Kind, Metric
from streamctl.observe.model import Sample

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader

_UNITS = {"seconds": "s", "bytes": "By", "ratio": "1"}


def exporting(
    endpoint: str, sample: Callable[[], Sample | None], *, every_seconds: float, partitions: bool
) -> "MeterProvider":
    """Send all metrics regularly; end it with `shutdown()`.

    Args:
        endpoint: of the collector, such as `http://localhost:4318`.
        sample: tells the newest sample.
        every_seconds: time between two exports.
        partitions: whether each topic partition has its series.

    Raises:
        SettingsInvalid: the extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    except ImportError as error:
        raise SettingsInvalid(
            "observe.otlp_endpoint is set, and OpenTelemetry is not installed",
            hint="Install it with `pip install 'streamctl[otel]'`.",
        ) from error
    exporter = OTLPMetricExporter(endpoint=f"{endpoint.rstrip('/')}/v1/metrics")
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=1000 * every_seconds)
    return provider(reader, sample, partitions=partitions)


def provider(
    reader: "MetricReader", sample: Callable[[], Sample | None], *, partitions: bool
) -> "MeterProvider":
    """A meter for each definition, read by a reader."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource

    resource = Resource.create({"service.name": "streamctl", "service.version": __version__})
    made = MeterProvider(metric_readers=[reader], resource=resource)
    meter = made.get_meter("streamctl", __version__)
    for metric in METRICS:
        if metric.partitions and not partitions:
            continue
        add = meter.create_observable_counter
        if metric.kind is Kind.GAUGE:
            add = meter.create_observable_gauge  # type: ignore[assignment]
        unit = _UNITS.get(metric.unit, f"{{{metric.unit}}}" if metric.unit else "1")
        add(metric.name, [_reading(metric, sample)], unit=unit, description=metric.help)
    return made


def _reading(
    metric: Metric, sample: Callable[[], Sample | None]
) -> "Callable[[CallbackOptions], Iterable[Observation]]":
    def read(_: "CallbackOptions") -> "Iterator[Observation]":
        from opentelemetry.metrics import Observation

        seen = sample()
        for labels, value in metric.read(seen) if seen else ():
            if value is not None:
                names = dict(zip(metric.labels, labels, strict=True))
                job = {JOB_LABEL: seen.status.job} if seen else {}
                yield Observation(value, job | names)

    return read
