"""Runs a planned batch with some of its records only, by the job's code; the output is thrown away.

Each trial has a copy of the query's checkpoint, made of hard links, so that state and watermark are
those of the real batch; the query must be down. A Spark child runs one trial after the other in a
warm session. A child that dies has failed the trial, and the next one gets a new child.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from streamctl.checkpoint.change import stage
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import local_path
from streamctl.errors import DeadlinePassed
from streamctl.jars import connector_jars
from streamctl.java import find_java
from streamctl.job.ask import ChildFailed
from streamctl.job.converse import Conversation
from streamctl.poison.batch import Part, PlannedBatch
from streamctl.poison.search import Error, OutOfTime, Span
from streamctl.reports import OnEvent, as_json
from streamctl.settings.model import Settings

_MODULE = "jobs.try_records"


class Trials:
    """The trials of one batch. Use as a context manager.

    Args:
        batch: of a query that is down.
        settings: of the job.
        hidden: records that the job is not shown anyway.
        scratch: an empty directory, on the checkpoint's filesystem to be fast.
        project: working directory of the child, from which the job is imported.
        until: monotonic time at which patience ends, in seconds.
        beat: called now and then; what it raises ends the search.
        on_event: told when jars are fetched.
    """

    def __init__(
        self,
        batch: PlannedBatch,
        settings: Settings,
        *,
        hidden: Iterable[Part],
        scratch: Path,
        project: Path,
        until: float,
        beat: Callable[[], None],
        on_event: OnEvent,
    ) -> None:
        self._place = local_path(batch.checkpoint.location) or batch.checkpoint.location
        self._batch = batch
        self._settings = settings
        self._hidden = as_json(list(hidden))
        self._scratch = scratch
        self._project = project
        self._until = until
        self._beat = beat
        self._number = 0
        self._child: Conversation | None = None
        self._request = scratch / "request.json"
        connector_jars(java=find_java(), on_event=on_event)  # so that the child has them at hand
        self._request.touch(mode=0o600)  # settings may hold what is not for everybody
        self._request.write_text(json.dumps(self._asked(settings)), encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_child()

    def __call__(self, spans: Sequence[Span]) -> Error | None:
        """Run the batch with these records only.

        Raises:
            OutOfTime: no answer in time.
        """
        if time.monotonic() > self._until:
            raise OutOfTime
        place = self._copy()
        try:
            answer = self._ask(place, self._batch.within(spans))
        finally:
            shutil.rmtree(place, ignore_errors=True)
        return None if answer is None else Error(**answer)

    def _asked(self, settings: Settings) -> dict[str, Any]:
        values = settings.model_dump(mode="json")
        values["output"]["topics"] = "files"
        memory = {"spark.driver.memory": settings.spark.driver_memory}
        values["spark"]["options"] = memory | values["spark"]["options"]
        return {
            "settings": values,
            "state_format_version": self._batch.checkpoint.state_format_version(),
            "query": self._batch.query,
            "batch_id": self._batch.batch_id,
            "hidden": self._hidden,
        }

    def _copy(self) -> Path:
        """A checkpoint and the beginning of an output, whose log goes on from the batch before.

        A file sink's compaction reads the one before (`CompactibleFileStreamLog.compact`).
        """
        self._number += 1
        place = self._scratch / str(self._number)
        (place / "checkpoint").mkdir(parents=True)
        copied = str(place / "checkpoint" / self._batch.query)
        stage.build(self._place, copied, without=frozenset(), written={}, beat=self._beat)
        if self._batch.batch_id:
            log = place / "output" / self._batch.query / layout.SINK_LOG
            log.mkdir(parents=True)
            (log / f"{self._batch.batch_id - 1}.compact").write_text("v1")
        return place

    def _ask(self, place: Path, shown: list[Part]) -> dict[str, str] | None:
        """The child's answer; its death is one too."""
        if self._child is None:
            errors = self._scratch / "stderr"
            arguments = [str(self._request)]
            self._child = Conversation(
                _MODULE,
                arguments,
                project=self._project,
                errors=errors,
                settings=self._settings,
            )
        question = {"place": str(place), "shown": as_json(shown)}
        try:
            answer = self._child.ask(question, until=self._until, beat=self._beat)
        except DeadlinePassed:
            raise OutOfTime from None
        except ChildFailed as error:
            self._end_child()
            return {"condition": "DriverDied", "message": error.message}
        if answer is not None and "OutOfMemory" in answer["condition"]:
            self._end_child()  # a heap that ran over once is not to be trusted
        return answer  # type: ignore[no-any-return]

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None
