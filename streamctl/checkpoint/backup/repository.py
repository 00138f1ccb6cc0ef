"""A repository: opened or begun, its manifests listed, its marks kept."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from streamctl.checkpoint.backup.format import (
    FORMAT,
    Manifest,
    Mark,
    manifest_fields,
    parse_manifest,
    seal,
)
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree.files import local_path
from streamctl.errors import Malformed, NotFound, Unsupported

_ABOUT = "repository.json"
LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Repository:
    """Where backups are.

    Attributes:
        store: its directory.
    """

    store: Store

    @classmethod
    def open(cls, url: str, *, create: bool = False) -> "Repository":
        """Open one; `create` begins it when there is nothing.

        Raises:
            NotFound: there is none.
            Unsupported: of a newer format.
            StorageFailed: it cannot be read or begun.
        """
        store = Store.open(url)
        data = store.read(_ABOUT)
        if data is None and not create:
            raise NotFound(
                f'no backups in "{url}"',
                hint="Take one with `streamctl backup take`, or name --from.",
            )
        if data is None:
            about = {"format": FORMAT, "id": uuid.uuid4().hex}
            store.create(_ABOUT, json.dumps(about).encode())
            data = store.read(_ABOUT) or b"{}"
        try:
            found = json.loads(data)["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise Malformed(f'"{store.at(_ABOUT)}" is damaged: {error}') from error
        if found > FORMAT:
            raise Unsupported(
                f'the repository "{url}" has format {found}, this release knows {FORMAT}',
                hint="Use a newer release of streamctl.",
            )
        return cls(store)

    def ids(self) -> list[str]:
        """Of all backups, oldest first, readable or not."""
        return [name for name in self.store.names("manifests") if not name.endswith(".tmp")]

    def manifest(self, backup_id: str, *, location: str = "") -> Manifest:
        """One backup, by its id or the beginning of it; `latest` for the newest.

        Args:
            backup_id: of any backup.
            location: what `latest` is the newest of; empty for all that are here.

        Raises:
            NotFound: none, or several that begin so.
            Malformed, Unsupported: its manifest cannot be read.
        """
        if backup_id == LATEST and location:
            return self._newest_of(location)
        name = self.find(backup_id)
        data = self.store.read(f"manifests/{name}")
        if data is None:
            raise NotFound(f'no backup "{name}"')
        return parse_manifest(data, name=name)

    def _newest_of(self, location: str) -> Manifest:
        """Several jobs may share a repository: another's backup is never meant by `latest`."""
        here = local_path(location) or location
        for _, manifest in reversed(list(self.manifests())):
            if manifest and (local_path(manifest.location) or manifest.location) == here:
                return manifest
        raise NotFound(
            f'no backup of "{location}" in "{self.store.url}"',
            hint="`streamctl backup list` shows what there is; name one by its id.",
        )

    def find(self, backup_id: str) -> str:
        """The whole id of a backup.

        Raises:
            NotFound: none, or several that begin so.
        """
        ids = self.ids()
        if backup_id == LATEST and ids:
            return ids[-1]
        found = [name for name in ids if name.startswith(backup_id)]
        if len(found) != 1:
            what = "no backup" if not found else f"{len(found)} backups begin with"
            raise NotFound(
                f'{what} "{backup_id}"', hint="`streamctl backup list` shows what there is."
            )
        return found[0]

    def manifests(self) -> Iterator[tuple[str, Manifest | None]]:
        """All backups, oldest first; None for one whose manifest cannot be read."""
        for name in self.ids():
            try:
                yield name, self.manifest(name)
            except (Malformed, Unsupported, NotFound):
                yield name, None

    def add(self, manifest: Manifest) -> int:
        """Write a manifest: from now on it is a backup; return its length."""
        data = seal("manifest", manifest_fields(manifest))
        self.store.replace(f"manifests/{manifest.id}", data)
        return len(data)

    def forget(self, backup_id: str) -> None:
        """Remove a manifest and its marks; the content stays until `prune`."""
        self.store.remove(f"manifests/{backup_id}")
        self.store.remove(f"marks/{backup_id}.json")

    def mark(self, backup_id: str) -> Mark:
        """What is known of a backup."""
        data = self.store.read(f"marks/{backup_id}.json")
        try:
            return Mark(**json.loads(data)) if data else Mark()
        except (ValueError, TypeError):
            return Mark()  # a damaged mark proves nothing

    def put_mark(self, backup_id: str, **changes: Any) -> Mark:
        """Change what is known of a backup."""
        mark = replace(self.mark(backup_id), **changes)
        self.store.replace(f"marks/{backup_id}.json", json.dumps(asdict(mark)).encode())
        return mark
