"""A backup, read as the checkpoint that it holds, without being put back."""

import io
import posixpath
from typing import BinaryIO

from streamctl.checkpoint.backup.format import Manifest, StoredQuery
from streamctl.checkpoint.backup.packs import PackReader, read_index
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.tree.files import Entry, Files, NotAFile
from streamctl.checkpoint.tree.reader import Checkpoint

_SINK = "sink/"


def as_checkpoint(repository: Repository, manifest: Manifest, query: StoredQuery) -> Checkpoint:
    """Open one query of a backup: only what is read is fetched.

    Args:
        repository: of the backup.
        manifest: of the backup.
        query: of the manifest.

    Raises:
        StorageFailed: the repository cannot be read.
    """
    location = f"backup:{manifest.id}"
    return Checkpoint(location=location, files=_Stored(repository, query, location=location))


class _Stored(Files):
    """The files of one query, without the log of its file sink."""

    def __init__(self, repository: Repository, query: StoredQuery, *, location: str) -> None:
        super().__init__(location)
        self._reader = PackReader(repository.store, read_index(repository.store))
        self._files = {file.path: file for file in query.files if not file.path.startswith(_SINK)}
        self._folders: dict[str, dict[str, Entry]] = {"": {}}
        for path, file in self._files.items():
            name = posixpath.basename(path)
            self._add(path, Entry(name, False, file.size_bytes, file.modified_seconds))

    def _add(self, path: str, entry: Entry) -> None:
        folder = posixpath.dirname(path)
        if folder not in self._folders:
            self._folders[folder] = {}
            self._add(folder, Entry(posixpath.basename(folder), True))
        self._folders[folder][entry.name] = entry

    def entries(self, path: str = "", *, details: bool = True) -> list[Entry]:
        """As `Files`; sizes and times are there anyway."""
        del details
        self.calls += 1
        if path not in self._folders:
            raise FileNotFoundError(path)
        return list(self._folders[path].values())

    def exists(self, path: str) -> bool:
        """As `Files`."""
        self.calls += 1
        return path in self._files or path in self._folders

    def open(self, path: str) -> BinaryIO:
        """As `Files`; the file is fetched whole, and each piece has its digest checked."""
        self.calls += 1
        if path in self._folders:
            raise NotAFile(f'"{path}" is not a file')
        if path not in self._files:
            raise FileNotFoundError(path)
        return io.BytesIO(b"".join(self._reader.piece(p) for p in self._files[path].pieces))

    def read_start(self, path: str, length: int) -> bytes:
        """As `Files`."""
        with self.open(path) as stream:
            return stream.read(length)
