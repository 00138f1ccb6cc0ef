"""Which change of code or settings a checkpoint takes: a table of cases, each with its reason."""

from dataclasses import replace

import pytest

from streamctl.checkpoint.compat import held
from streamctl.checkpoint.compat.model import Demanded, Held, Source, StatefulOperator
from streamctl.checkpoint.compat.rules import compare
from streamctl.checkpoint.compat.schema import fits, window_column
from streamctl.checkpoint.formats.types import describe
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.tree.state import JOIN_STORES
from streamctl.checkpoint.verify.remedy import Aim, fill
from tests.goldens import cases, golden
from tests.remedies import commands, parsed


def field(name, kind, *, null=True):
    return {"name": name, "type": kind, "nullable": null, "metadata": {}}


def struct(*fields):
    return {"type": "struct", "fields": list(fields)}


WINDOW = struct(field("start", "timestamp"), field("end", "timestamp"))
KEY = struct(field("window", WINDOW, null=False), field("device", "string"))
VALUE = struct(field("count", "long", null=False))
AGGREGATION = StatefulOperator(
    operator_id=0, name="stateStoreSave", stores={"default": (KEY, VALUE)}
)
CONF = {
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.streaming.stateStore.providerClass": "RocksDB",
}
KAFKA = Source(kind="kafka", topics=frozenset({"a"}))
HELD = Held(
    batches=True,
    sources=(KAFKA,),
    conf=CONF,
    operators=(AGGREGATION,),
    window_ms=frozenset({60_000}),
    format_version=1,
)
SAME = Demanded(
    spark_version="4.2.0",
    sources=(KAFKA,),
    conf=dict(CONF),
    operators=(AGGREGATION,),
    window_ms=frozenset({60_000}),
    format_version=1,
    fail_on_data_loss=False,
)
MINUTES_5 = frozenset({300_000})


JOIN = dict.fromkeys(JOIN_STORES, (KEY, VALUE))


def rows(key=KEY, value=VALUE, **more):
    return (replace(AGGREGATION, stores={"default": (key, value)}, **more),)


def kinds(held, demanded):
    return {(item.name, item.acceptance.value) for item in compare(held, demanded)} - {
        ("Spark version", "allowed"),
        ("source 0", "allowed"),
        ("topics", "allowed"),
        ("operator 0", "allowed"),
        ("windows", "allowed"),
    }


CASES = [
    ("nothing changed", {}, {}, set()),
    (
        "nothing planned yet",
        {"batches": False},
        {"operators": ()},
        {("checkpoint", "allowed")},
    ),
    ("another source", {}, {"sources": (KAFKA, KAFKA)}, {("sources", "impossible")}),
    (
        "another kind of source",
        {},
        {"sources": (Source(kind="file"),)},
        {("source 0", "impossible")},
    ),
    (
        "a source that never had an offset",
        {"sources": (Source(kind="none"),)},
        {},
        {("source 0", "unknown")},
    ),
    (
        "another topic, losses pass",
        {},
        {"sources": (Source(kind="kafka", topics=frozenset({"b"})),)},
        {("topics", "risky")},
    ),
    (
        "another topic, losses fail",
        {},
        {
            "sources": (Source(kind="kafka", topics=frozenset({"b"})),),
            "fail_on_data_loss": True,
        },
        {("topics", "impossible"), ("topics", "risky")},
    ),
    (
        "another topic beside",
        {},
        {
            "sources": (Source(kind="kafka", topics=frozenset({"a", "b"})),),
            "fail_on_data_loss": True,
        },
        {("topics", "risky")},
    ),
    (
        "other shuffle partitions",
        {},
        {"conf": CONF | {"spark.sql.shuffle.partitions": "8"}},
        {("setting spark.sql.shuffle.partitions", "allowed")},
    ),
    (
        "other shuffle partitions of a query without state",
        {"operators": (), "window_ms": frozenset()},
        {"conf": CONF | {"spark.sql.shuffle.partitions": "8"}, "operators": ()},
        set(),
    ),
    (
        "another provider",
        {},
        {"conf": CONF | {"spark.sql.streaming.stateStore.providerClass": "HDFS"}},
        {("setting spark.sql.streaming.stateStore.providerClass", "allowed")},
    ),
    (
        "a setting that only a newer Spark knows",
        {"conf": CONF | {"spark.sql.streaming.later": "1"}},
        {},
        {("Spark version", "risky")},
    ),
    ("the other state format", {}, {"format_version": 2}, {("state format", "impossible")}),
    (
        "no state yet, any state format",
        {"format_version": None, "operators": (), "window_ms": frozenset()},
        {"format_version": 2, "operators": ()},
        set(),
    ),
    (
        "an operator less",
        {},
        {"operators": (), "window_ms": None},
        {("operator 0", "impossible")},
    ),
    (
        "an operator more",
        {"operators": (), "window_ms": frozenset()},
        {},
        {("operator 0", "impossible")},
    ),
    ("another operator", {}, {"operators": rows(name="dedupe")}, {("operator 0", "impossible")}),
    (
        "an operator whose name nobody wrote down",
        {"operators": rows(name=None)},
        {},
        set(),
    ),
    (
        "a schema that cannot be read",
        {"operators": (replace(AGGREGATION, stores=None),)},
        {},
        {("operator 0", "unknown")},
    ),
    (
        "another aggregate",
        {},
        {"operators": rows(value=struct(*VALUE["fields"], field("max", "long")))},
        {("operator 0, default", "impossible")},
    ),
    (
        "a key of another type",
        {},
        {"operators": rows(key=struct(KEY["fields"][0], field("device", "long")))},
        {("operator 0, default", "impossible")},
    ),
    (
        "a key of another name",
        {},
        {"operators": rows(key=struct(KEY["fields"][0], field("machine", "string")))},
        {("operator 0, default", "risky")},
    ),
    (
        "a value that may now be null",
        {},
        {"operators": rows(value=struct(field("count", "long", null=True)))},
        {("operator 0, default", "impossible")},
    ),
    (
        "a value that can no longer be null",
        {"operators": rows(value=struct(field("count", "long", null=True)))},
        {},
        set(),
    ),
    (
        "an added column in Avro",
        {"conf": CONF | {"spark.sql.streaming.stateStore.encodingFormat": "avro"}},
        {
            "conf": CONF | {"spark.sql.streaming.stateStore.encodingFormat": "avro"},
            "operators": rows(value=struct(*VALUE["fields"], field("max", "long"))),
        },
        {("operator 0, default", "risky")},
    ),
    (
        "a join that was an aggregation, before operators had names",
        {"operators": rows(name=None)},
        {"operators": (replace(AGGREGATION, name="symmetricHashJoin", stores=JOIN),)},
        {("operator 0", "impossible")},
    ),
    (
        "an aggregation as before, before operators had names",
        {"operators": rows(name=None)},
        {},
        set(),
    ),
    ("longer windows", {}, {"window_ms": MINUTES_5}, {("windows", "risky")}),
    ("windows in a plan not understood", {}, {"window_ms": None}, {("windows", "unknown")}),
    ("no window is open", {"window_ms": frozenset()}, {"window_ms": MINUTES_5}, set()),
]


@pytest.mark.parametrize(
    ("before", "now", "told"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_is_told_of_a_change(before, now, told):
    found = kinds(replace(HELD, **before), replace(SAME, **now))
    assert found == told
    for item in compare(replace(HELD, **before), replace(SAME, **now)):
        assert item.acceptance == "allowed" or item.hint
        hint = fill(item.hint, Aim(path="/foreign/cp").commands())
        for words in commands(hint):
            given = parsed(*words[1:]) if words[:2] != ["streamctl", "start"] else {}
            named = [given.get("path"), given.get("to"), *given.get("assignments", ())]
            assert not given or any("/foreign/cp" in name for name in named if name), hint


def variables(**kinds):
    found = [{"stateName": name, "stateVariableType": kind} for name, kind in kinds.items()]
    properties = {"timeMode": "NoTime", "outputMode": "Update", "stateVariables": found}
    stores = dict.fromkeys(kinds, (KEY, VALUE))
    return StatefulOperator(
        operator_id=0, name="transformWithStateExec", stores=stores, properties=properties
    )


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (variables(n="ValueState"), set()),
        (variables(n="ValueState", more="ListState"), set()),
        (variables(n="ListState"), {("operator 0", "impossible")}),
        (variables(more="ListState"), {("operator 0", "risky")}),
        (
            replace(variables(n="ValueState"), properties={"timeMode": "EventTime"}),
            {("operator 0", "impossible"), ("operator 0", "risky")},
        ),
    ],
    ids=["same", "one more", "another type", "one less", "another time mode"],
)
def test_variables_of_transform_with_state(now, told):
    before = replace(HELD, operators=(variables(n="ValueState"),), window_ms=frozenset())
    assert kinds(before, replace(SAME, operators=(now,))) == told


@pytest.mark.parametrize(
    ("new", "stored", "yes"),
    [
        ("long", "long", True),
        ("long", "integer", False),
        (
            {"type": "array", "elementType": "long", "containsNull": True},
            {"type": "array", "elementType": "long", "containsNull": False},
            False,
        ),
        (
            {"type": "map", "keyType": "long", "valueType": KEY, "valueContainsNull": False},
            {"type": "map", "keyType": "long", "valueType": KEY, "valueContainsNull": True},
            True,
        ),
        (struct(field("a", "long")), "long", False),
        (struct(field("a", "long")), struct(), False),
    ],
)
def test_types(new, stored, yes):
    assert fits(new, stored) is yes


def test_a_schema_reads_like_ddl():
    assert describe(KEY) == "window struct<start: timestamp, end: timestamp>, device string"
    assert window_column(KEY) == "window"
    assert window_column(VALUE) is None


@pytest.mark.parametrize(("version", "name"), cases(), ids=["-".join(case) for case in cases()])
def test_every_golden_accepts_what_made_it(version, name):
    """Both sides read from the same files; those of Spark 3.5 name no operators."""
    found = held.read(Checkpoint.open(str(golden(version, name))))
    demanded = Demanded(
        spark_version="4.2.0",
        sources=found.sources,
        conf=found.conf,
        operators=found.operators,
        window_ms=frozenset({60_000}),
        format_version=found.format_version or 1,
        fail_on_data_loss=True,
    )
    seen = replace(found, window_ms=frozenset({60_000}))
    assert {item.acceptance.value for item in compare(seen, demanded)} == {"allowed"}
    assert all(operator.stores for operator in found.operators)
