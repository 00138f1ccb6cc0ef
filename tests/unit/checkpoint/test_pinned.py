"""What a start makes of pinned settings, as `OffsetSeqMetadata.setSessionConf` reads them."""

import pytest

from streamctl.checkpoint.verify.kinds import Effect
from streamctl.checkpoint.verify.pinned import compare, effect_of
from tests.goldens import golden

STREAMING = "spark.sql.streaming."
CODEC = STREAMING + "stateStore.compression.codec"
MERGE = STREAMING + "stateStore.rocksdb.mergeOperatorVersion"
STRICT = STREAMING + "statefulOperator.useStrictDistribution"
PROVIDER = STREAMING + "stateStore.providerClass"
ROCKSDB = {PROVIDER: "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"}
POLICY = STREAMING + "multipleWatermarkPolicy"
ENCODING = STREAMING + "stateStore.encodingFormat"
FORMAT = STREAMING + "stateStore.rocksdb.formatVersion"


@pytest.mark.parametrize(
    ("before", "last", "has_state", "expected"),
    [
        pytest.param({CODEC: "lz4"}, {}, True, Effect.STARTS, id="lost, the default is the same"),
        pytest.param({CODEC: "zstd"}, {}, True, Effect.UNKNOWN, id="lost, the default is another"),
        pytest.param({PROVIDER: "X"}, {}, True, Effect.UNKNOWN, id="lost, the session's counts"),
        pytest.param({STRICT: "true"}, {}, False, Effect.STARTS, id="lost, there is no state"),
        pytest.param({POLICY: "max"}, {}, False, Effect.UNKNOWN, id="lost, and not of state"),
        pytest.param({MERGE: "2"}, {}, True, Effect.STARTS, id="lost, of RocksDB, which is not it"),
        pytest.param({MERGE: "2"} | ROCKSDB, ROCKSDB, True, Effect.UNKNOWN, id="lost, RocksDB"),
        pytest.param({FORMAT: "5"}, {FORMAT: "="}, False, Effect.FAILS, id="no value of it"),
        pytest.param({ENCODING: "uns`ferow"}, {ENCODING: "unsaferow"}, True, Effect.STARTS,
                     id="the one before was damaged"),
        pytest.param({STRICT: "true"}, {STRICT: "false"}, True, Effect.UNKNOWN, id="another"),
        pytest.param({STRICT[:-1] + "o": "true"}, {}, True, Effect.STARTS, id="a name misspelt"),
        pytest.param({"spark.sql.new": "1"}, {}, True, Effect.UNKNOWN, id="a name not known"),
        pytest.param({}, {STRICT: "true"}, True, Effect.STARTS, id="new, as after an upgrade"),
        pytest.param({CODEC: "lz4", STRICT: "true"}, {}, True, Effect.UNKNOWN, id="the worst"),
    ],
)  # fmt: skip
def test_what_a_start_makes_of_it(before, last, has_state, expected):
    assert effect_of(before, last, has_state=has_state) is expected


def test_a_codec_may_change_from_one_batch_to_the_next():
    (found,) = compare("offsets/8", {CODEC: "lz4"}, {CODEC: "zstd"}, has_state=True)
    assert (found.code, found.effect) == ("pinned-conf-changed", Effect.STARTS)


@pytest.mark.parametrize("version", ["3.4.4", "3.5.7", "4.0.1", "4.1.0", "4.2.0", "4.3.0"])
def test_every_setting_that_spark_pins_is_known(version):
    from streamctl.checkpoint.formats.log import parse_offsets
    from streamctl.checkpoint.verify.pinned import _SETTINGS

    folder = golden(version, "hdfs-aggregation") / "offsets"
    newest = max((p for p in folder.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))
    assert parse_offsets(newest.read_bytes()).conf.keys() <= _SETTINGS.keys()
