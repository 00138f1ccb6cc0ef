"""A start refuses an output of another moment, and never one of a job that is well."""

import json
import shutil

import pytest

from streamctl.checkpoint.location.store import Store
from streamctl.errors import ExitCode
from streamctl.lifecycle import outputs
from streamctl.lifecycle.outputs import OutputOfAnotherMoment
from streamctl.rundir.directory import RunDirectory
from tests.unit.change.helpers import location, sink_of

FILES, OTHER = "FileSink[/somewhere]", "ForeachBatchSink"


class Place:
    """Four committed batches, a fifth planned, and an output with some of them."""

    def __init__(self, path, *, in_sink: int, last_wrote: str = "", generation: str = "0001"):
        self.area = location(path / "checkpoint")
        self.output = path / "output"
        self.run = RunDirectory(path / "run")
        if in_sink:
            sink_of(self.output / "0001" / "windows", batches=in_sink)
        if last_wrote:
            line = {"kind": "progress", "query": "windows", "generation": generation}
            self.run.path.mkdir()
            text = json.dumps(line | {"sink": last_wrote}, separators=(",", ":"))
            self.run.progress_file.write_text(text + "\n")

    def require_fit(self, *, generation: str = "0001") -> str:
        return outputs.require_fit(
            Store.open(self.area.location), str(self.output), generation=generation, run=self.run
        )


@pytest.mark.parametrize(
    ("in_sink", "last_wrote", "why"),
    [
        (4, FILES, "equal"),
        (5, FILES, "a crash came between the sink's commit and the checkpoint's"),
        (4, "", "another host ran it last: equal"),
        (0, "", "nothing tells that it writes files"),
        (2, "", "a log that is behind may be of a sink that is no longer used"),
        (2, OTHER, "it went over to foreachBatch"),
        (9, OTHER, "the same, after a rewind"),
    ],
)
def test_an_output_that_fits(tmp_path, in_sink, last_wrote, why):
    assert Place(tmp_path, in_sink=in_sink, last_wrote=last_wrote).require_fit(), why


@pytest.mark.parametrize(
    ("in_sink", "last_wrote", "message", "hint"),
    [
        (6, FILES, "batches up to 5, the checkpoint batches up to 4", "rewind --query windows"),
        (6, "", "batches up to 5, the checkpoint batches up to 4", "--to-batch 3"),
        (2, FILES, "batches up to 1, and batch 3 is committed", "--to-batch 1"),
        (0, FILES, "none, and batch 3 is committed", "rotate"),
    ],
)
def test_an_output_of_another_moment(tmp_path, in_sink, last_wrote, message, hint):
    place = Place(tmp_path, in_sink=in_sink, last_wrote=last_wrote)
    with pytest.raises(OutputOfAnotherMoment) as refused:
        place.require_fit()
    assert message in refused.value.message
    assert hint in refused.value.hint
    assert refused.value.exit_code is ExitCode.WOULD_NOT_START


def test_a_checkpoint_that_was_deleted_by_hand_does_not_begin_anew_beside_the_old_output(tmp_path):
    place = Place(tmp_path, in_sink=4)
    shutil.rmtree(tmp_path / "checkpoint")
    with pytest.raises(OutputOfAnotherMoment, match="the checkpoint none") as refused:
        place.require_fit()
    assert "output.location" in refused.value.hint
    assert place.require_fit(generation="0002")  # a new output is no matter


def test_an_output_that_was_moved(tmp_path):
    place = Place(tmp_path, in_sink=4, last_wrote=FILES)
    place.output.rename(tmp_path / "elsewhere")
    place.output = tmp_path / "elsewhere"
    with pytest.raises(OutputOfAnotherMoment, match="was moved: its log names"):
        place.require_fit()


def test_an_output_whose_files_were_taken_away_or_that_has_two_names_is_not_moved(tmp_path):
    place = Place(tmp_path, in_sink=4, last_wrote=FILES)
    (tmp_path / "link").symlink_to(place.output)
    link, place.output = place.output, tmp_path / "link"
    assert place.require_fit()
    place.output = link
    for file in (link / "0001" / "windows").glob("*.parquet"):
        file.unlink()
    assert place.require_fit()


def test_progress_of_another_generation_says_nothing(tmp_path):
    assert Place(tmp_path, in_sink=2, last_wrote=FILES, generation="0009").require_fit()
