"""Commands that change a checkpoint: exit codes, plans, guards, the way back."""

import json
import os
import re

import pytest

from streamctl.checkpoint.change import pending, preview
from streamctl.checkpoint.change.area import area_of, held
from streamctl.checkpoint.change.quiet import require_quiet
from streamctl.checkpoint.location.journal import Entry
from streamctl.errors import Busy, ExitCode
from tests.unit.change.helpers import NOW, digest, location, sink_of, small

OURS = ("--no-kafka", "--yes")


@pytest.fixture
def place(tmp_path):
    """A bare checkpoint at rest, under a short name in the working directory."""
    small(tmp_path / "cp")
    for path in (tmp_path / "cp").rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return tmp_path / "cp"


def plain(text: str, tmp_path) -> str:
    """Without what depends on when and where."""
    text = re.sub(r"\d{8}T\d{6}\.\d+-([a-z]+)-[0-9a-f]{8}", r"<entry of \1>", text)
    text = text.replace(str(tmp_path), "<here>")
    text = re.sub(r"\b[0-9a-f]{8}\b", "<id>", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", text)
    return re.sub(r"\S+@\S+", "<who>", text)


def test_rewind_undo_and_the_journal(streamctl, place, tmp_path, snapshot):
    """The whole way, as it is seen in a pipe."""
    before = digest(place)
    commands = [
        ("checkpoint", "rewind", "cp", "--to-batch", "1", "--dry-run", "--no-kafka"),
        ("checkpoint", "rewind", "cp", "--by", "2m", "--no-file-sink", "--reason", "bug", *OURS),
        ("checkpoint", "undo", "--path", "cp", "--yes"),
        ("checkpoint", "journal", "cp"),
    ]
    results = [streamctl(*command, "-o", "tsv") for command in commands]
    assert [r.exit_code for r in results] == [ExitCode.WOULD_NOT_START, 0, 0, 0]
    assert plain("\n".join(r.stdout for r in results), tmp_path) == snapshot
    assert digest(place) == before


@pytest.mark.usefixtures("place")
def test_a_plan_on_a_terminal(streamctl, tmp_path):
    """Tables of 80 columns, and what the sink loses."""
    sink_of(tmp_path / "out")
    command = ("checkpoint", "rewind", "cp", "--to-batch", "1", "--sink", "out", "--dry-run")
    result = streamctl(*command, "--no-kafka", "-o", "table")
    assert result.exit_code == 0
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    assert "nothing was changed" in result.stdout
    assert "sink files" in result.stdout


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("rewind", "cp", "--to-batch", "9", *OURS), ExitCode.NOT_FOUND),
        (("rewind", "cp", "--to-batch", "1", *OURS), ExitCode.WOULD_NOT_START),
        (("rewind", "cp", "--to-batch", "1", "--no-kafka", "--no-file-sink"), ExitCode.REFUSED),
        (("rewind", "cp", *OURS), ExitCode.USAGE),
        (("rewind", "cp", "--by", "soon", *OURS), ExitCode.USAGE),
        (("rewind", "cp", "--by", "10", *OURS), ExitCode.USAGE),  # batches or seconds?
        (("rewind", "cp", "--to-batch", "1", "--sink", "s3://x/y", *OURS), ExitCode.UNSUPPORTED),
        (("clear", "nowhere", "--yes"), ExitCode.NOT_FOUND),
        (("clear", "cp", "--yes"), ExitCode.WOULD_NOT_START),
        (("rotate", "cp", "--sink", "out", *OURS), ExitCode.NOT_EMPTY),
        (("rotate", "cp", "--back", "--yes"), ExitCode.NOT_FOUND),
        (("undo", "--path", "cp", "--yes"), ExitCode.NOT_FOUND),
        (("archive", "--path", "cp", "--to", "away", "--yes"), ExitCode.UNSUPPORTED),
        (("apply", "missing.json", "--yes"), ExitCode.FAILED),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value.name,
)
def test_each_guard_has_its_exit_code(streamctl, place, tmp_path, command, code):
    """And nothing was changed."""
    sink_of(tmp_path / "out")
    before = digest(place)
    result = streamctl("checkpoint", *command)
    assert result.exit_code == code, result.stderr
    assert digest(place) == before


def test_a_dry_run_touches_nothing_and_says_what_is_in_the_way(streamctl, place, tmp_path):
    """Not even the lease; of a holder and of an interrupted change it tells."""
    before = sorted(tmp_path.rglob("*"))
    command = ("checkpoint", "rewind", "cp", "--to-batch", "1", "--no-kafka", "--dry-run")
    assert streamctl(*command).exit_code == ExitCode.WOULD_NOT_START
    assert sorted(tmp_path.rglob("*")) == before
    area = area_of(str(place))
    with held(area, "rewind"):
        assert "In use by run checkpoint rewind" in streamctl(*command).stderr
    entry = Entry(at=NOW, who="x", verb="clear", why="")
    pending.write(area.store, pending.Pending(name="x", entry=entry, acts=()))
    assert "An interrupted clear is finished first" in streamctl(*command).stderr


def test_files_that_vanish_meanwhile_are_looked_at_anew(streamctl, place, monkeypatch):
    """A running job purges while a dry run looks."""
    times = iter([FileNotFoundError("offsets/0")])

    def vanish(step):
        for error in times:
            raise error
        return checkpoint(step)

    checkpoint = preview.checkpoint
    monkeypatch.setattr(preview, "checkpoint", vanish)
    command = ("checkpoint", "rewind", "cp", "--to-batch", "1", "--no-kafka", "--dry-run")
    assert streamctl(*command).exit_code == ExitCode.WOULD_NOT_START
    assert place.exists()


def test_a_protected_context_needs_its_own_word(streamctl, place):
    """`checkpoint.protected` stands in the way of every change."""
    command = ("checkpoint", "clear", "cp", "--yes", "--no-file-sink")
    protected = ("--set", "checkpoint.protected=true")
    assert streamctl(*command, *protected).exit_code == ExitCode.PROTECTED
    assert place.exists()
    assert streamctl(*command, *protected, "--accept-protected").exit_code == 0
    assert not place.exists()


def test_a_plan_in_a_file_is_refused_once_the_checkpoint_moved(streamctl, place):
    """What was looked at must be what is changed."""
    command = ("checkpoint", "rewind", "cp", "--to-batch", "1", "--no-kafka", "--no-file-sink")
    written = streamctl(*command, "--plan", "plan.json")
    assert written.exit_code == ExitCode.WOULD_NOT_START
    (place / "offsets/5").write_bytes((place / "offsets/4").read_bytes())
    os.utime(place / "offsets/5", (1_700_000_000, 1_700_000_000))
    moved = streamctl("checkpoint", "apply", "plan.json", "--yes", "--no-file-sink")
    assert moved.exit_code == ExitCode.REFUSED
    (place / "offsets/5").unlink()
    applied = streamctl("checkpoint", "apply", "plan.json", "--yes", "--no-file-sink")
    assert applied.exit_code == 0, applied.stderr
    assert not (place / "offsets/2").exists()


def test_a_location_of_ours(streamctl, tmp_path):
    """Rotate, back, archive, prune and clear go by the settings' location."""
    location(tmp_path / "data/checkpoint", queries=("windows", "dead_letters"))
    rotated = streamctl("checkpoint", "rotate", *OURS, "-o", "json")
    assert rotated.exit_code == 0, rotated.stderr
    assert rotated.data["facts"]["generation"] == "0002"
    assert streamctl("checkpoint", "rotate", "--back", "--yes").exit_code == 0
    assert streamctl("checkpoint", "undo", "--yes").exit_code == 0
    archived = streamctl("checkpoint", "archive", "--to", "away", "--yes")
    assert archived.exit_code == 0, archived.stderr
    assert json.loads((tmp_path / "away/generation-0001.json").read_text())["generation"] == "0001"
    assert streamctl("checkpoint", "prune", "--trash-days", "0", "--yes").exit_code == 0
    assert streamctl("checkpoint", "clear", "--yes").exit_code == 0
    assert streamctl("checkpoint", "clear", "--yes").exit_code == ExitCode.NOT_FOUND


def test_a_checkpoint_that_is_written_is_busy(place):
    """A query of no lease shows itself by its logs."""

    def write(_seconds: float) -> None:
        (place / "offsets/6").write_text("v1")

    require_quiet(str(place), clock=lambda: 1_700_000_100.0, sleep=write)
    with pytest.raises(Busy, match="is writing"):
        require_quiet(str(place), clock=lambda: 1_700_000_001.0, sleep=write)


def test_every_flag_that_overrides_is_the_name_of_a_guard():
    """An obstacle's code is its flag, without dashes in front."""
    from streamctl.checkpoint.change import guards
    from tests.readme import root

    codes = {guards.ACCEPT_FINDINGS, guards.ACCEPT_LOSS, guards.ACCEPT_NEW_TOPIC}
    codes |= {guards.ACCEPT_LITTLE_SPACE, guards.ACCEPT_PROTECTED, guards.NO_FILE_SINK}
    flags = {
        option.removeprefix("--")
        for parameter in root().commands["checkpoint"].commands["rewind"].params
        for option in parameter.opts
    }
    assert codes <= flags
