"""A query with a file sink is restored together with an output that it can go on in."""

import pytest

from streamctl.checkpoint.backup.format import StoredQuery
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.sink import begin_sink, require_sink
from streamctl.errors import Refused


def query(*, sink_batch_id: int | None = 8) -> StoredQuery:
    return StoredQuery(
        name="q",
        location="/c",
        query_id="id",
        batch_id=8,
        watermark_ms=0,
        planned_at_ms=0,
        offsets={},
        files=(),
        sink="/old",
        sink_batch_id=sink_batch_id,
    )


def test_an_empty_output_begins_at_the_restored_batch(tmp_path):
    repository = Repository.open(str(tmp_path / "backups"), create=True)
    begin_sink(repository, query(), str(tmp_path / "new"), keep_rows=False)
    log = tmp_path / "new" / "_spark_metadata"
    assert (log / "8.compact").read_text() == "v1"


def test_an_output_that_is_in_use_is_not_begun(tmp_path):
    repository = Repository.open(str(tmp_path / "backups"), create=True)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "part-0").write_text("x")
    with pytest.raises(Refused, match="not empty"):
        begin_sink(repository, query(), str(tmp_path / "new"), keep_rows=False)


def test_without_an_output_the_restore_is_refused_unless_none_is_written(tmp_path):
    with pytest.raises(Refused, match="next compaction"):
        require_sink(query(), sink="", accepted=False)
    require_sink(query(), sink="", accepted=True)
    require_sink(query(), sink=str(tmp_path / "new"), accepted=False)
    require_sink(query(sink_batch_id=None), sink="", accepted=False)
