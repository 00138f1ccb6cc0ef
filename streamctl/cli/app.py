"""The root command."""

import typer

from streamctl import __version__
from streamctl.cli.command import OutputOption, set_root_output
from streamctl.cli.lazy import Entry, LazyGroup

_JOB = "The job"
_CHECKPOINTS = "Checkpoints"
_RECOVER = "Recover"
_SET_UP = "Set up and try"


class Root(LazyGroup):
    """All commands, in the order of the root's help."""

    entries = (
        Entry("start", "job", "Start the job and wait for its first batch.", _JOB),
        Entry(
            "stop",
            "job",
            "Stop the job after the running batch, with proof.",
            _JOB,
        ),
        Entry(
            "restart",
            "job",
            "Stop the job if it runs, and start it anew.",
            _JOB,
        ),
        Entry(
            "status",
            "job",
            "Show what the job does; exit code 3 when it is not well.",
            _JOB,
        ),
        Entry("logs", "job", "Print the log of supervisor, driver and Spark.", _JOB),
        Entry(
            "lag",
            "lag",
            "Say how far the job is behind Kafka, up or down.",
            _JOB,
        ),
        Entry(
            "breaker",
            "breaker",
            "See and move the circuit breaker of the job.",
            _JOB,
        ),
        Entry("top", "observe", "Show the job live: rates, durations, lag, errors, alerts.", _JOB),
        Entry("alerts", "alerts", "See, try and silence alerts.", _JOB),
        Entry(
            "metrics",
            "observe",
            "Print all metrics once, as Prometheus reads them.",
            _JOB,
        ),
        Entry(
            "explain",
            "explain",
            "Explain a finding, an exit code, or an error of Spark.",
            _CHECKPOINTS,
        ),
        Entry(
            "checkpoint",
            "checkpoint",
            "Read and change any Spark checkpoint, without Spark.",
            _CHECKPOINTS,
        ),
        Entry("backup", "backup", "Back up checkpoints, while the job runs too.", _CHECKPOINTS),
        Entry(
            "recover",
            "recover",
            "Find out why the job is down, propose a remedy, apply it, start.",
            _RECOVER,
        ),
        Entry(
            "migrate",
            "migrate",
            "Change the job's code or settings, with a backup and a way back.",
            _RECOVER,
        ),
        Entry(
            "reprocess",
            "reprocess",
            "Run the job over a range again, beside the live job.",
            _RECOVER,
        ),
        Entry(
            "audit",
            "audit",
            "Account for every record: exit code 3 when one is missing.",
            _RECOVER,
        ),
        Entry(
            "poison",
            "poison",
            "Find the records that a batch fails on, and set them aside.",
            _RECOVER,
        ),
        Entry("dlq", "dlq", "See dead letters, replay them once, and clear them away.", _RECOVER),
        Entry(
            "doctor",
            "job",
            "Check all that a start needs, and say how to mend it.",
            _SET_UP,
        ),
        Entry(
            "export",
            "observe",
            "Print a Grafana dashboard, or alert rules for Prometheus.",
            _SET_UP,
        ),
        Entry("config", "config", "Show, explain and begin settings.", _SET_UP),
        Entry(
            "produce",
            "produce",
            "Send telemetry with known flaws, and keep a ledger of it.",
            _SET_UP,
        ),
        Entry("sandbox", "sandbox", "A real Kafka of one node to try things on.", _SET_UP),
        Entry(
            "chaos",
            "chaos",
            "Break a job on purpose and account for every record.",
            _SET_UP,
        ),
        Entry("load", "load", "Find out what rate a job carries.", _SET_UP),
    )


app = typer.Typer(
    name="streamctl",
    cls=Root,
    help="Operate Spark Structured Streaming jobs that read Kafka.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"streamctl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    output: OutputOption = None,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Operate Spark Structured Streaming jobs that read Kafka."""
    del version
    set_root_output(output)
