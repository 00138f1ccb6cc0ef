"""The door to storage: list a directory, read a file, count the calls.

fsspec reaches every store but one: a local directory is listed with `os.scandir`, because fsspec's
local listing resolves and describes each name on its own and takes ten times as long on the tens
of thousands of small files that a state store keeps. Nothing else in this package touches storage.
"""

import os
import stat
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast

from streamctl.errors import Malformed, NotFound, StreamctlError, Unsupported

READ_LIMIT_BYTES = 64 << 20
"""No log entry, schema or sidecar is larger; a larger file is not what its name says."""

T = TypeVar("T")
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure"}


class NotAFile(Malformed):
    """A directory or a device has the name of a file."""


class Unreadable(StreamctlError):
    """Storage refuses a file or directory, or breaks; what is in it is not known.

    Args:
        path: relative, as it was asked for.
        reason: what storage says.
    """

    def __init__(self, path: str, reason: object) -> None:
        super().__init__(f'cannot read "{path}": {reason}')
        self.path = path


class Entry(NamedTuple):
    """One name in a directory. A tuple, because there may be a hundred thousand.

    Attributes:
        name: the last part of the path.
        is_directory: true for a directory.
        size_bytes: length of the file; 0 for a directory, or when details were not asked for.
        modified_seconds: seconds since 1970 in UTC; None when the store does not say.
    """

    name: str
    is_directory: bool
    size_bytes: int = 0
    modified_seconds: float | None = None


class Files:
    """The files under one location, read only. Paths are relative, with `/`.

    Args:
        location: a local path, a `file:` URL, or any URL that fsspec knows.

    Attributes:
        location: as given.
        calls: listings and reads so far.

    Raises:
        Unsupported: no filesystem is installed for the URL's scheme.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self.calls = 0
        self._root = local_path(location)
        self._fs: Any = None
        if self._root is None:
            self._fs, self._root = _remote(location)

    @property
    def is_local(self) -> bool:
        """True for a directory of this host."""
        return self._fs is None

    @property
    def takes_many(self) -> bool:
        """Whether reading several files at once is safe and of use: an async store of fsspec's."""
        return takes_many(self._fs)

    def path(self, path: str) -> str:
        """The full path, as the filesystem calls it."""
        return f"{self._root}/{path}" if path else str(self._root)

    def entries(self, path: str = "", *, details: bool = True) -> list[Entry]:
        """List a directory, in no order: one call, whatever its length.

        Args:
            path: the directory.
            details: sizes and times too, but not of Hadoop's sidecars, which are half of the names.

        Raises:
            FileNotFoundError: no such directory.
            Unreadable: the store refuses or fails.
        """
        self.calls += 1
        if self._fs is None:
            return _guard(path, lambda: _scan(self.path(path), details=details))
        return _guard(path, lambda: self._remote_entries(path))

    def exists(self, path: str) -> bool:
        """True when something of this name is there."""
        self.calls += 1
        if self._fs is None:
            return os.path.lexists(self.path(path))
        return bool(_guard(path, lambda: self._fs.exists(self.path(path))))

    def open(self, path: str) -> BinaryIO:
        """Open a regular file to read it in pieces.

        Raises:
            FileNotFoundError: no such file.
            NotAFile: the name is a directory or a device.
            Unreadable: the store refuses or fails.
        """
        self.calls += 1
        if self._fs is None:
            return _guard(path, lambda: _open_regular(self.path(path)))
        return _guard(path, lambda: cast("BinaryIO", self._fs.open(self.path(path), "rb")))

    def read_start(self, path: str, length: int) -> bytes:
        """The first bytes of a file, all of them where it is shorter: one system call to read.

        Raises: as `open`.
        """
        if self._fs is not None:
            with self.open(path) as stream:
                return _guard(path, lambda: stream.read(length))
        self.calls += 1
        return _guard(path, lambda: _read_start(self.path(path), length))

    def read(self, path: str, *, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        """Read a whole file.

        Raises:
            FileNotFoundError: no such file.
            Malformed: larger than the limit, or not a regular file.
            Unreadable: the store refuses or fails.
        """
        with self.open(path) as stream:
            data = _guard(path, lambda: stream.read(limit_bytes + 1))
        if len(data) > limit_bytes:
            raise Malformed(f'"{path}" is larger than {limit_bytes} bytes')
        return data

    def _remote_entries(self, path: str) -> list[Entry]:
        full = self.path(path)
        self._fs.invalidate_cache(full)
        own = full.rstrip("/").rsplit("/", 1)[-1]
        found = []
        for item in self._fs.ls(full, detail=True):
            name = str(item["name"]).rstrip("/").rsplit("/", 1)[-1]
            if name == own and str(item["name"]).strip("/") == full.strip("/"):
                if item["type"] != "directory":
                    raise NotADirectoryError(full)
                continue  # object stores list the directory's own marker
            found.append(
                Entry(
                    name=name,
                    is_directory=item["type"] == "directory",
                    size_bytes=int(item.get("size") or 0),
                    modified_seconds=_modified(item),
                )
            )
        return found


def takes_many(fs: object) -> bool:
    """Whether reading several files at once is safe and of use: an async store of fsspec's."""
    return bool(getattr(fs, "async_impl", False))


def local_path(location: str) -> str | None:
    """The absolute path of a local location (a path, `file:/x` or `file:///x`), otherwise None."""
    if location.startswith("file:"):
        location = "/" + location.removeprefix("file:").lstrip("/")
    elif "://" in location:
        return None
    return os.path.abspath(os.path.expanduser(location))  # noqa: PTH100, PTH111  pathlib is slow to import


def _remote(location: str) -> tuple[Any, str]:
    import fsspec

    scheme = location.split("://", 1)[0]
    try:
        fs, root = fsspec.core.url_to_fs(location)
    except ImportError as error:
        extra = _EXTRAS.get(scheme, scheme)
        raise Unsupported(
            f'no filesystem is installed for "{scheme}://"',
            hint=f"Install it with `pip install 'streamctl[{extra}]'`.",
        ) from error
    except ValueError as error:
        raise Unsupported(f'"{scheme}://" is not a filesystem that fsspec knows') from error
    return fs, str(root).rstrip("/")


def _scan(path: str, *, details: bool) -> list[Entry]:
    found = []
    with os.scandir(path) as names:
        for item in names:
            name, is_directory = item.name, item.is_dir()
            if is_directory or not details or (name[0] == "." and name.endswith(".crc")):
                found.append(Entry(name, is_directory))
                continue
            try:
                seen = item.stat()
            except FileNotFoundError:
                continue  # purged between the listing and the look
            found.append(Entry(name, is_directory, seen.st_size, seen.st_mtime))
    return found


def _open_regular(path: str) -> BinaryIO:
    # Not blocking: a foreign pipe in a checkpoint must not stop the reader for ever.
    stream = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")  # noqa: SIM115, PTH123
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise IsADirectoryError(path)
    return stream


def _read_start(path: str, length: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(descriptor, length)
    finally:
        os.close(descriptor)


def _modified(item: dict[str, Any]) -> float | None:
    for key in ("mtime", "LastModified", "last_modified", "updated", "modified", "created"):
        value = item.get(key)
        if isinstance(value, int | float):
            return float(value)
        if value is not None and hasattr(value, "timestamp"):
            return float(value.timestamp())
    return None


def _guard(path: str, work: Callable[[], T]) -> T:
    try:
        return work()
    except (FileNotFoundError, NotFound):
        raise
    except IsADirectoryError as error:
        raise NotAFile(f'"{path}" is not a file') from error
    except NotADirectoryError as error:
        raise Malformed(f'"{path}" is not a directory') from error
    except OSError as error:
        raise Unreadable(path, error.strerror or error) from error
