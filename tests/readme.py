"""The README's tables, made from the code."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import typer.main

from streamctl.cli.app import app
from streamctl.errors import EXIT_MEANINGS
from streamctl.settings.model import Settings

README = Path(__file__).parents[1] / "README.md"
TRACK_RECORD = Path(__file__).parent / "data" / "track-record.json"


def root():
    """The whole command tree."""
    group = typer.main.get_command(app)
    group.load()
    return group


def commands(group=None, path: str = "streamctl") -> Iterator[tuple[str, str]]:
    """Every command with its first line of help, in the order of `--help`."""
    group = group or root()
    for name, found in group.commands.items():
        if found.hidden:
            continue
        if hasattr(found, "commands"):
            yield from commands(found, f"{path} {name}")
        else:
            yield f"{path} {name}", (found.help or "").splitlines()[0]


def table(*rows: tuple[str, ...]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def settings_rows() -> Iterator[tuple[str, str, str]]:
    """Every setting, its default and what it is."""
    for section, outer in Settings.model_fields.items():
        for name, field in type(outer.default).model_fields.items():
            default = "" if field.default in ("", {}) else f"`{_text(field.default)}`"
            yield f"`{section}.{name}`", default, field.description or ""


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def track_record() -> Iterator[tuple[str, str, str]]:
    """What campaigns found, each with the command that shows it: `data/track-record.json`."""
    for run in json.loads(TRACK_RECORD.read_text(encoding="utf-8")):
        yield f"`{run['command']}`", run["did"], run["found"]


def sections() -> dict[str, str]:
    """The generated parts by the name of their marker."""
    return {
        "commands": table(("command", "what it does"), *((f"`{n}`", h) for n, h in commands())),
        "settings": table(("setting", "default", "what it is"), *settings_rows()),
        "exit-codes": table(
            ("exit", "meaning"), *((str(int(code)), text) for code, text in EXIT_MEANINGS.items())
        ),
        "track-record": table(("command", "what it did", "what it found"), *track_record()),
    }


def render(readme: str) -> str:
    """The README with its generated parts as they should be."""
    for name, text in sections().items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        readme = re.sub(
            pattern, lambda found, t=text: f"{found[1]}{t}\n{found[2]}", readme, flags=re.DOTALL
        )
    return readme


def main() -> int:
    before = README.read_text(encoding="utf-8")
    after = render(before)
    if "--check" not in sys.argv:
        README.write_text(after, encoding="utf-8")
        return 0
    return int(before != after)


if __name__ == "__main__":
    sys.exit(main())
