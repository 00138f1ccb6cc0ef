"""`streamctl config`: what is set, and why."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamctl.cli.command import Here, command
from streamctl.cli.render import Line, Table, View

if TYPE_CHECKING:
    from streamctl.settings.resolve import Explained

app = typer.Typer(name="config", help="Show, explain and begin settings.", no_args_is_help=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsReport:
    """All settings with their origins."""

    settings: "list[Explained]"
    run_directory: Path
    context: str


def _show_view(report: SettingsReport) -> View:
    rows = [(row.key, row.value) for row in report.settings]
    return [Table(columns=("setting", "value"), rows=rows)]


def _explain_view(report: SettingsReport) -> View:
    rows = [
        (row.key, row.value, row.origin, "; ".join(row.overrode), row.description)
        for row in report.settings
    ]
    return [Table(columns=("setting", "value", "from", "overrode", "what it is"), rows=rows)]


def _report(here: Here, key: str = "") -> SettingsReport:
    from streamctl.errors import NotFound
    from streamctl.settings.resolve import explain

    layers = here.layers()
    rows = [row for row in explain(layers) if row.key.startswith(key)]
    if not rows:
        raise NotFound(f'no setting "{key}"', hint="`streamctl config explain` lists all settings.")
    return SettingsReport(settings=rows, run_directory=layers.run_directory, context=layers.context)


@command(app, "show", view=_show_view)
def show(here: Here) -> SettingsReport:
    """Print every setting and its value."""
    return _report(here)


@command(app, "explain", view=_explain_view)
def explain_command(
    here: Here,
    key: Annotated[str, typer.Argument(help="A setting or a section; all by default.")] = "",
) -> SettingsReport:
    """Tell where each value came from and what it overrode."""
    return _report(here, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitReport:
    """A new project file.

    Attributes:
        path: None when it was only printed.
    """

    path: Path | None
    text: str


def _init_view(report: InitReport) -> View:
    return [Line(text=f'wrote "{report.path}"' if report.path else report.text.rstrip())]


@command(app, "init", view=_init_view)
def init(
    here: Here,
    print_only: Annotated[bool, typer.Option("--print", help="Print it, write nothing.")] = False,
) -> InitReport:
    """Write a `streamctl.toml` with every setting explained and commented out."""
    from streamctl.errors import Refused
    from streamctl.settings.sources import PROJECT_FILE

    del here
    text, path = _project_text(), Path.cwd() / PROJECT_FILE
    if print_only:
        return InitReport(path=None, text=text)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Refused(
            f'"{path}" is already there',
            hint="Edit it, or see what `streamctl config init --print` would write.",
        ) from None
    return InitReport(path=path, text=text)


def _project_text() -> str:
    from streamctl.settings.model import Settings

    lines = ["# Settings of this project. Uncomment what you change.", ""]
    for section, field in Settings.model_fields.items():
        lines += [f"[{section}]", f"# {type(field.default).__doc__}"]
        lines += [
            line
            for name, item in type(field.default).model_fields.items()
            for line in (f"# {item.description}", f"#{name} = {_toml(item.default)}")
        ]
        lines.append("")
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{}"
    return f'"{value}"' if isinstance(value, str) else str(value)
