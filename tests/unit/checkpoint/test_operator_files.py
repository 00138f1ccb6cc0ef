"""What Spark compares a query with: names, ids, paths and types, each letter of which counts."""

import pytest

from streamctl.chaos.damage import edits
from streamctl.checkpoint.formats.types import check_struct
from streamctl.errors import Malformed, Unsupported
from tests import judged


def edited(path, old, new):
    def apply(at):
        (found,) = at.root.glob(path)
        assert old in found.read_bytes()
        edits.edit(found, lambda data: data.replace(old, new, 1))

    return apply


@pytest.mark.parametrize(
    ("flavour", "change", "code", "forecast"),
    [
        (
            "rocksdb-join3",
            (
                "state/0/_metadata/v2/0",
                b'["file:/',
                b'["file:/gone/',
            ),
            "schema-elsewhere",
            "starts",
        ),
        (
            "rocksdb-join3",
            (
                "state/0/_metadata/v2/0",
                b"HashJoin",
                b"HushJoin",
            ),
            "operator-unknown",
            "unknown",
        ),
        (
            "hdfs-aggregation",
            (
                "state/0/_metadata/metadata",
                b'"operatorId":0',
                b'"operatorId":1',
            ),
            "operator-metadata-damaged",
            "fails",
        ),
        (
            "hdfs-aggregation",
            (
                "state/0/_metadata/metadata",
                b"stateStoreInfo",
                b"stateStnreInfo",
            ),
            "operator-metadata-damaged",
            "starts",
        ),
        (
            "hdfs-aggregation",
            (
                "state/0/_metadata/metadata",
                b"numColsPrefixKey",
                b"numColsPrefixKex",
            ),
            "operator-metadata-damaged",
            "fails",
        ),
        (
            "hdfs-aggregation",
            (
                "state/0/0/_metadata/schema",
                b'"nullable"',
                b'"nullAble"',
            ),
            "schema-damaged",
            "fails",
        ),
        (
            "hdfs-aggregation",
            (
                "state/0/0/_metadata/schema",
                b'"timestamp"',
                b'"timestomp"',
            ),
            "format-unsupported",
            "unknown",
        ),
    ],
)
def test_a_letter_changed(flavour, change, code, forecast):
    report = judged.verified(flavour, edited(*change))
    assert code in {finding.code for finding in report.findings}
    assert report.forecast == forecast


def test_a_directory_where_kafkas_first_offsets_were():
    def apply(at):
        edits.drop(at.root / "sources/0/0")
        (at.root / "sources/0/0").mkdir()

    report = judged.verified("hdfs-kafka-aggregation", apply)
    assert [finding.code for finding in report.findings] == ["source-log-damaged"]


COLUMN = {"name": "a", "type": "long", "nullable": True, "metadata": {}}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("decimal(10,2)", None),
        ("string collate UNICODE_CI", None),
        ("interval day to second", None),
        ({"type": "array", "elementType": "long", "containsNull": True}, None),
        ({"type": "udt", "class": "x"}, None),
        ("decimal(10", Unsupported),
        ({"type": "array", "elementType": "long"}, Malformed),
        ({"type": "list", "elementType": "long", "containsNull": True}, Malformed),
        ({"type": "struct", "fields": [COLUMN | {"nullable": 1}]}, Malformed),
        ({"type": "struct", "fields": [COLUMN | {"more": 1}]}, Malformed),
        (["long"], Malformed),
    ],
)
def test_types_are_read_as_strictly_as_spark_does(kind, error):
    row = {"type": "struct", "fields": [COLUMN | {"type": kind}]}
    if error is None:
        check_struct(row, name="schema")
    else:
        with pytest.raises(error):
            check_struct(row, name="schema")
