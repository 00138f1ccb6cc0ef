"""The reader says the same on every filesystem."""

import fsspec
import pytest

from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import CheckpointNotFound, Malformed, StreamctlError, Unsupported

META = '{"batchWatermarkMs":7,"batchTimestampMs":9,"conf":{}}'


@pytest.fixture(params=["path", "file", "memory"])
def location(request, tmp_path):
    if request.param == "memory":
        yield "memory://bucket/checkpoint"
        fsspec.filesystem("memory").rm("/bucket", recursive=True)
        return
    yield str(tmp_path) if request.param == "path" else f"file://{tmp_path}"


def write(location, files):
    for name, text in files.items():
        with fsspec.open(f"{location}/{name}", "w", auto_mkdir=True) as stream:
            stream.write(text)


def offsets(end):
    return f'v1\n{META}\n{{"t":{{"0":{end}}}}}'


def test_committed_is_the_entry_of_the_last_commit_not_of_the_last_plan(location):
    write(
        location,
        {
            "metadata": '{"id":"q"}',
            "offsets/9": offsets(5),
            "offsets/10": offsets(8),
            "offsets/.11.x.tmp": "",
            "commits/9": "v1\n{}",
        },
    )
    checkpoint = Checkpoint.open(location)
    position = checkpoint.position()
    assert checkpoint.query_id() == "q"
    assert (position.planned_batch_id, position.committed_batch_id) == (10, 9)
    assert position.committed[0].kafka == {"t": {0: 5}}
    assert position.planned[0].kafka == {"t": {0: 8}}
    assert position.watermark_ms == 7
    assert position.batch_in_flight


def test_nothing_committed_yet(location):
    write(location, {"metadata": '{"id":"q"}', "offsets/0": offsets(5)})
    position = Checkpoint.open(location).position()
    assert position.committed_batch_id is None
    assert position.committed == ()
    assert position.batch_in_flight


def test_nothing_planned_yet(location):
    write(location, {"metadata": '{"id":"q"}'})
    position = Checkpoint.open(location).position()
    assert position.planned_batch_id is None
    assert not position.batch_in_flight


def test_a_commit_whose_offsets_are_gone_has_no_position(location):
    write(location, {"offsets/3": offsets(5), "commits/9": "v1\n{}"})
    position = Checkpoint.open(location).position()
    assert position.committed == ()
    assert not position.batch_in_flight


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"commits/1": "v1\n{}"}, None),
        ({"offsets/1": "v1", "state/0/0/1.delta": "x"}, None),
        ({"commits/1": "v1\n{}", "state/0/0/1.delta": "x"}, 1),
        ({"commits/1": "v1\n{}", "commits/2": "v2\n{}", "state/0/0/1.delta": "x"}, 2),
        ({"commits/1": 'v3\n{"stateUniqueIds":{"0":[["a"]]}}', "state/0/0/1.delta": "x"}, 2),
    ],
    ids=["stateless", "no commit", "format 1", "format 2", "sink evolution over format 2"],
)
def test_state_format_is_read_from_the_newest_commit(location, files, expected):
    write(location, files)
    assert Checkpoint.open(location).state_format_version() == expected


def test_no_checkpoint(location):
    with pytest.raises(CheckpointNotFound):
        Checkpoint.open(f"{location}/nowhere")
    write(location, {"part-0.parquet": "x"})
    with pytest.raises(CheckpointNotFound):
        Checkpoint.open(location)


def test_a_damaged_entry_is_named(location):
    write(location, {"offsets/1": "v1\n{"})
    with pytest.raises(Malformed, match="offsets/1"):
        Checkpoint.open(location).position()


def test_a_file_that_vanishes_once_is_looked_for_again(location, monkeypatch):
    write(location, {"offsets/1": offsets(5), "commits/1": "v1\n{}"})
    checkpoint = Checkpoint.open(location)
    read = checkpoint.files.read
    losses = iter([True, False])

    def purged_once(path, **kwargs):
        if next(losses, False):
            raise FileNotFoundError(path)
        return read(path, **kwargs)

    monkeypatch.setattr(checkpoint.files, "read", purged_once)
    assert checkpoint.position().committed_batch_id == 1


def test_files_that_keep_vanishing_are_an_error_not_a_loop(location, monkeypatch):
    write(location, {"offsets/1": offsets(5)})
    checkpoint = Checkpoint.open(location)

    def gone(path, **_):
        raise FileNotFoundError(path)

    monkeypatch.setattr(checkpoint.files, "read", gone)
    with pytest.raises(StreamctlError, match="vanishing"):
        checkpoint.position()


def test_an_unknown_scheme_is_not_supported():
    with pytest.raises(Unsupported):
        Checkpoint.open("nosuch://bucket/checkpoint")
