"""A standby's rehearsal on real Spark."""

import tempfile
from pathlib import Path

import pytest
from pyspark.sql.streaming.listener import StreamingQueryListener

from jobs.job import Context
from jobs.payments import PaymentsJob
from jobs.telemetry import TelemetryJob
from jobs.warm_up import warm_up
from streamctl.settings.model import Settings
from tests.harness import until

pytestmark = pytest.mark.integration


class Batches(StreamingQueryListener):
    def __init__(self):
        self.inputs, self.ended = [], 0

    def onQueryStarted(self, _event):  # noqa: N802
        pass

    def onQueryProgress(self, event):  # noqa: N802
        self.inputs.append(event.progress.numInputRows)

    def onQueryTerminated(self, _event):  # noqa: N802
        self.ended += 1


@pytest.mark.parametrize(("job", "queries"), [(TelemetryJob(), 2), (PaymentsJob(), 1)])
def test_a_rehearsal_runs_a_batch_of_every_query_and_leaves_nothing(
    spark, job, queries, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    context = Context(
        stream=Settings().stream, dead_letter_topic="d", run_id="r", options=dict(job.options)
    )
    seen = Batches()
    spark.streams.addListener(seen)
    try:
        warm_up(spark, job, context)
        until(lambda: seen.ended == queries)
    finally:
        spark.streams.removeListener(seen)
    assert sum(count > 0 for count in seen.inputs) >= queries
    assert not spark.streams.active
    assert not list(Path(tmp_path).iterdir())
