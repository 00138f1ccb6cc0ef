"""Secrets are references: they are resolved where they are used and never printed.

`${env:NAME}` stands for an environment variable, `${file:/path}` for a file's text without
its last line end. A reference may stand inside a longer value, such as a JAAS line.
"""

import os
import re
from pathlib import Path

from streamctl.errors import SettingsInvalid

_REFERENCE = re.compile(r"\$\{(env|file):([^}]+)\}")
_SECRET_KEY = re.compile(
    r"password|secret|token|jaas|\.key$|credential|^alerts\.(receivers|heartbeat)$", re.IGNORECASE
)


def is_secret(key: str) -> bool:
    """Whether a setting of this name holds something that must not be seen."""
    return bool(_SECRET_KEY.search(key))


def has_reference(value: str) -> bool:
    """Whether the value holds a reference."""
    return bool(_REFERENCE.search(value))


def resolve(value: str) -> str:
    """Put the secrets in the place of their references.

    Raises:
        SettingsInvalid: a variable is not set or a file cannot be read.
    """
    return _REFERENCE.sub(_lookup, value)


def _lookup(found: re.Match[str]) -> str:
    kind, name = found.groups()
    if kind == "env":
        if name not in os.environ:
            raise SettingsInvalid(
                f'secret "{found.group()}" cannot be resolved: the variable is not set',
                hint=f"Set the environment variable {name} where the job is started.",
            )
        return os.environ[name]
    try:
        return Path(name).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SettingsInvalid(
            f'secret "{found.group()}" cannot be resolved: {error.strerror}',
            hint="Give the path of a file that the user of the job may read.",
        ) from error
