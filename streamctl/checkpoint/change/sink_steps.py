"""The steps that take a file sink back: its log as a tree, the files of dropped batches one by one.

Readers that go by the log do not see those files any more; readers that list the directory would.
"""

import os
from dataclasses import dataclass, field
from typing import Any

from streamctl.checkpoint.change.guards import ACCEPT_FINDINGS
from streamctl.checkpoint.change.plan import Item, Kind, Obstacle, Step
from streamctl.checkpoint.change.sink import SinkPlan, local, plan_sink
from streamctl.checkpoint.change.walk import sizes
from streamctl.checkpoint.formats.filelog import FileEntry, chain, parse_file_log
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files
from streamctl.errors import ExitCode

_LOG_LIMIT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSteps:
    """What a plan does with the sink."""

    steps: tuple[Step, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def sink_steps(sink: str, batch_id: int) -> SinkSteps:
    """Take a file sink back to a batch.

    Args:
        sink: its directory; "" for none.
        batch_id: the last to keep; -1 for none.

    Raises:
        FileNotFoundError, Malformed, Unsupported: its log cannot be read.
    """
    if not sink:
        return SinkSteps()
    place = f"{sink}/{layout.SINK_LOG}"
    files = Files(place)

    def read(name: str) -> tuple[FileEntry, ...]:
        return parse_file_log(files.read(name, limit_bytes=_LOG_LIMIT_BYTES), name=name)

    there = files.entries(details=False) if os.path.isdir(place) else []  # noqa: PTH112
    plan = plan_sink((entry.name for entry in there), read, batch_id)
    problem = plan.problem or _moved(sink, plan)
    if problem:
        return SinkSteps(obstacles=(_obstacle(sink, problem),))
    if not plan.logs:
        return SinkSteps(facts={"latest_batch_id": plan.latest, "files": 0})
    data, outside = _data(sink, plan)
    moved = f"{len(outside)} files of dropped batches are not below {sink} and stay."
    return SinkSteps(
        steps=(_log(sink, place, plan), *data),
        facts={
            "latest_batch_id": plan.latest,
            "logs": len(plan.logs),
            "compactions_written": sorted(plan.written),
            "files": len(plan.files),
            "size_bytes": sum(step.size_bytes for step in data),
        },
        notes=(moved,) if outside else (),
    )


def newest_logged(sink: str) -> int | None:
    """The newest batch in a file sink's log; None when there is none, or no sink.

    It is written before the batch's commit: a planned batch may have its output already.
    """
    if not sink:
        return None
    try:
        names = [entry.name for entry in Files(sink).entries(layout.SINK_LOG, details=False)]
    except FileNotFoundError:
        return None
    return chain(names).latest


def _moved(sink: str, plan: SinkPlan) -> str:
    """An output that was moved: its log has absolute paths, and readers go by them.

    A restored generation refers to files of the output before it: those are there.
    """
    for uri in plan.kept:
        path = local(uri)
        if path is None or (not path.startswith(f"{sink}/") and not os.path.lexists(path)):
            return f'its log names files that are not there, such as "{uri}"'
    return ""


def _obstacle(sink: str, problem: str) -> Obstacle:
    return Obstacle(
        code=ACCEPT_FINDINGS,
        message=f'the sink "{sink}" cannot be taken back: {problem}',
        hint="`streamctl checkpoint rotate --carry-offsets` goes on with a new output.",
        exit_code=ExitCode.WOULD_NOT_START,
    )


def _log(sink: str, place: str, plan: SinkPlan) -> Step:
    there = sizes(place)
    gone = {path for name in plan.logs for path in (name, *layout.sidecars(name)) if path in there}
    gone |= {name for name in there if layout.is_temporary(name)}
    removed = tuple(
        Item(path=path, size_bytes=there[path], reason="the sink's log of a dropped batch")
        for path in sorted(gone)
    )
    freed = sum(item.size_bytes for item in removed)
    return Step(
        kind=Kind.REBUILD,
        place=place,
        reason="the sink skips every batch that its log holds",
        size_bytes=freed,
        home=sink,
        removed=removed,
        written=plan.written,
        kept_files=len(there) - len(removed),
        kept_bytes=sum(there.values()) - freed,
    )


def _data(sink: str, plan: SinkPlan) -> tuple[list[Step], list[str]]:
    """One step a data file that is there, and those that lie elsewhere."""
    steps, outside = [], []
    for uri in plan.files:
        path = local(uri)
        if path is None or not path.startswith(f"{sink}/"):
            outside.append(uri)
            continue
        for file in (path, layout.hadoop_sidecar(path)):
            if os.path.lexists(file):
                size = os.lstat(file).st_size
                reason = "written by a dropped batch"
                steps.append(
                    Step(kind=Kind.REMOVE, place=file, reason=reason, size_bytes=size, home=sink)
                )
    return steps, outside
