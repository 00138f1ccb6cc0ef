"""Every file of every golden checkpoint parses, and says what Spark said."""

import io
import json

import pytest

from streamctl.checkpoint.formats import filelog, log, operator, rows, sidecar, snapshot
from streamctl.checkpoint.formats.table import check_table
from streamctl.checkpoint.tree import layout, state
from streamctl.checkpoint.tree.keys import count_keys
from streamctl.checkpoint.tree.reader import Checkpoint
from tests.goldens import cases, expected, golden

ALL = pytest.mark.parametrize(
    ("version", "name"), cases(), ids=["-".join(case) for case in cases()]
)


@ALL
def test_every_file_parses(version, name):
    root = golden(version, name)
    parsed = 0
    for path in sorted(root.rglob("*")):
        if path.is_file() and not layout.is_temporary(path.name) and not torn(path):
            parse(path, root)
            parsed += 1
    assert parsed > 10


def torn(path):
    """An upload to `SSTs/` that a stop interrupted: nothing refers to it."""
    return path.parent.name == "SSTs" and path.stat().st_size == 0


def parse(path, root):
    relative = str(path.relative_to(root))
    top = relative.split("/", maxsplit=1)[0]
    data = path.read_bytes()
    if path.name.endswith(".crc"):
        beside = path.with_name(layout.sidecar_of(path.name)).read_bytes()
        if path.name.startswith("."):
            assert sidecar.hadoop_matches(data, io.BytesIO(beside), name=relative)
        else:
            checksum = sidecar.parse_spark_checksum(data, name=relative)
            assert sidecar.spark_matches(checksum, io.BytesIO(beside), name=relative)
    elif relative == "metadata":
        assert log.format_metadata(log.parse_metadata(data)) == data
    elif top == "offsets":
        assert log.format_offsets(log.parse_offsets(data, name=relative)) == data
    elif top == "commits":
        assert log.format_commit(log.parse_commit(data, name=relative)) == data
    elif top == "sources":
        parse_source(data, relative)
    elif top == "state":
        parse_state(path, data, relative)
    else:
        pytest.fail(relative)


def parse_source(data, name):
    if data.startswith(b"\0"):
        offsets = log.parse_kafka_initial(data, name=name)
        assert log.format_kafka_initial(offsets) == data
    elif name.endswith("/0") and b'"path"' not in data:
        json.loads(data.split(b"\n")[-1])  # the rate source's own start
    else:
        filelog.parse_file_log(data, name=name)


def parse_state(path, data, name):
    stream = io.BytesIO(data)
    counter = rows.Counter()
    if path.name.endswith(".delta"):
        list(rows.read_delta(stream, name=name, into=counter))
    elif path.name.endswith(".snapshot"):
        list(rows.read_snapshot(stream, name=name, into=counter))
    elif path.name.endswith(".changelog"):
        list(rows.read_changelog(stream, name=name, into=counter))
    elif path.name.endswith(".zip"):
        found = snapshot.parse_snapshot(stream, name=name)
        assert not found.empty_members
    elif path.suffix == ".sst":
        check_table(stream, size_bytes=len(data), name=name)
        return
    elif "_stateSchema" in name or path.name == "schema":
        assert operator.parse_schema(data, name=name).families
    elif "_metadata" in name:
        assert operator.parse_operator_metadata(data, name=name).stores
    else:
        pytest.fail(name)
    assert counter.end_seen


@ALL
def test_the_logs_say_what_spark_said(version, name):
    said = expected(version)[name]
    checkpoint = Checkpoint.open(str(golden(version, name)))
    position = checkpoint.position()
    assert checkpoint.query_id() == said["id"]
    assert position.committed_batch_id == said["committed"]
    assert position.planned_batch_id == said["planned"]
    provider = name.split("-", maxsplit=1)[0]
    assert checkpoint.state_format_version() == {"hdfs": 1, "rocksdb": 1, "rocksdb2": 2}.get(
        provider
    )


def chain_of(checkpoint, store, version, batch):
    if checkpoint.state_format_version() != 2:
        return state.chain(store, version)
    ids = checkpoint.commit(batch).state_unique_ids[store.operator_id][store.partition_id]
    lineage = ()
    changelog = f"{store.path}/{version}_{ids[0]}.changelog"
    if checkpoint.files.exists(changelog):
        with checkpoint.files.open(changelog) as stream:
            lineage = rows.read_lineage(stream, name=changelog)
    return state.chain_by_lineage(store, version, ids[0], lineage)


@ALL
def test_state_after_the_last_commit_can_be_made_and_counted(version, name):
    said = expected(version)[name]
    checkpoint = Checkpoint.open(str(golden(version, name)))
    stores = [store for op in state.scan(checkpoint.files) for store in op.stores]
    assert bool(stores) == (not name.startswith(("stateless", "two-sources")))
    for store in stores:
        chain = chain_of(checkpoint, store, said["committed"] + 1, said["committed"])
        assert isinstance(chain, state.Chain), chain
        count = count_keys(checkpoint.files, store, chain)
        spark = said["rows"].get(f"{store.operator_id}/{store.name}")
        if spark is not None and count.keys is not None and count.at_version == chain.version:
            assert count.keys == spark.get(str(store.partition_id), 0)
        if name.startswith("hdfs"):
            assert count.keys is not None
