"""A checkpoint location holds generations: each one Spark checkpoint per query.

```
CHECKPOINT_LOCATION/0001/<query>/     Spark writes here and nobody else
CHECKPOINT_LOCATION/_streamctl/       current.json, generations/, lease.json, journal/
OUTPUT/0001/<query>/                  output of the same generation
```
Checkpoint and output begin anew together, because Spark's file sink skips every batch id that
its own log already holds, whatever the query. The current generation is a pointer: what makes
a new one moves and deletes nothing, so the way back is the pointer's old value.
"""

import json
import posixpath
from dataclasses import dataclass, field
from datetime import datetime

from streamctl.checkpoint.location.store import Store
from streamctl.errors import Malformed, NotFound
from streamctl.reports import as_json

_OURS = "_streamctl"
POINTER = f"{_OURS}/current.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One start from nothing, and what it began with.

    Attributes:
        name: four digits or more, counted from `0001`.
        job: entry of the job that made it, `module:attribute`.
        starting_offsets: Kafka offsets as JSON, explicit for every partition.
        topic_ids: topic -> the broker's id of it, to notice a topic made anew.
        why: what asked for it.
        request: what a reprocessing was asked for; empty for the live line.
        ending_offsets: Kafka offsets as JSON at which its work is done; empty for never.
        bounded: whether records from the ending offsets on are left out.
        output_location: where its output lies, when not where the settings say.
    """

    name: str
    created_at: datetime
    job: str
    starting_offsets: str
    why: str
    topic_ids: dict[str, str] = field(default_factory=dict)
    request: str = ""
    ending_offsets: str = ""
    bounded: bool = False
    output_location: str = ""


def current(store: Store) -> Generation | None:
    """The generation that the next start uses; None before the first start.

    Raises:
        Malformed: the pointer or the record is damaged.
    """
    pointer = store.read(POINTER)
    if pointer is None:
        return None
    try:
        return _parse(store, json.loads(pointer)["generation"])
    except (FileNotFoundError, ValueError, TypeError, KeyError) as error:
        raise Malformed(
            f'the pointer to the current generation under "{store.at(_OURS)}" is damaged: {error}',
            hint="Write the generation's name into current.json by hand, or restore a backup.",
        ) from error


def read(store: Store, name: str) -> Generation:
    """The record of one generation.

    Raises:
        NotFound: there is none of that name.
        Malformed: it is damaged.
    """
    try:
        return _parse(store, name)
    except FileNotFoundError:
        raise NotFound(
            f'no generation "{name}" in "{store.url}"', hint=f"There are {recorded(store)}."
        ) from None
    except (ValueError, TypeError, KeyError) as error:
        raise Malformed(f'the record of generation "{name}" is damaged: {error}') from error


def recorded(store: Store) -> list[str]:
    """Names of all generations that have a record, oldest first."""
    return sorted(
        (name.removesuffix(".json") for name in store.names(_RECORDS) if name.endswith(".json")),
        key=lambda name: (len(name), name),
    )


def _parse(store: Store, name: str) -> Generation:
    data = store.read(record_name(name))
    if data is None:
        raise FileNotFoundError(name)
    fields = json.loads(data)
    return Generation(**fields | {"created_at": datetime.fromisoformat(fields["created_at"])})


def next_name(store: Store) -> str:
    """The name after the highest in use, whether recorded or only a directory."""
    names = [*store.names(""), *(name.removesuffix(".json") for name in store.names(_RECORDS))]
    return f"{max((int(name) for name in names if name.isdigit()), default=0) + 1:04d}"


def add(store: Store, generation: Generation) -> None:
    """Record a generation and point to it. The record is whole before the pointer moves."""
    record(store, generation)
    point(store, generation.name)


def record(store: Store, generation: Generation) -> None:
    """Write the record of a generation, without making it the current one."""
    name, text = next(iter(files(generation).items()))
    store.replace(name, text.encode())


def point(store: Store, name: str) -> None:
    """Let the next start use a generation that is recorded."""
    store.replace(POINTER, pointer_to(name).encode())


def files(generation: Generation) -> dict[str, str]:
    """What records a generation and points to it, in the order of writing."""
    return {
        record_name(generation.name): json.dumps(as_json(generation), indent=1),
        POINTER: pointer_to(generation.name),
    }


def pointer_to(name: str) -> str:
    """The text of the pointer to a generation."""
    return json.dumps({"generation": name})


def queries(store: Store, generation: str) -> list[str]:
    """Names of the queries that have a checkpoint in this generation."""
    return [name for name in store.names(generation) if not name.startswith((".", "_"))]


def base(location: str, generation: str) -> str:
    """Where a generation lies below a checkpoint or output location."""
    return posixpath.join(location, generation)


_RECORDS = f"{_OURS}/generations"


def record_name(name: str) -> str:
    """Of the file that records a generation, below the location."""
    return f"{_RECORDS}/{name}.json"
