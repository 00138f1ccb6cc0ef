"""What a replay would do, and which records would pass by the job's rules of today."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from streamctl.dlq.export import export
from streamctl.dlq.letters import Letter
from streamctl.dlq.select import Selection, Selector
from streamctl.job.ask import ask_about
from streamctl.reports import OnEvent, Verdict, ignore
from streamctl.settings.model import Settings

_PATIENCE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPreview:
    """A replay that was not made.

    Attributes:
        verdict: unknown when the job has no query that rejects, so that nobody can say.
        passing_records: that would not become dead letters again; None when that is not known.
            A window may still be closed when they come: then they are late.
        failing_records: that would; by reason in `reasons`, where one with several counts under
            each.
    """

    verdict: Verdict
    topic: str
    to: str
    selection: Selection
    passing_records: int | None
    failing_records: int | None
    reasons: dict[str, int]


def preview(
    letters: Iterable[Letter],
    selector: Selector,
    settings: Settings,
    *,
    topic: str,
    project: Path,
    on_event: OnEvent = ignore,
) -> ReplayPreview:
    """Select as `replay` does, and let a Spark child judge the records. Nothing is sent.

    Args:
        letters: that are wanted.
        selector: of this replay.
        settings: of the job.
        topic: the dead letter topic.
        project: working directory of the child, from which the job is imported.
        on_event: told how many were read.

    Raises:
        ChildFailed: the job cannot be imported, or its queries cannot be built over these records.
        StreamctlError: of Kafka.
    """
    with tempfile.TemporaryDirectory(prefix="streamctl-letters-") as scratch:
        file = Path(scratch) / "letters.jsonl"
        export(selector.select(letters), file, topic=topic, on_event=on_event)
        selection = selector.selection()
        passing, failing, reasons = _judge(file, selection.to_send, settings, project=project)
    known = passing is not None and not selection.foreign_letters
    return ReplayPreview(
        verdict=Verdict.OK if known else Verdict.UNKNOWN,
        topic=topic,
        to=selector.to,
        selection=selection,
        passing_records=passing,
        failing_records=failing,
        reasons=reasons,
    )


def _judge(
    file: Path, records: int, settings: Settings, *, project: Path
) -> tuple[int | None, int | None, dict[str, int]]:
    if not records:
        return 0, 0, {}
    [found] = ask_about(
        "jobs.judge_letters",
        settings,
        [str(file)],
        project=project,
        timeout_seconds=_PATIENCE_SECONDS,
        hint="Look whether the job builds: `streamctl doctor`.",
    )
    rejected = found["rejected"]
    if rejected is None:
        return None, None, {}
    return found["records"] - rejected, rejected, found["reasons"]
