"""From a path to the queries whose lag is asked for."""

from collections.abc import Iterator

from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound
from streamctl.lag.measure import Subject


def find_subjects(location: str, *, query: str = "", generation: str = "") -> list[Subject]:
    """A Spark checkpoint by its path, or the queries of a location's generation.

    Args:
        location: of either.
        query: of this name only; empty for all.
        generation: its name; empty for the current one.

    Raises:
        CheckpointNotFound: neither, or no query of that name, or none that has begun.
        StreamctlError: storage fails.
    """
    store = Store.open(location)
    if set(store.names("")) & {layout.OFFSETS, layout.COMMITS, layout.METADATA}:
        name = location.rstrip("/").rpartition("/")[2]
        return [Subject(name=name, checkpoint=Checkpoint.open(location), topic_ids={})]
    chosen = generations.read(store, generation) if generation else generations.current(store)
    if chosen is None:
        raise CheckpointNotFound(
            f'no checkpoint in "{location}"',
            hint="Give a Spark checkpoint, or start the job with `streamctl start`.",
        )
    found = list(_of_generation(store, chosen, query))
    if not found:
        there = ", ".join(generations.queries(store, chosen.name)) or "none"
        raise CheckpointNotFound(
            f'no query "{query}" in "{location}"'
            if query
            else f'no query has begun in "{location}"',
            hint=f"There are: {there}.",
        )
    return found


def _of_generation(
    store: Store, generation: generations.Generation, query: str
) -> Iterator[Subject]:
    for name in generations.queries(store, generation.name):
        if query and name != query:
            continue
        try:
            checkpoint = Checkpoint.open(f"{store.url.rstrip('/')}/{generation.name}/{name}")
        except CheckpointNotFound:
            continue  # made, and ended before its first file
        yield Subject(name=name, checkpoint=checkpoint, topic_ids=generation.topic_ids)
