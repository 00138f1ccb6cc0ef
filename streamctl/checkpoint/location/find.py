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
    try:
        names = {entry.name for entry in Files(location).entries(details=False)}
    except (FileNotFoundError, Malformed):
        names = set()
    if _OURS not in names or names & {layout.OFFSETS, layout.COMMITS, layout.METADATA}:
        return Checkpoint.open(location)
    store = Store.open(location)
    generation = generations.current(store)
    if generation is None:
        raise CheckpointNotFound(
            f'no generation was started in "{location}"', hint="Start it with `streamctl start`."
        )
    there = generations.queries(store, generation.name)
    if query and query not in there:
        raise CheckpointNotFound(f'no query "{query}" in "{location}"', hint=_names(there))
    if not query and len(there) != 1:
        what = "several queries" if there else "no query yet"
        raise CheckpointNotFound(f'"{location}" has {what}', hint=_names(there))
    name = query or there[0]
    return Checkpoint.open(f"{location.rstrip('/')}/{generation.name}/{name}")


def _names(there: list[str]) -> str:
    if not there:
        return "Start it with `streamctl start`."
    return f"Name one with `--query`: {', '.join(sorted(there))}."
