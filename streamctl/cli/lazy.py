"""Commands that are imported when they are run: the root's help needs only their first lines.

A group of twenty commands costs more than the work of most of them, if all are built at each
start. So the root holds stubs, and puts the real command in a stub's place when it is called.
"""

import importlib
from dataclasses import dataclass
from typing import Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Entry:
    """A command or group of the root.

    Attributes:
        name: as it is typed.
        module: of `streamctl.cli`; its `app` is the group, or holds the command.
        help: the first line of its help; a test compares it with the real one.
        panel: heading under which the root's help lists it.
    """

    name: str
    module: str
    help: str
    panel: str


class LazyGroup(TyperGroup):
    """A root group whose commands are made from entries.

    Set `entries` in a subclass.
    """

    entries: tuple[Entry, ...] = ()

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for entry in self.entries:
            self.add_command(_Stub(entry.name, help=entry.help, rich_help_panel=entry.panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the real command in its stub's place, then find it as usual."""
        self.load(args[0])
        return super().resolve_command(ctx, args)

    def load(self, *names: str) -> None:
        """Build the real commands; all of them when none is named."""
        for entry in self.entries:
            wanted = not names or entry.name in names
            if wanted and isinstance(self.commands[entry.name], _Stub):
                self.add_command(_build(entry), entry.name)


class _Stub(TyperCommand):
    """Stands for a command in the root's help."""


def _build(entry: Entry) -> Any:
    app: typer.Typer = importlib.import_module(f"streamctl.cli.{entry.module}").app
    if app.info.name == entry.name:
        return typer.main.get_group(app)
    only = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    only.registered_commands = [info for info in app.registered_commands if info.name == entry.name]
    return typer.main.get_command(only)
