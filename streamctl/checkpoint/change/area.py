"""Where streamctl keeps lease, journal and trash of a checkpoint.

A location of ours has them in `_streamctl/`. A checkpoint that Spark alone made has them beside it,
in `<parent>/.<name>.streamctl/_streamctl/`: never inside, because a stray file there stops a query.
The trash lies where one rename reaches it: beside what it takes.
"""

import os
import posixpath
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from streamctl.checkpoint.location import generations, lease
from streamctl.checkpoint.location.lease import Lease
from streamctl.checkpoint.location.store import StorageFailed, Store
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files, local_path
from streamctl.errors import Busy, Malformed, Unsupported

OURS = "_streamctl"
LEASE_SECONDS = 600.0
TRASH_SUFFIX = ".streamctl"


@dataclass(frozen=True, slots=True)
class Area:
    """Lease, journal and trash.

    Attributes:
        store: what holds `_streamctl/`.
        location: the checkpoint location that the area belongs to, or Spark's own directory.
        has_generations: it is a location of ours.
    """

    store: Store
    location: str
    has_generations: bool

    @property
    def trash(self) -> str:
        """Directory of the trash of what lies in the location itself."""
        return self.store.at(f"{OURS}/trash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The checkpoint of one query, and what belongs to it.

    Attributes:
        area: its lease, journal and trash.
        path: the checkpoint, absolute.
        query: its name in a generation; "" for a checkpoint that Spark alone made.
        generation: its generation's name; "" likewise.
        sink: output directory of its file sink, absolute; "" when there is none, or none is known.
        sink_known: no sink means that there is none.
    """

    area: Area
    path: str
    query: str
    generation: str
    sink: str
    sink_known: bool


def area_of(location: str) -> Area:
    """The area of a checkpoint location, of a query's directory in one, or of a bare checkpoint.

    Raises:
        CheckpointNotFound: nothing is there.
    """
    location = local_path(location) or location
    if _is_ours(location):
        return Area(Store.open(location), location, has_generations=True)
    parts = location.rstrip("/").split("/")
    above = "/".join(parts[:-2]) or "/"
    if len(parts) > 2 and parts[-2].isdigit() and _is_ours(above):  # noqa: PLR2004
        return Area(Store.open(above), above, has_generations=True)
    return Area(Store.open(beside(location)), location, has_generations=False)


def beside(path: str) -> str:
    """The directory of ours beside a directory that is not ours: hidden from Spark's readers."""
    full = local_path(path) or path.rstrip("/")
    head, name = posixpath.split(full)
    return posixpath.join(head, f".{name}{TRASH_SUFFIX}")


def _is_ours(location: str) -> bool:
    try:
        names = {entry.name for entry in Files(location).entries(details=False)}
    except (FileNotFoundError, Malformed):
        return False
    return OURS in names and not names & {layout.OFFSETS, layout.COMMITS, layout.METADATA}


def target(location: str, *, query: str = "", sink: str = "", output: str = "") -> Target:
    """The checkpoint that a path means, and its sink.

    Args:
        location: a bare checkpoint, a location of ours, or a query's directory in one.
        query: which query, where there are several.
        sink: output directory of the file sink; "" to look for it in `output`.
        output: where generations put their output; "" for nowhere.

    Raises:
        CheckpointNotFound: none, or several.
        Unsupported: on an object store, which has no rename.
    """
    from streamctl.checkpoint.location.find import find

    path = local_path(find(location, query=query).location)
    if path is None:
        raise Unsupported(
            f'the checkpoint "{location}" is on an object store, where no tree can be exchanged',
            hint="`streamctl checkpoint rotate --carry-offsets` goes on from its offsets anew.",
        )
    area = area_of(path)
    name, generation = "", ""
    if area.has_generations:
        generation, name = path.split("/")[-2:]
        if generation in generations.recorded(area.store):
            output = generations.read(area.store, generation).output_location or output
    return Target(
        area=area,
        path=path,
        query=name,
        generation=generation,
        sink=_sink(sink, output, generation, name),
        sink_known=bool(sink or (output and generation and local_path(output) is not None)),
    )


def local_sink(sink: str) -> str:
    """The absolute path of an output that is given as a path or URL; "" for none.

    Raises:
        Unsupported: it is on an object store.
    """
    if not sink:
        return ""
    path = local_path(sink)
    if path is None:
        raise Unsupported(f'the output "{sink}" is on an object store, which has no rename')
    return path


def _sink(sink: str, output: str, generation: str, query: str) -> str:
    if sink:
        return local_sink(sink)
    if not (output and generation):
        return ""
    path = local_path(posixpath.join(output, generation, query))
    if path is None:
        return ""
    return path if os.path.isdir(posixpath.join(path, layout.SINK_LOG)) else ""  # noqa: PTH112


class Held:
    """The lease of an area while a command works. `beat` it in long work."""

    def __init__(self, area: Area, held: Lease) -> None:
        self.area = area
        self._lease = held
        self._renewed = time.monotonic()

    def beat(self) -> None:
        """Renew the lease when a third of it has passed.

        Raises:
            LeaseLost: it is no longer ours.
        """
        if time.monotonic() - self._renewed > LEASE_SECONDS / 3:
            self.confirm()

    def confirm(self) -> None:
        """Renew the lease before what cannot be taken back by looking away.

        Raises:
            LeaseLost: it is no longer ours.
        """
        self._lease = lease.renew(self.area.store, self._lease, now=datetime.now(UTC))
        self._renewed = time.monotonic()

    def release(self) -> None:
        """Give it back. Where that fails, it binds nobody once this process is gone."""
        with suppress(StorageFailed):
            lease.release(self.area.store, self._lease)


@contextmanager
def held(area: Area, verb: str) -> Iterator[Held]:
    """Hold the lease, so that no start and no other command comes in between.

    Raises:
        Busy: the job runs, or another command works.
        StorageFailed: the lease cannot be written.
    """
    owner, now = f"checkpoint {verb}", datetime.now(UTC)
    taken, _ = lease.acquire(area.store, owner=owner, seconds=LEASE_SECONDS, now=now)
    holding = Held(area, taken)
    try:
        _require_alone(area, now)
        yield holding
    finally:
        holding.release()


def _require_alone(area: Area, now: datetime) -> None:
    """Guard against a run in a generation that is not the current one: it has its own lease.

    Raises:
        Busy: there is one.
    """
    for name in area.store.names(OURS):
        generation = name.removeprefix("lease-").removesuffix(".json")
        if name == f"lease-{generation}.json":
            binding = lease.holder(area.store, now=now, generation=generation)
            if binding is not None:
                raise Busy(
                    f"generation {generation} is in use by {binding.describe()}",
                    hint="Stop that run first.",
                )


def new_id(verb: str, *, now: datetime) -> str:
    """The name of a change: it begins with the time, so that names are in order."""
    return f"{now:%Y%m%dT%H%M%S.%f}-{verb.replace(' ', '-')}-{uuid.uuid4().hex[:8]}"


def slot_folder(area: Area, home: str, change: str) -> str:
    """Where the trash keeps what a change takes.

    Args:
        area: of the checkpoint.
        home: an output directory, whose trash lies beside it; "" for the checkpoint's own.
        change: the change's id.
    """
    return f"{beside(home)}/{OURS}/trash/{change}" if home else f"{area.trash}/{change}"


def remove_tree(path: str) -> None:
    """Remove a tree or file of the trash for good; nothing to do when it is not there."""
    with suppress(FileNotFoundError):
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
            shutil.rmtree(path)
        else:
            os.unlink(path)  # noqa: PTH108
