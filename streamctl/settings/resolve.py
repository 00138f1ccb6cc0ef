"""From layers to one checked model, and an account of each value."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from streamctl.errors import SettingsInvalid
from streamctl.settings.model import Section, Settings
from streamctl.settings.secrets import has_reference, is_secret
from streamctl.settings.sources import Layer, Layers

_LOCATIONS = ("checkpoint.location", "output.location")
_SECRETS = {"http.token"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One setting: its value, where it came from, and what that overrode.

    Attributes:
        overrode: `origin: value` of each source that lost, the nearest first.
    """

    key: str
    value: str
    origin: str
    overrode: list[str]
    description: str


def resolve(layers: Layers) -> Settings:
    """Merge and check.

    Relative locations are taken from where they were written: the project's root for its file,
    the working directory for flags and environment.

    Raises:
        SettingsInvalid: an unknown key, a wrong type, or a secret in plain text. The message
            names the key and its source.
    """
    values: dict[str, dict[str, Any]] = {}
    for key in layers.keys():  # noqa: SIM118 - Layers is not a mapping
        layer, value = layers.found(key)[0]
        _put(values, key, _checked(key, value, layer), layer)
    for key in _LOCATIONS:
        section, field = key.split(".")
        held = values.setdefault(section, {})
        base = layers.found(key)[0][0].base if field in held else layers.root
        held[field] = _absolute(str(held.get(field, _default(key))), base)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise _explain_error(error, layers) from None


def _put(values: dict[str, dict[str, Any]], key: str, value: Any, layer: Layer) -> None:
    section, _, rest = key.partition(".")
    model = _section(section)
    if model is None:
        raise _unknown(key, layer)
    field, _, name = rest.partition(".")
    if name and _holds_options(model, field):
        options = values.setdefault(section, {}).setdefault(field, {})
        options[name] = _option_text(value)
    elif rest in model.model_fields and not _holds_options(model, rest):
        values.setdefault(section, {})[rest] = value
    else:
        raise _unknown(key, layer)


def _holds_options(model: type[Section], field: str) -> bool:
    """Whether a field holds entries of any name."""
    return field in model.model_fields and isinstance(model.model_fields[field].default, dict)


def _option_text(value: Any) -> str:
    """Spark and Kafka write booleans in small letters; TOML gives them as Python's."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _section(name: str) -> type[Section] | None:
    field = Settings.model_fields.get(name)
    return type(field.default) if field else None


def _checked(key: str, value: Any, layer: Layer) -> Any:
    """Refuse a secret in plain text: it would stand in files and in `ps`."""
    named = ".options." in key or key in _SECRETS
    if named and is_secret(key) and value and not has_reference(str(value)):
        raise SettingsInvalid(
            f"{key} ({layer.origin}) holds a secret in plain text",
            hint="Give a reference instead: ${env:NAME} or ${file:/path}.",
        )
    return value


def _unknown(key: str, layer: Layer) -> SettingsInvalid:
    near = difflib.get_close_matches(key, known_keys(), n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else "`streamctl config explain` lists all settings."
    return SettingsInvalid(f'unknown setting "{key}" ({layer.origin})', hint=hint)


def _explain_error(error: ValidationError, layers: Layers) -> SettingsInvalid:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    found = layers.found(key)
    origin = f" ({found[0][0].origin})" if found else ""
    shown = "***" if is_secret(key) else first["input"]
    return SettingsInvalid(
        f'{key}{origin}: "{shown}" is not valid: {first["msg"].lower()}',
        hint=f"`streamctl config explain {key}` tells what it takes.",
    )


def _absolute(location: str, base: Path) -> str:
    if "://" in location:
        return location
    return str((base / Path(location).expanduser()).absolute())


def known_keys() -> list[str]:
    """Every `section.field`, in the model's order."""
    return [
        f"{section}.{field}"
        for section in Settings.model_fields
        for field in (_section(section) or Section).model_fields
    ]


def explain(layers: Layers) -> list[Explained]:
    """Account for every setting, options included.

    Raises:
        SettingsInvalid: as `resolve`.
    """
    settings = resolve(layers)
    rows = []
    for key in known_keys():
        section, field = key.split(".")
        description = type(getattr(settings, section)).model_fields[field].description or ""
        value = getattr(getattr(settings, section), field)
        if isinstance(value, dict):
            rows += [_row(layers, f"{key}.{name}", text, "option") for name, text in value.items()]
        else:
            rows.append(_row(layers, key, value, description))
    return rows


def _row(layers: Layers, key: str, value: Any, description: str) -> Explained:
    found = layers.found(key)
    lost = [f"{layer.origin}: {_shown(key, value)}" for layer, value in found[1:]]
    default = _default(key)
    if found and default is not None:
        lost.append(f"default: {default}")
    return Explained(
        key=key,
        value=_shown(key, value),
        origin=found[0][0].origin if found else "default",
        overrode=lost,
        description=description,
    )


def _default(key: str) -> Any:
    section, field = key.split(".", 1)
    model = _section(section)
    return model.model_fields[field].default if model and field in model.model_fields else None


def _shown(key: str, value: Any) -> str:
    if value and is_secret(key) and not has_reference(str(value)):
        return "***"
    return _option_text(value)
