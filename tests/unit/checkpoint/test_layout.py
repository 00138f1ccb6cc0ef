"""Names in a checkpoint."""

import pytest

from streamctl.checkpoint.tree import layout


@pytest.mark.parametrize(
    ("name", "expected", "why"),
    [
        ("0", 0, "the first batch"),
        ("17", 17, "any batch"),
        ("17.bak", None, "a copy that somebody kept"),
        (".17.crc", None, "Hadoop's checksum"),
        ("17.crc", None, "Spark's checksum"),
        ("-1", None, "no batch is negative"),
        ("\u0661", None, "a digit, but not an ASCII one"),
        ("9" * 19, None, "beyond 64 bits"),
    ],
)
def test_only_numeric_names_are_batches(name, expected, why):  # noqa: ARG001  for the reader
    assert layout.batch_id(name) == expected


def test_a_name_and_its_sidecars_go_together():
    assert layout.sidecars("offsets/7") == ("offsets/.7.crc", "offsets/7.crc", "offsets/.7.crc.crc")
    assert layout.sidecar_of(".7.crc") == "7"
    assert layout.sidecar_of("7_a.zip.crc") == "7_a.zip"
    assert layout.sidecar_of("7") is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("7.delta", (7, None, "delta")),
        ("7.zip", (7, None, "zip")),
        (
            "7_0f0e0d0c-0000-1111-2222-333344445555.changelog",
            (7, "0f0e0d0c-0000-1111-2222-333344445555", "changelog"),
        ),
        ("x.snapshot", None),
        ("backup.zip", None),
        ("7_x.zip", None),
        ("7.delta.bak", None),
    ],
)
def test_state_file_names(name, expected):
    assert layout.state_file(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (".7.0f0e0d0c-0000-1111-2222-333344445555.tmp", True),
        (".7.delta.0f0e0d0c-0000-1111-2222-333344445555.TID4.tmp", True),
        ("..7.0f0e0d0c.tmp.crc", True),
        (".7.crc", False),
        ("7", False),
    ],
)
def test_temporary_names(name, expected):
    assert layout.is_temporary(name) == expected
