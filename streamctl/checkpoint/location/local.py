"""The machine's own filesystem with the few methods of fsspec's that `Store` asks for.

Importing fsspec takes longer than most commands work, and a local path needs none of it.
"""

import os
from pathlib import Path
from typing import Any, BinaryIO


class LocalFiles:
    """As `fsspec.implementations.local.LocalFileSystem`, for whole small files."""

    def cat_file(self, path: str) -> bytes:
        """All bytes."""
        return Path(path).read_bytes()

    def size(self, path: str) -> int:
        """Length in bytes."""
        return Path(path).stat().st_size

    def ls(self, path: str, *, detail: bool = False) -> list[str]:
        """Paths directly below."""
        del detail
        return [f"{path}/{name}" for name in os.listdir(path)]  # noqa: PTH208

    def open(self, path: str, mode: str) -> BinaryIO:
        """A binary stream."""
        found: Any = open(path, mode)  # noqa: SIM115, PTH123
        return found  # type: ignore[no-any-return]

    def makedirs(self, path: str, *, exist_ok: bool = False) -> None:
        """The directory and those above it."""
        Path(path).mkdir(parents=True, exist_ok=exist_ok)

    def rm_file(self, path: str) -> None:
        """Remove a file."""
        Path(path).unlink()

    def invalidate_cache(self) -> None:
        """Nothing is kept."""
