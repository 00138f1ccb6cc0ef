"""From a path to the queries that a backup holds."""

import hashlib
import posixpath
from typing import Any

from streamctl.checkpoint.backup.take import Source
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound
from streamctl.reports import as_json


def find_sources(
    location: str, *, query: str, output: str, sink: str
) -> tuple[list[Source], dict[str, Any] | None]:
    """A Spark checkpoint by its path, or the queries of a location's current generation.

    Args:
        location: path or URL.
        query: only this one.
        output: where generations put their output; empty for nowhere.
        sink: output of the file sink of a checkpoint given by its path.

    Returns:
        The queries, and the record of the generation, None for a bare checkpoint.

    Raises:
        CheckpointNotFound: nothing there, or nothing of that name.
        StorageFailed: the store cannot be read.
    """
    store = Store.open(location)
    if set(store.names("")) & {layout.OFFSETS, layout.COMMITS, layout.METADATA}:
        return [Source(name="", checkpoint=Checkpoint.open(location), sink=sink)], None
    generation = generations.current(store)
    if generation is None:
        raise CheckpointNotFound(
            f'no checkpoint in "{location}"',
            hint="Give a Spark checkpoint, or start the job with `streamctl start`.",
        )
    base = generations.base(store.url.rstrip("/"), generation.name)
    made = generation.output_location or output
    found = [
        Source(
            name=name,
            checkpoint=Checkpoint.open(f"{base}/{name}"),
            sink=posixpath.join(generations.base(made, generation.name), name) if made else "",
        )
        for name in generations.queries(store, generation.name)
        if not query or name == query
    ]
    if not found:
        raise CheckpointNotFound(
            f'generation {generation.name} in "{location}" has no query "{query}"'
            if query
            else f'no query has begun in "{location}"'
        )
    return found, as_json(generation)


def settings_digest(text: str) -> str:
    """To tell whether two backups were taken under the same settings."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
