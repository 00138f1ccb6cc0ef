"""`streamctl start | stop | restart | status | logs | doctor`."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from streamctl.cli.command import Here, command
from streamctl.cli.moments import parse_moment
from streamctl.cli.render import Facts, Line, Table, View, checks_table
from streamctl.errors import JobNotFound, SettingsInvalid
from streamctl.reports import Event, iso

if TYPE_CHECKING:
    from streamctl.lifecycle.checks import DoctorReport
    from streamctl.lifecycle.logs import LogLine
    from streamctl.lifecycle.start import EndReport, StartReport
    from streamctl.lifecycle.stop import QueryEnd, StopReport
    from streamctl.observe.status import QueryStatus, StatusReport
    from streamctl.rundir.directory import RunDirectory

app = typer.Typer(add_completion=False)
_SHOWN_LOSSES = 10
_Job = Annotated[str | None, typer.Option("--job", help="The job's entry, `module:attribute`.")]
_Master = Annotated[str | None, typer.Option("--master", help="Spark's master, as `local[4]`.")]
_Servers = Annotated[
    str | None, typer.Option("--bootstrap-servers", help="Kafka brokers, `host:port,...`.")
]
_Topic = Annotated[str | None, typer.Option("--topic", help="Topics to read, by commas.")]
_Checkpoint = Annotated[str | None, typer.Option("--checkpoint", help="Checkpoint location.")]
_OutputLocation = Annotated[str | None, typer.Option("--to", help="Output location.")]
_Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the first batch.")]
_NoArchive = Annotated[
    bool, typer.Option("--no-archive", help="Neither make nor use a JVM class-data archive.")
]
_Deadline = Annotated[
    float | None, typer.Option("--deadline", help="Seconds that the running batch may take.")
]


def _run_directory(here: Here) -> "RunDirectory":
    from streamctl.rundir.directory import RunDirectory

    return RunDirectory(here.layers().run_directory)


def _start_view(report: "StartReport | EndReport") -> View:
    from streamctl.lifecycle.start import EndReport

    if isinstance(report, EndReport):
        return [Line(text=f"{report.outcome}, run {report.run_id}")]
    return [
        Line(text=f"{report.outcome} {report.job} ({report.seconds:.1f} s)"),
        Facts(
            rows=[
                ("run", report.run_id),
                ("generation", report.generation),
                *((name, _first_batch(name, report)) for name in report.queries),
                ("supervisor", str(report.supervisor_pid)),
            ]
        ),
    ]


def _first_batch(query: str, report: "StartReport") -> str:
    if not report.waited:
        return "not waited for"
    return "nothing to read yet" if query in report.idle_queries else "committed a batch"


@command(app, "start", view=_start_view)
def start(
    here: Here,
    *,
    job: _Job = None,
    bootstrap_servers: _Servers = None,
    topic: _Topic = None,
    checkpoint: _Checkpoint = None,
    to: _OutputLocation = None,
    master: _Master = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay, for systemd and containers.")
    ] = False,
    wait: _Wait = True,
    no_archive: _NoArchive = False,
) -> "StartReport | EndReport":
    """Start the job and wait for its first batch."""
    from streamctl.lifecycle.start import run_in_foreground
    from streamctl.lifecycle.start import start as start_job
    from streamctl.rundir.directory import RunDirectory
    from streamctl.settings.resolve import resolve

    layers = here.layers(
        job__entry=job,
        kafka__bootstrap_servers=bootstrap_servers,
        kafka__topic=topic,
        checkpoint__location=checkpoint,
        output__location=to,
        spark__master=master,
        spark__class_archive=False if no_archive else None,
    )
    run, settings = RunDirectory(layers.run_directory), resolve(layers)
    if foreground:
        return run_in_foreground(run, settings, project=layers.root, on_event=here.on_event)
    return start_job(run, settings, project=layers.root, wait=wait, on_event=here.on_event)


def _stop_view(report: "StopReport") -> View:
    lines = [Line(text=f"{report.outcome} ({report.seconds:.1f} s)")]
    return [*lines, *(Line(text=_proof(query)) for query in report.queries)]


def _proof(query: "QueryEnd") -> str:
    """What the checkpoint says, in one sentence."""
    if query.committed_batch_id is None:
        ended = "no batch was committed"
    else:
        ended = f"stopped after batch {query.committed_batch_id}"
    if query.batch_in_flight:
        ended += f"; batch {query.planned_batch_id} is planned and will run with the same offsets"
    offsets = [
        f"{topic} " + " ".join(f"{partition}:{offset}" for partition, offset in sorted(at.items()))
        for topic, at in sorted(query.next_offsets.items())
    ]
    reads = f"; the next start reads from {', '.join(offsets)}" if offsets else ""
    return f"{query.name}: {ended}{reads}"


@command(app, "stop", view=_stop_view)
def stop(
    here: Here,
    *,
    deadline: _Deadline = None,
    now: Annotated[
        bool, typer.Option("--now", help="Interrupt the running batch; it will run again.")
    ] = False,
) -> "StopReport":
    """Stop the job after the running batch, with proof.

    The proof is read from the checkpoint: where the next start will read from.
    """
    return _stop(here, deadline=deadline, now=now)


def _stop(here: Here, *, deadline: float | None, now: bool) -> "StopReport":
    from streamctl.lifecycle.stop import stop as stop_job

    if deadline is None:
        deadline = here.settings().stop.deadline_seconds
    elif deadline <= 0:
        raise SettingsInvalid("--deadline must be above 0", hint="Use --now to interrupt at once.")
    return stop_job(
        _run_directory(here), deadline_seconds=deadline, now_at_once=now, on_event=here.on_event
    )


@command(app, "restart", view=_start_view)
def restart(here: Here, *, deadline: _Deadline = None, wait: _Wait = True) -> "StartReport":
    """Stop the job if it runs, and start it anew.

    Settings are taken as they are now.
    """
    from streamctl.lifecycle.start import start as start_job
    from streamctl.rundir.directory import RunDirectory
    from streamctl.settings.resolve import resolve

    layers = here.layers()
    settings = resolve(layers)
    try:
        ended = _stop(here, deadline=deadline, now=False)
        for query in ended.queries:
            here.on_event(Event(message=_proof(query)))
    except JobNotFound:
        pass  # nothing to stop
    run = RunDirectory(layers.run_directory)
    return start_job(run, settings, project=layers.root, wait=wait, on_event=here.on_event)


def _status_view(report: "StatusReport") -> View:
    facts: list[tuple[str, object]] = [
        ("job", report.job),
        ("verdict", report.verdict),
        ("state", f"{report.observed} (wanted: {report.desired})"),
        ("attempt", f"{report.attempt}, {report.restarts} restarts, {report.attempts_left} left"),
        ("uptime", _duration(report.uptime_seconds)),
        ("generation", f"{report.generation} in {report.checkpoint_location}"),
    ]
    if report.breaker and report.breaker.circuit != "closed":
        circuit = report.breaker
        trial = f", next trial {iso(circuit.next_trial_at)}" if circuit.next_trial_at else ""
        facts.append(("breaker", f"{circuit.circuit}: {circuit.reason}{trial}"))
    if report.url:
        facts.append(("page", report.url))
    if report.standby_pid:
        facts.append(("standby", f"process {report.standby_pid}"))
    facts += [
        ("catching up", f"{query.name}, up to {query.bound_rows:,} records a batch")
        for query in report.queries
        if query.catching_up
    ]
    facts += [("reason", reason) for reason in report.reasons]
    if report.failure:
        facts.append(("last error", f"{report.failure.failure_class}: {report.failure.message}"))
        facts.append(("remedy", report.failure.hint))
    columns = ("query", "planned", "committed", "rows", "rows/s", "ms", "late", "rejected")
    table = Table(
        columns=columns,
        rows=[_query_row(query) for query in report.queries],
        right=frozenset(range(1, len(columns))),
    )
    watermarks = Table(
        columns=("query", "watermark", "last batch", "not known"),
        rows=[
            (query.name, query.watermark, query.batch_at, query.unknown) for query in report.queries
        ],
    )
    return [Facts(rows=facts), table, watermarks, _losses_table(report)]


def _losses_table(report: "StatusReport") -> Table:
    """The newest ranges that were passed over unread."""
    return Table(
        columns=("lost by", "batch", "topic", "p", "from", "before", "records", "why"),
        rows=[
            (
                loss.query,
                loss.batch_id,
                loss.topic,
                loss.partition,
                loss.start_offset,
                loss.end_offset,
                loss.records,
                loss.cause,
            )
            for loss in report.losses[-_SHOWN_LOSSES:]
        ],
        right=frozenset({1, 3, 4, 5, 6}),
    )


def _query_row(query: "QueryStatus") -> tuple[object, ...]:
    rate = query.processed_rows_per_second
    return (
        query.name,
        query.planned_batch_id,
        query.committed_batch_id,
        query.total_rows,
        None if rate is None else round(rate),
        query.batch_duration_ms,
        query.late_rows,
        sum(query.rejected_rows.values()) if query.rejected_rows else None,
    )


def _duration(seconds: float | None) -> str:
    return "" if seconds is None else str(timedelta(seconds=round(seconds)))


@command(app, "status", view=_status_view)
def status(
    here: Here,
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again.")] = False,
    every: Annotated[float, typer.Option("--every", help="Seconds between looks.", min=0.1)] = 2.0,
) -> "StatusReport | Iterator[StatusReport]":
    """Show what the job does; exit code 3 when it is not well."""
    from streamctl.observe.status import read_status

    run = _run_directory(here)
    return here.watch(lambda: read_status(run), every=every) if watch else read_status(run)


def _log_view(line: "LogLine") -> View:
    return [Line(text=line.text)]


@command(app, "logs", view=_log_view)
def logs(
    here: Here,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines.")] = False,
    last: Annotated[
        int | None, typer.Option("--last", "-n", help="So many lines from the end.", min=0)
    ] = None,
    level: Annotated[str, typer.Option("--level", help="This level and above.")] = "DEBUG",
    since: Annotated[
        str, typer.Option("--since", help="A time, or 90s, 15m, 2h, 1d ago.", show_default=False)
    ] = "",
    query: Annotated[str, typer.Option("--query", help="Of this query.", show_default=False)] = "",
    grep: Annotated[
        str, typer.Option("--grep", help="Lines that match this expression.", show_default=False)
    ] = "",
) -> "Iterator[LogLine]":
    """Print the log of supervisor, driver and Spark."""
    from streamctl.lifecycle.logs import Filter, read_log
    from streamctl.rundir.log import LEVELS

    if level.upper() not in LEVELS:
        raise SettingsInvalid(f'no level "{level}"', hint=f"Give one of {', '.join(LEVELS)}.")
    wanted = Filter(
        level=level.upper(),
        since=parse_moment(since, option="--since") if since else None,
        query=query,
        pattern=_pattern(grep),
    )
    return read_log(_run_directory(here), wanted, last=last, follow=follow)


def _pattern(text: str) -> str:
    import re

    try:
        re.compile(text)
    except re.error as error:
        raise SettingsInvalid(
            f'--grep "{text}" is not an expression: {error}', hint="Escape special characters."
        ) from error
    return text


def _doctor_view(report: "DoctorReport") -> View:
    return [checks_table(report.checks)]


@command(app, "doctor", view=_doctor_view)
def doctor(here: Here) -> "DoctorReport":
    """Check all that a start needs, and say how to mend it."""
    from streamctl.lifecycle.checks import Subject, run_all
    from streamctl.rundir.directory import RunDirectory
    from streamctl.settings.resolve import resolve

    layers = here.layers()
    return run_all(
        Subject(
            settings=resolve(layers),
            run=RunDirectory(layers.run_directory),
            on_event=here.on_event,
            project=layers.root,
            may_change=False,
        )
    )
