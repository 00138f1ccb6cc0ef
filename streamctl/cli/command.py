"""What all commands have in common: flags, output, errors, exit codes.

A command parses, calls one function and returns its report. The wrapper made here adds `-o`
(and the flags for settings), draws the report, and turns it or an error into an exit code.
"""

import functools
import inspect
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from streamctl.cli import render
from streamctl.cli.progress import watcher
from streamctl.cli.render import Output, View
from streamctl.errors import LASTING, ExitCode, Interrupted, StreamctlError
from streamctl.reports import Event, OnEvent, Verdict

if TYPE_CHECKING:
    from streamctl.settings.model import Settings
    from streamctl.settings.sources import Layers


T = TypeVar("T")
OutputOption = Annotated[
    Output | None,
    typer.Option("-o", "--output", help="Default: tsv off a terminal."),
]
_ContextOption = Annotated[
    str, typer.Option("--context", help="Named context to take settings from.", show_default=False)
]
_RunDirectoryOption = Annotated[
    Path | None,
    typer.Option("--run-directory", help="Files of this job; default: the project's.", hidden=True),
]
_SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting, such as kafka.topic=events."),
]


@dataclass(kw_only=True)
class Here:
    """What a command is given of its surroundings.

    Attributes:
        path: the command's own, as it is typed.
        output: how the report will be written.
        warnings: sentences for the operator; also part of the JSON envelope.
        on_event: shows a step of long work on stderr.
    """

    path: str
    output: Output
    context: str = ""
    run_directory: Path | None = None
    assignments: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    on_event: OnEvent = field(default=lambda _: None)

    def layers(self, **flags: Any) -> "Layers":
        """Settings from all sources; `flags` by key with `__` for the dot, None for not given."""
        from streamctl.settings.sources import here

        named = {key.replace("__", "."): value for key, value in flags.items()}
        return here(
            assignments=self.assignments,
            flags=named,
            context=self.context,
            run_directory=self.run_directory,
        )

    def settings(self, **flags: Any) -> "Settings":
        """The same, merged and checked."""
        from streamctl.settings.resolve import resolve

        return resolve(self.layers(**flags))

    def watch(self, look: Callable[[], T], *, every: float) -> Iterator[T]:
        """Look again and again until interrupted; `every` in seconds.

        A look that fails is told on stderr, and the next one may not.
        """
        while True:
            if self.output is Output.TABLE:
                sys.stdout.write("\x1b[H\x1b[2J")
                sys.stdout.flush()
            try:
                yield look()
            except LASTING:
                raise
            except StreamctlError as error:
                render.write_error(error, output=self.output, command=self.path)
            time.sleep(every)

    def warn(self, sentence: str) -> None:
        """Tell the operator something that is not the answer."""
        self.warnings.append(sentence)


def command(
    app: typer.Typer,
    name: str = "",
    *,
    view: Callable[[Any], View],
    panel: str | None = None,
    hidden: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as a command.

    Args:
        app: the group it belongs to.
        name: as it is typed; empty for what the group itself does without a subcommand.
        view: draws the report for a person; JSON is derived from the dataclass.
        panel: heading under which `--help` lists it.
        hidden: not listed.

    The function's first parameter is `here: Here`. It returns a report, or an iterator of
    reports for `--watch`. A report with a `verdict` other than ok makes exit code 3.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            if not name and kwargs.pop("group").invoked_subcommand:
                return
            here = _here(kwargs, path=_command_path(app, name))
            _guarded(here, lambda: _answer(here, view, function(here, *args, **kwargs)))

        _add_flags(run, function, group=not name)
        if name:
            app.command(name, rich_help_panel=panel, hidden=hidden)(run)
        else:
            app.callback(invoke_without_command=True)(run)
        return function

    return register


_ADDED: dict[str, tuple[Any, Any]] = {
    "context": (_ContextOption, ""),
    "run_directory": (_RunDirectoryOption, None),
    "assignments": (_SetOption, None),
    "output": (OutputOption, None),
}


def _add_flags(run: Any, function: Callable[..., Any], *, group: bool) -> None:
    """Give the wrapper the function's parameters without `here`, and the common flags.

    A group is told its context as well, which knows whether a subcommand follows.
    """
    own = list(inspect.signature(function).parameters.values())[1:]
    added = flags(_ADDED)
    if group:
        kind = inspect.Parameter.KEYWORD_ONLY
        added.append(inspect.Parameter("group", kind, annotation=typer.Context))
    run.__signature__ = inspect.Signature([*own, *added])
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *added]}
    del run.__wrapped__


def flags(given: Mapping[str, tuple[Any, Any]]) -> list[inspect.Parameter]:
    """Keyword parameters of these names, hints and defaults."""
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
        for name, (hint, default) in given.items()
    ]


def _here(kwargs: dict[str, Any], *, path: str) -> Here:
    given = {name: kwargs.pop(name) for name in _ADDED}
    output = given["output"] or _root_output or _default_output()
    return Here(
        path=path,
        output=output,
        context=given["context"],
        run_directory=given["run_directory"],
        assignments=given["assignments"] or [],
        on_event=watcher(json=output is Output.JSON),
    )


_root_output: Output | None = None


def set_root_output(output: Output | None) -> None:
    """Remember `-o` given before the command's name."""
    global _root_output  # noqa: PLW0603 - one process, one command
    _root_output = output


def _default_output() -> Output:
    return Output.TABLE if sys.stdout.isatty() else Output.TSV


def _command_path(app: typer.Typer, name: str) -> str:
    group = app.info.name
    return f"{group} {name}".strip() if isinstance(group, str) and group != "streamctl" else name


def _answer(here: Here, view: Callable[[Any], View], result: Any) -> ExitCode:
    """Write one report, or each of a stream of them; the last one's verdict counts."""
    code = ExitCode.DONE
    for report in result if isinstance(result, Iterator) else [result]:
        here.on_event(Event(message=""))
        render.write(
            report, view=view, output=here.output, command=here.path, warnings=here.warnings
        )
        verdict = getattr(report, "verdict", Verdict.OK)
        code = ExitCode.DONE if verdict is Verdict.OK else ExitCode.FOUND
        code = getattr(report, "exit_code", code)
    return code


def _guarded(here: Here, work: Callable[[], ExitCode]) -> None:
    """The error boundary: one line and the way out on stderr, and the right exit code."""
    try:
        code = work()
    except StreamctlError as error:
        render.write_error(error, output=here.output, command=here.path)
        code = error.exit_code
    except KeyboardInterrupt:
        render.write_error(Interrupted("interrupted"), output=here.output, command=here.path)
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - the reader has gone; exit quietly
        code = ExitCode.DONE
    except Exception as error:  # noqa: BLE001 - the last line of defence
        if os.environ.get("STREAMCTL_DEBUG"):
            traceback.print_exc()
        render.write_error(_unexpected(error), output=here.output, command=here.path)
        code = ExitCode.FAILED
    finally:
        here.on_event(Event(message=""))
    raise typer.Exit(int(code))


_STORAGE_CLIENTS = {"botocore", "aiobotocore", "aiohttp", "gcsfs", "google", "azure"}
"""Packages below fsspec whose errors are no `OSError`."""


def _unexpected(error: Exception) -> StreamctlError:
    if type(error).__module__.partition(".")[0] in _STORAGE_CLIENTS:
        words = " ".join(str(error).split())
        return StreamctlError(
            f"the object store failed: {words}",
            hint="Check its address, the credentials and the network between here and there.",
        )
    return StreamctlError(
        f"unexpected {type(error).__name__}: {error}",
        hint="This is a defect of streamctl. Run again with STREAMCTL_DEBUG=1 for the whole story.",
    )
