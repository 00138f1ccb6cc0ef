"""The root command."""

import typer

from streamctl import __version__
from streamctl.cli import checkpoint, config, explain, job, produce, sandbox
from streamctl.cli.command import OutputOption, set_root_output

app = typer.Typer(
    name="streamctl",
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


job.register(app)
app.add_typer(checkpoint.app, name="checkpoint", rich_help_panel="Checkpoints")
explain.register(app, panel="Checkpoints")
app.add_typer(config.app, name="config", rich_help_panel="Set up")
produce.register(app, panel="Try things")
app.add_typer(sandbox.app, name="sandbox", rich_help_panel="Try things")
