"""Guard: checkpoint and output of a generation are of one moment.

Spark's file sink skips every batch id that its log already holds, whatever the query, so a
checkpoint that begins anew beside an old output loses records without a word. Where the log lacks
batches that are committed, readers miss their rows, and the query dies when the log is next
compacted (Spark `FileStreamSink.addBatch`, `CompactibleFileStreamLog`).

The log holds absolute paths, so an output that was moved cannot be read any more either.

Whether a query writes files is in no checkpoint. The run directory tells it of the last run; where
that says nothing, only a log that is there is judged, and only for what would be skipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streamctl.checkpoint.change.sink import local
from streamctl.checkpoint.formats import filelog
from streamctl.checkpoint.location import generations
from streamctl.checkpoint.location.store import Store
from streamctl.checkpoint.tree import layout
from streamctl.errors import ExitCode, Malformed, Refused
from streamctl.observe.status import newest_lines
from streamctl.rundir.directory import RunDirectory

_FILE_SINK = "FileSink["


class OutputOfAnotherMoment(Refused):
    """The sink would skip batches, or lacks some that are committed."""

    exit_code = ExitCode.WOULD_NOT_START


@dataclass(frozen=True, slots=True, kw_only=True)
class _Query:
    """One query: its newest batches, and what its last run wrote to.

    Attributes:
        planned, committed: -1 for none.
        writes_files: None when it is not known.
        in_sink: newest batch of the sink's log; -1 without a log.
        lost: a file that the log names elsewhere, where it is not; "" for none.
    """

    name: str
    planned: int
    committed: int
    writes_files: bool | None
    in_sink: int
    lost: str


def require_fit(store: Store, output: str, *, generation: str, run: RunDirectory) -> str:
    """Compare the sink's log with the logs of the checkpoint, for each query.

    Args:
        store: checkpoint location; the generation may not be there yet.
        output: output location.
        generation: name of the one to run in.
        run: of the job; its last progress tells what each query wrote to.

    Returns:
        What was seen, in words.

    Raises:
        OutputOfAnotherMoment: going on would lose records, or end the query later.
        StorageFailed: a store cannot be read.
    """
    sinks = Store.open(generations.base(output, generation))
    before = _file_sinks(run, generation)
    seen = []
    for name in sorted({*generations.queries(store, generation), *sinks.names(""), *before}):
        location = f"{store.url.rstrip('/')}/{generation}/{name}"
        query = _look(location, sinks, name, writes_files=before.get(name))
        if query.writes_files is False:
            continue
        _require(query, output=sinks.at(name))
        seen += [f"{name} has batch {query.in_sink}"] if query.in_sink >= 0 else []
    return f"{sinks.url}: {', '.join(seen) or 'no log of batches yet'}"


def sink_of(store: Store, output: str, *, generation: str, query: str, run: RunDirectory) -> str:
    """The output of one query whose log is to be compared; "" where there is none.

    As with `require_fit`: where the last run does not say that it wrote files, only a log that
    would skip batches counts.

    Args:
        store: checkpoint location.
        output: output location.
        generation: of the query.
        query: its name.
        run: of the job.

    Raises:
        StorageFailed: a store cannot be read.
    """
    sinks = Store.open(generations.base(output, generation))
    said = _file_sinks(run, generation).get(query)
    location = f"{store.url.rstrip('/')}/{generation}/{query}"
    found = _look(location, sinks, query, writes_files=said)
    counts = found.in_sink > found.planned if said is None else said
    return f"{sinks.url.rstrip('/')}/{query}" if counts else ""


def _file_sinks(run: RunDirectory, generation: str) -> dict[str, bool]:
    """Query -> whether it wrote files when it last ran in this generation."""
    return {
        name: line["sink"].startswith(_FILE_SINK)
        for name, line in newest_lines(run.progress_file).items()
        if line["generation"] == generation and line.get("sink")
    }


def _look(location: str, sinks: Store, name: str, *, writes_files: bool | None) -> _Query:
    """The sink's log between two looks at the checkpoint: a running job is never misjudged."""
    committed = _newest(location, layout.COMMITS)
    chain = filelog.chain(sinks.names(f"{name}/{layout.SINK_LOG}"))
    return _Query(
        name=name,
        planned=_newest(location, layout.OFFSETS),
        committed=committed,
        writes_files=writes_files,
        in_sink=-1 if chain.latest is None else chain.latest,
        lost=_lost(sinks, name, chain.needed),
    )


def _lost(sinks: Store, name: str, logs: Sequence[str]) -> str:
    """A file of the newest batch that wrote any, when it is neither here nor where it should be."""
    for log in reversed(logs):
        place = f"{name}/{layout.SINK_LOG}/{log}"
        try:
            entries = filelog.parse_file_log(sinks.read(place) or b"", name=place)
        except Malformed:
            return ""  # Spark says so
        if entries:
            path = local(entries[-1].path) or ""
            base = Path(sinks.at(name)).absolute()
            is_here = not sinks.is_local or Path(path).is_relative_to(base)
            return "" if is_here or Path(path).exists() else path
    return ""


def _newest(location: str, log: str) -> int:
    """The newest batch of one of a checkpoint's logs; -1 for none."""
    return max(layout.batch_ids(Store.open(f"{location}/{log}").names("")), default=-1)


def _require(query: _Query, *, output: str) -> None:
    if query.lost:
        raise OutputOfAnotherMoment(
            f'the output "{output}" was moved: its log names "{query.lost}"',
            hint="Move it back, or `streamctl checkpoint rotate` goes on with a new output.",
        )
    if query.in_sink > query.planned:
        back = (
            f"`streamctl checkpoint rewind --query {query.name} --to-batch {query.committed}` "
            "takes the output back"
            if query.committed >= 0
            else "Give the job another output with `--set output.location=...`"
        )
        raise OutputOfAnotherMoment(
            f'the output "{output}" has {_up_to(query.in_sink)}, the checkpoint '
            f"{_up_to(query.planned)}: the sink would skip those between",
            hint=f"{back}, or move that directory away.",
        )
    if query.writes_files and query.in_sink < query.committed:
        back = (
            f"`streamctl checkpoint rewind --query {query.name} --to-batch {query.in_sink}` "
            "runs them again"
            if query.in_sink >= 0
            else "`streamctl checkpoint rotate` goes on with a new output"
        )
        raise OutputOfAnotherMoment(
            f'the output "{output}" has {_up_to(query.in_sink)}, and batch {query.committed} is '
            "committed",
            hint=f"Bring the output back. {back}.",
        )


def _up_to(batch_id: int) -> str:
    return f"batches up to {batch_id}" if batch_id >= 0 else "none"
