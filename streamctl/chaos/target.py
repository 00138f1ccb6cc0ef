"""A job that is not an experiment's own: the project's, as it runs, with its own Kafka and data.

What is done to it is real. So it is only what an operator could do as well: signals to its
processes, commands and requests of the operator's own (`process`, `http`), and faults of the
network where a Toxiproxy stands in its way. Nothing is sent, deleted or damaged; the account of its
records is the job's own, `streamctl audit`.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from streamctl.chaos.experiment import Activity, Experiment, Http, Process, Verb
from streamctl.chaos.operated import Operated
from streamctl.chaos.proxy.line import Line
from streamctl.chaos.proxy.toxiproxy import Toxiproxy
from streamctl.chaos.verbs.table import VERBS, check
from streamctl.errors import NotFound, Protected, Refused, StreamctlError, Unsupported
from streamctl.kafka.client import Broker
from streamctl.lag.measure import measure
from streamctl.lag.subjects import find_subjects
from streamctl.observe.status import StatusReport, read_status
from streamctl.reports import Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.settings.model import Settings


class Target(Operated):
    """The project's job.

    Args:
        directory: for journals and evidence; new.
        project: where its commands are run: the operator's working directory.
        run: its run directory.
        settings: of the job.
        query: the one that is watched.
        context: that the settings are of; empty for none.
        assignments: `section.field=value` that the operator gave beside them.
    """

    def __init__(
        self, directory: Path, *, project: Path, run: RunDirectory, settings: Settings, query: str,
        context: str = "", assignments: Sequence[str] = (),
    ) -> None:  # fmt: skip
        places = {
            "checkpoint": project / settings.checkpoint.location,
            "output": project / settings.output.location,
        }
        # else a command would find the job of the default context, and stop that
        flags = ["--run-directory", str(run.path), *(("--context", context) if context else ())]
        flags += [word for each in assignments for word in ("--set", each)]
        super().__init__(
            directory, project=project, run=run, places=places, query=query, environ=os.environ,
            flags=tuple(flags),
        )  # fmt: skip
        self._settings = settings

    @property
    def line(self) -> Line:
        """The proxy that `chaos.toxiproxy` names.

        Raises:
            Unsupported: it names none.
        """
        if not self._settings.chaos.toxiproxy:
            raise Unsupported(
                "no proxy stands between this job and Kafka",
                hint="Set `chaos.toxiproxy` to http://HOST:8474/proxies/NAME of one that does.",
            )
        return Toxiproxy.at(self._settings.chaos.toxiproxy)

    def ask(self, *, timeout_seconds: float = 20.0) -> Broker:
        """With the job's own settings."""
        return Broker.of(self._settings.kafka, timeout_seconds=timeout_seconds)

    def true_lag(self) -> int:
        """By checkpoint and Kafka, as `lag` tells it.

        Raises:
            StreamctlError: it cannot be told.
        """
        found = find_subjects(str(self.places["checkpoint"]), query=self.query)
        with self.ask(timeout_seconds=2) as kafka:
            report = measure(found, kafka, location="", now=datetime.now(UTC), ages=False)
        if report.lag_records is None:
            raise StreamctlError("the lag cannot be told")
        return report.lag_records


@dataclass(frozen=True, slots=True, kw_only=True)
class BlastRadius:
    """What an experiment on a job can harm.

    Attributes:
        job: its entry.
        processes: ids of its supervisor and driver, on this host.
        queries: that stand still when the driver does.
        topics, bootstrap_servers: whose readers are concerned.
        checkpoint_location: that is written on.
        steps: what is done, in order, one line each.
    """

    verdict: Verdict
    job: str
    processes: list[int]
    queries: list[str]
    topics: list[str]
    bootstrap_servers: str
    checkpoint_location: str
    steps: list[str] = field(default_factory=list)


def blast_radius(
    experiments: list[Experiment], settings: Settings, status: StatusReport
) -> BlastRadius:
    """Tell what can be harmed, before anything is done.

    Raises:
        Refused: a step that is only for jobs of an experiment's own.
        NotFound, Malformed: an unknown verb, or arguments that it does not take.
    """
    check(experiments)
    steps = [line for experiment in experiments for line in _steps(experiment)]
    pids = (status.supervisor_pid, status.driver_pid, status.standby_pid)
    return BlastRadius(
        verdict=Verdict.OK,
        job=status.job,
        processes=[pid for pid in pids if pid is not None],
        queries=[query.name for query in status.queries],
        topics=settings.kafka.topics,
        bootstrap_servers=settings.kafka.bootstrap_servers,
        checkpoint_location=status.checkpoint_location,
        steps=steps,
    )


def running_job(run: RunDirectory, *, name: str, settings: Settings, context: str) -> StatusReport:
    """The job that is meant, if it runs and may be harmed.

    Raises:
        Protected: the context is.
        Refused: the job has another name.
        NotFound: it does not run.
    """
    if settings.checkpoint.protected:
        raise Protected(
            f"{context or 'this project'} is protected",
            hint="`checkpoint.protected` is set there; no flag lets experiments harm it.",
        )
    status = read_status(run)
    if name != status.job:
        raise Refused(
            f'the job here is "{status.job}", not "{name}"', hint="Type its name after --target."
        )
    if status.driver_pid is None or not status.queries:
        raise NotFound(
            f'"{name}" does not run', hint="An experiment needs a job in its steady state."
        )
    return status


def _steps(experiment: Experiment) -> Iterator[str]:
    if experiment.before or experiment.job:
        raise Refused(
            f'"{experiment.name}" wants to prepare the job, and this one runs',
            hint="Without --target it is done to a job of its own.",
        )
    for activity in (*experiment.hypothesis, *experiment.method, *experiment.rollbacks):
        yield f"{experiment.name}: {activity.role} {activity.name}: {_what(activity)}"


def _what(activity: Activity) -> str:
    match activity.provider:
        case Process(command=command):
            return " ".join(command)
        case Http(method=method, url=url):
            return f"{method} {url}"
        case Verb(name=name):
            if not VERBS[name].on_target:
                raise Refused(
                    f'"{name}" is only for a job of the experiment\'s own',
                    hint="Give a command of yours (provider `process`) for the real thing.",
                )
            return VERBS[name].help
