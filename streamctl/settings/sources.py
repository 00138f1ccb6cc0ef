"""Where settings come from, and which source wins.

Order: flag, environment, project file (`streamctl.toml`, found upward), named context, default.
This is our own rather than pydantic-settings because `config explain` names each value's origin
and what it overrode, and because `status` must find its run directory without importing pydantic.

Keys are flat, `section.field`; a key that goes on (`spark.options.spark.ui.enabled`) is an entry
of a field that holds options.
"""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamctl.errors import SettingsInvalid

PROJECT_FILE = "streamctl.toml"
PREFIX = "STREAMCTL_"

# The names that such jobs are usually given; they work as they are.
PLAIN_NAMES = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka.bootstrap_servers",
    "KAFKA_TOPIC": "kafka.topic",
    "CHECKPOINT_LOCATION": "checkpoint.location",
}
# Variables of ours that are not settings of the job.
_NOT_SETTINGS = {
    *("CONTEXT", "RUN_DIRECTORY", "CACHE", "DEBUG", "IVY_SETTINGS"),
    *("SCRATCH", "CLASS_PATH", "CLASS_ARCHIVE"),  # what a driver or child is told by who starts it
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One source: its name for the operator, and its values by flat key."""

    origin: str
    values: Mapping[str, Any]
    base: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """All sources, the winning one first.

    Attributes:
        root: the project: the directory of its file, else the working directory.
        context: name of the context in use; empty for none.
        run_directory: files shared with the supervisor and the driver.
    """

    layers: list[Layer]
    root: Path
    context: str
    run_directory: Path

    def found(self, key: str) -> list[tuple[Layer, Any]]:
        """Each source that has the key, the winning one first."""
        return [(layer, layer.values[key]) for layer in self.layers if key in layer.values]

    def keys(self) -> list[str]:
        """All keys that any source has, sorted."""
        return sorted({key for layer in self.layers for key in layer.values})


def collect(
    *,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    directory: Path,
    context: str = "",
    run_directory: Path | None = None,
) -> Layers:
    """Read all sources.

    Args:
        flags: values from the command line, by flat key.
        environ: the process's environment.
        directory: where to begin looking upward for the project file.
        context: name of a context; empty for the one that the environment or project names.
        run_directory: overrides the project's own.

    Raises:
        SettingsInvalid: a file cannot be read, or the context is not defined.
    """
    project_file = find_project_file(directory)
    project = read_toml(project_file) if project_file else {}
    root = project_file.parent if project_file else directory
    context = context or environ.get(f"{PREFIX}CONTEXT", "") or str(project.pop("context", ""))
    project.pop("context", None)
    layers = [
        Layer(origin="flag", values=dict(flags), base=directory),
        Layer(origin="environment", values=_from_environment(environ), base=directory),
    ]
    if project_file:
        layers.append(
            Layer(origin=str(project_file), values=dict(_flatten(project)), base=root),
        )
    if context:
        layers.append(_context_layer(context, environ))
    chosen = run_directory or _run_directory(environ, root, context)
    return Layers(layers=layers, root=root, context=context, run_directory=chosen.absolute())


def _run_directory(environ: Mapping[str, str], root: Path, context: str) -> Path:
    if given := environ.get(f"{PREFIX}RUN_DIRECTORY"):
        return Path(given)
    return root / ".streamctl" / (context or "default")


def find_project_file(directory: Path) -> Path | None:
    """`streamctl.toml` in the directory or the nearest one above it."""
    for folder in (directory, *directory.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder / PROJECT_FILE
    return None


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        SettingsInvalid: it cannot be read; the message names the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsInvalid(
            f'cannot read "{path}": {str(error).lower()}',
            hint="Mend the file; `streamctl config init --print` shows one that is right.",
        ) from error


def contexts_file(environ: Mapping[str, str]) -> Path:
    """Where the user's named contexts are kept."""
    home = environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "streamctl" / "contexts.toml"


def _context_layer(context: str, environ: Mapping[str, str]) -> Layer:
    path = contexts_file(environ)
    contexts = read_toml(path) if path.is_file() else {}
    if not isinstance(contexts.get(context), dict):
        known = ", ".join(sorted(contexts)) or "none"
        raise SettingsInvalid(
            f'context "{context}" is not defined; known: {known}',
            hint=f'Add a table [{context}] to "{path}", or name another context.',
        )
    values = dict(_flatten(contexts[context]))
    return Layer(origin=f"context {context}", values=values, base=path.parent)


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {
        key: environ[name] for name, key in PLAIN_NAMES.items() if environ.get(name)
    }
    for name, text in environ.items():
        rest = name.removeprefix(PREFIX)
        if rest == name or rest in _NOT_SETTINGS:
            continue
        section, _, field = rest.lower().partition("__")
        values.update(_entries(f"{section}.{field}", text))
    return values


def _entries(key: str, text: str) -> Iterator[tuple[str, Any]]:
    """A field that holds options takes a JSON object from the environment."""
    if key.endswith((".options", ".levels")) and text.lstrip().startswith("{"):
        try:
            yield from ((f"{key}.{name}", item) for name, item in json.loads(text).items())
        except ValueError as error:
            raise SettingsInvalid(
                f"{key} from the environment is not a JSON object: {error}",
                hint='Write it as {"name": "value"}.',
            ) from error
    else:
        yield key, text


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def parse_assignments(assignments: list[str]) -> dict[str, str]:
    """Read `--set section.field=value`.

    Raises:
        SettingsInvalid: no `=` or no section in it.
    """
    values = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or "." not in key:
            raise SettingsInvalid(
                f'cannot read --set "{text}"',
                hint="Write it as --set section.field=value, such as --set kafka.topic=events.",
            )
        values[key.strip()] = value.strip()
    return values


def here(
    *,
    assignments: list[str] | None = None,
    flags: Mapping[str, Any] | None = None,
    context: str = "",
    run_directory: Path | None = None,
) -> Layers:
    """`collect` for this process: its environment and working directory."""
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    return collect(
        flags=parse_assignments(assignments or []) | given,
        environ=os.environ,
        directory=Path.cwd(),
        context=context,
        run_directory=run_directory,
    )
