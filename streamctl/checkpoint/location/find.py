"""Find the checkpoint that a path means: Spark's own directory, or a location of streamctl's."""

from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound, Malformed

_OURS = "_streamctl"


def find(location: str, *, query: str = "") -> Checkpoint:
    """Open the checkpoint at a location, or of one query in its current generation.

    Args:
        location: a checkpoint, or a checkpoint location that holds generations.
        query: the query's name, where a generation has several.

    Raises:
        CheckpointNotFound: none there, or several and none is named.
        StreamctlError: storage fails.
    """
    found = _paths(location, query=query)
    if len(found) != 1:
        raise CheckpointNotFound(f'"{location}" has several queries', hint=_names(list(found)))
    return Checkpoint.open(next(iter(found.values())))


def find_all(location: str, *, query: str = "") -> dict[str, Checkpoint]:
    """Open every checkpoint of the current generation, by its query's name, or the named one.

    A checkpoint of Spark's own goes by `query`, or else by its directory's name.

    Raises:
        CheckpointNotFound: none there.
        StreamctlError: storage fails.
    """
    found = _paths(location, query=query)
    return {name: Checkpoint.open(path) for name, path in found.items()}


def _paths(location: str, *, query: str) -> dict[str, str]:
    try:
        names = {entry.name for entry in Files(location).entries(details=False)}
    except (FileNotFoundError, Malformed):
        names = set()
    base = location.rstrip("/")
    if _OURS not in names or names & {layout.OFFSETS, layout.COMMITS, layout.METADATA}:
        return {query or base.rpartition("/")[2]: location}
    store = Store.open(location)
    generation = generations.current(store)
    if generation is None:
        raise CheckpointNotFound(
            f'no generation was started in "{location}"', hint="Start it with `streamctl start`."
        )
    there = generations.queries(store, generation.name)
    if not there:
        raise CheckpointNotFound(f'"{location}" has no query yet', hint=_names(there))
    if query and query not in there:
        raise CheckpointNotFound(f'no query "{query}" in "{location}"', hint=_names(there))
    return {name: f"{base}/{generation.name}/{name}" for name in ([query] if query else there)}


def _names(there: list[str]) -> str:
    if not there:
        return "Start it with `streamctl start`."
    return f"Name one with `--query`: {', '.join(sorted(there))}."
