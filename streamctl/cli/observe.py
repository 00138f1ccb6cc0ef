"""`streamctl metrics | top | export`."""

import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamctl.cli.command import Here, command
from streamctl.cli.render import Line, Output, View
from streamctl.cli.top_view import top_view
from streamctl.rundir.directory import RunDirectory

if TYPE_CHECKING:
    from streamctl.health.top import TopReport

app = typer.Typer(add_completion=False)
_FileOption = Annotated[
    Path | None, typer.Option("--file", "-f", help="Write it there; default: stdout.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """All metrics once, as text.

    Attributes:
        text: in Prometheus' exposition format.
    """

    text: str


def _text(report: Metrics) -> View:
    return [Line(text=report.text.rstrip("\n"))]


@command(app, "metrics", view=_text)
def metrics(
    here: Here,
    *,
    partitions: Annotated[
        bool, typer.Option("--partitions", help="Of each topic partition too.")
    ] = False,
) -> Metrics:
    """Print all metrics once, as Prometheus reads them.

    Whether the job runs or not; the supervisor serves the same at /metrics.
    """
    from streamctl.metrics.exposition import exposition
    from streamctl.observe.watch import Eyes, look_once
    from streamctl.settings.resolve import resolve

    layers = here.layers()
    sample = look_once(Eyes(RunDirectory(layers.run_directory), resolve(layers)))
    return Metrics(text=exposition(sample, partitions=partitions))


class What(StrEnum):
    """What can be exported."""

    GRAFANA = "grafana"
    PROMETHEUS_RULES = "prometheus-rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A document for another tool.

    Attributes:
        text: the document; empty when it was written to a file.
        file: where it was written.
    """

    text: str
    file: Path | None = None


def _exported(report: Exported) -> View:
    return [Line(text=report.text.rstrip("\n") or f"written to {report.file}")]


@command(app, "export", view=_exported)
def export(
    here: Here,
    what: Annotated[What, typer.Argument(help="A dashboard, or alert rules.")],
    *,
    file: _FileOption = None,
) -> Exported:
    """Print a Grafana dashboard, or alert rules for Prometheus."""
    text = _grafana() if what is What.GRAFANA else _prometheus(here)
    if file is None:
        return Exported(text=text)
    from streamctl.rundir.files import replace_file

    replace_file(file, text)
    return Exported(text="", file=file)


def _grafana() -> str:
    import json

    from streamctl.metrics.dashboard import dashboard

    return json.dumps(dashboard(), indent=1) + "\n"


def _prometheus(here: Here) -> str:
    import yaml

    from streamctl.health.alerts.prometheus import rules

    return yaml.safe_dump(rules(here.settings()), sort_keys=False, width=100)


@command(app, "top", view=top_view)
def top(
    here: Here,
    *,
    once: Annotated[bool, typer.Option("--once", help="Draw once and end.")] = False,
    every: Annotated[float, typer.Option("--every", help="Seconds between looks.", min=0.2)] = 2.0,
) -> "TopReport | None":
    """Show the job live: rates, durations, lag, errors, alerts."""
    from streamctl.settings.resolve import resolve

    layers = here.layers()
    run, settings = RunDirectory(layers.run_directory), resolve(layers)
    if once or here.output is not Output.TABLE or not sys.stdin.isatty():
        from streamctl.health.top import top_report
        from streamctl.observe.watch import Eyes, look_once

        eyes = Eyes(run, settings)
        return top_report(look_once(eyes), eyes.batches, run)
    from streamctl.cli.top import Top

    Top(run, settings, every_seconds=every).run()
    return None
