"""A Grafana dashboard made from the definitions of the metrics, so that no name can drift.

Source: Grafana's dashboard JSON model (time series panels, a data source variable).
"""

from typing import Any

from streamctl.metrics.definitions import JOB_LABEL, METRICS, Kind, Metric

_COLUMNS, _WIDTH, _HEIGHT = 24, 8, 8
_UNITS = {"seconds": "s", "bytes": "bytes", "ratio": "percentunit"}
_SOURCE = {"type": "prometheus", "uid": "${source}"}


def dashboard() -> dict[str, Any]:
    """The dashboard: a row for each panel heading, a plot for each metric."""
    panels: list[dict[str, Any]] = []
    top = 0
    for heading in dict.fromkeys(metric.panel for metric in METRICS if metric.panel):
        panels.append(_row(heading, top))
        top += 1
        metrics = [metric for metric in METRICS if metric.panel == heading]
        for number, metric in enumerate(metrics):
            column, line = number % (_COLUMNS // _WIDTH), number // (_COLUMNS // _WIDTH)
            panels.append(_plot(metric, x=column * _WIDTH, y=top + line * _HEIGHT))
        top += -(-len(metrics) * _WIDTH // _COLUMNS) * _HEIGHT
    for number, panel in enumerate(panels, start=1):
        panel["id"] = number
    return {
        "title": "streamctl",
        "uid": "streamctl",
        "tags": ["spark", "kafka", "streaming"],
        "timezone": "utc",
        "refresh": "10s",
        "schemaVersion": 39,
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source_variable(), _job_variable()]},
        "panels": panels,
    }


def query_of(metric: Metric) -> str:
    """PromQL that draws a metric: its value, or the rate of a counter in a second."""
    selected = f'{metric.series_name}{{{JOB_LABEL}=~"${JOB_LABEL}"}}'
    return selected if metric.kind is Kind.GAUGE else f"rate({selected}[5m])"


def _row(heading: str, top: int) -> dict[str, Any]:
    place = {"h": 1, "w": _COLUMNS, "x": 0, "y": top}
    return {"type": "row", "title": heading, "gridPos": place, "collapsed": False, "panels": []}


def _plot(metric: Metric, *, x: int, y: int) -> dict[str, Any]:
    unit = _UNITS.get(metric.unit, "short")
    legend = " ".join(f"{{{{{label}}}}}" for label in metric.labels) or f"{{{{{JOB_LABEL}}}}}"
    return {
        "type": "timeseries",
        "title": metric.help.rstrip("."),
        "datasource": _SOURCE,
        "gridPos": {"h": _HEIGHT, "w": _WIDTH, "x": x, "y": y},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": "A", "datasource": _SOURCE, "expr": query_of(metric), "legendFormat": legend}
        ],
    }


def _source_variable() -> dict[str, Any]:
    return {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _job_variable() -> dict[str, Any]:
    return {
        "name": JOB_LABEL,
        "label": "Job",
        "type": "query",
        "datasource": _SOURCE,
        "query": f"label_values(streamctl_job_info, {JOB_LABEL})",
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }
