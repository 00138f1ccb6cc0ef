"""Small whole files under a path or URL, through fsspec: created once, or replaced as a whole.

A local file is written beside and renamed; on an object store one PUT is whole by itself.
"""

import os
import posixpath
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from streamctl.checkpoint.location.local import LocalFiles
from streamctl.checkpoint.tree.files import local_path, takes_many
from streamctl.errors import StreamctlError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class StorageFailed(StreamctlError):
    """The filesystem or object store refused or broke."""


@dataclass(frozen=True, slots=True)
class Store:
    """A directory on some filesystem.

    Attributes:
        fs: the filesystem.
        path: the directory, without scheme.
        url: as the user wrote it.
    """

    fs: "AbstractFileSystem | LocalFiles"
    path: str
    url: str

    @classmethod
    def open(cls, url: str) -> Self:
        """Open a path or URL; nothing is read.

        Raises:
            StorageFailed: the scheme needs a package that is not installed, or is not known.
        """
        local = local_path(url)
        if local is not None:
            return cls(fs=LocalFiles(), path=local, url=url)
        import fsspec

        try:
            fs, path = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise StorageFailed(
                f'cannot open "{url}": {error}',
                hint="Install the extra for this storage, such as `pip install streamctl[s3]`.",
            ) from error
        return cls(fs=fs, path=path.rstrip("/") or "/", url=url)

    @property
    def is_local(self) -> bool:
        """Whether it is the machine's own filesystem."""
        return isinstance(self.fs, LocalFiles)

    @property
    def takes_many(self) -> bool:
        """Whether reading several files at once is safe and of use, as of `Files`."""
        return takes_many(self.fs)

    def at(self, name: str) -> str:
        """The path of something below."""
        return posixpath.join(self.path, name)

    def read(self, name: str) -> bytes | None:
        """The whole file, or None when there is none."""
        try:
            return bytes(self.fs.cat_file(self.at(name)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _failed("read", self.at(name), error) from error

    def read_range(self, name: str, start: int, length: int) -> bytes | None:
        """Part of a file, shorter where the file ends; None when there is none."""
        path = self.at(name)
        try:
            if isinstance(self.fs, LocalFiles):
                with open(path, "rb") as file:  # noqa: PTH123
                    return os.pread(file.fileno(), length, start)
            return bytes(self.fs.cat_file(path, start=start, end=start + length))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _failed("read", path, error) from error

    def size(self, name: str) -> int:
        """Length of a file; 0 when there is none."""
        try:
            return int(self.fs.size(self.at(name)) or 0)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise _failed("look at", self.at(name), error) from error

    def replace(self, name: str, *parts: bytes) -> None:
        """Write the file, of its parts in order; a reader sees the old bytes or the new."""
        path = self.at(name)
        try:
            if not isinstance(self.fs, LocalFiles):
                self.fs.pipe_file(path, b"".join(parts))
                return
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            beside = Path(f"{path}.{uuid.uuid4().hex}.tmp")
            try:
                self._write(str(beside), "wb", *parts)
                beside.replace(path)
            except OSError:
                beside.unlink(missing_ok=True)  # on a full disk it would keep its space
                raise
        except OSError as error:
            raise _failed("write", path, error) from error

    def create(self, name: str, data: bytes) -> bool:
        """Create the file; False when it is there already. One of several callers succeeds."""
        path = self.at(name)
        try:
            self.fs.makedirs(posixpath.dirname(path), exist_ok=True)
            if self.is_local:
                beside = f"{path}.{uuid.uuid4().hex}.tmp"
                self._write(beside, "wb", data)
                try:
                    os.link(beside, path)  # exclusive, and never seen half-written
                finally:
                    Path(beside).unlink(missing_ok=True)
            else:
                self._write(path, "xb", data)
        except FileExistsError:
            return False
        except OSError as error:
            raise _failed("create", path, error) from error
        return True

    def remove(self, name: str) -> None:
        """Remove the file; nothing to do when it is not there."""
        try:
            self.fs.rm_file(self.at(name))
        except FileNotFoundError:
            return
        except OSError as error:
            raise _failed("remove", self.at(name), error) from error

    def names(self, folder: str) -> list[str]:
        """Names directly below a folder, sorted; empty when there is no folder."""
        self.fs.invalidate_cache()
        try:
            entries = self.fs.ls(self.at(folder), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _failed("list", self.at(folder), error) from error
        return sorted(posixpath.basename(str(entry).rstrip("/")) for entry in entries)

    def _write(self, path: str, mode: str, *parts: bytes) -> None:
        with self.fs.open(path, mode) as file:
            file.writelines(parts)
            if self.is_local:
                file.flush()
                os.fsync(file.fileno())


def _failed(verb: str, path: str, error: OSError) -> StorageFailed:
    return StorageFailed(
        f'cannot {verb} "{path}": {error.strerror or error}',
        hint="See that the location exists, has space, and may be written by this user.",
    )
