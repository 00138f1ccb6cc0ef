"""The commands for dead letters, on a Kafka in memory."""

import pytest

from streamctl.errors import ExitCode
from streamctl.kafka.client import Broker
from tests.unit.dlq.cluster import DLQ, NOON_MS, Cluster


@pytest.fixture(autouse=True)
def cluster(monkeypatch, tmp_path):
    made = Cluster()
    made.add("t", 0)
    for offset, reasons in ((0, ("missing:a",)), (0, ("missing:a",)), (1, ("invalid_json",))):
        made.letter(offset, reasons=reasons, at_ms=NOON_MS + offset * 60_000, value=b"{}")
    (tmp_path / "streamctl.toml").write_text('[kafka]\ntopic = "t"\n')
    monkeypatch.setattr(Broker, "of", lambda _kafka: made)
    return made


@pytest.mark.parametrize(
    "arguments",
    [
        ["stats"],
        ["peek", "--origin", "0:1"],
        ["replay", "--yes"],
        ["purge", "--older-than", "2026-03-01T12:00:30Z", "--dry-run"],
    ],
    ids=" ".join,
)
def test_what_a_person_sees(streamctl, snapshot, arguments):
    result = streamctl("dlq", *arguments, "-o", "table")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == snapshot


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["peek", "--origin", "a:1"], ExitCode.USAGE, "no place"),
        (["stats", "--from", "yesterday"], ExitCode.USAGE, "no time"),
        (["replay"], ExitCode.REFUSED, "Add --yes"),
        (["purge", "--older-than", "1d"], ExitCode.REFUSED, "Add --yes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_refused(streamctl, cluster, arguments, code, message):
    result = streamctl("dlq", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert cluster.watermarks("t") == {0: (0, 1)}
    assert cluster.watermarks(DLQ) == {0: (0, 3)}


def test_a_purge_keeps_a_copy_unless_told_otherwise(streamctl, cluster, tmp_path):
    first = streamctl("dlq", "purge", "--older-than", "2026-03-01T12:00:30Z", "--yes")
    assert first.exit_code == 0, first.stderr
    (kept,) = (tmp_path / ".streamctl" / "default" / "dead-letters").iterdir()
    assert len(kept.read_text().splitlines()) == 2
    assert cluster.watermarks(DLQ) == {0: (2, 3)}
    assert streamctl("dlq", "purge", "--older-than", "0s", "--no-export", "--yes").exit_code == 0
    assert cluster.watermarks(DLQ) == {0: (3, 3)}
    assert list(kept.parent.iterdir()) == [kept]
