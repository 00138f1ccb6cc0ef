"""Every wrong thing gets its exact reasons, all of them, and nothing good is rejected."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from jobs.job import Context
from jobs.telemetry import TelemetryJob
from jobs.transforms import judge, reasons_of, rejected, valid
from streamctl.settings.model import StreamSettings

pytestmark = pytest.mark.integration

RECORD_TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOOD = {
    "device_id": "d1",
    "event_timestamp": "2026-03-01T11:59:30.123Z",
    "battery_level": 87.5,
    "signal_strength": -70,
    "latitude": 52.1,
    "longitude": -13.4,
    "duration_seconds": 60,
    "firmware": "1.2",
}


def text(**changes: object) -> bytes:
    record = GOOD | changes
    return json.dumps({k: v for k, v in record.items() if v is not ...}).encode()


def raw(field: str, literal: str) -> bytes:
    """The good record with a field's JSON written by hand."""
    return text(**{field: "@@"}).replace(b'"@@"', literal.encode())


NUMBERS = ("battery_level", "signal_strength", "latitude", "longitude", "duration_seconds")
EVERY_FIELD = ("device_id", "event_timestamp", *NUMBERS)
DEEP = "[" * 2000 + "]" * 2000

CASES: list[tuple[str, bytes | None, list[str]]] = [
    ("good", text(), []),
    ("good, with white space around", b" \n" + text() + b"\t\r\n", []),
    ("good, without what the schema does not name", text(firmware=...), []),
    ("good, text outside ASCII", text(device_id="gerät-7 ✓ \U0001f600"), []),
    (
        "good, an escaped name is the same name",
        text().replace(b"device_id", b"device\\u005fid"),
        [],
    ),
    ("good, exponent", raw("battery_level", "8.75e1"), []),
    ("good, negative zero", raw("battery_level", "-0.0"), []),
    ("good, many digits", raw("battery_level", "87.50000000000000000000000000000000000000001"), []),
    ("good, an empty device is still a text", text(device_id=""), []),
    (
        "good, a name given twice counts with its last value",
        raw("battery_level", '"x", "battery_level": 5'),
        [],
    ),
    (
        "wrong, a name given twice counts with its last value",
        raw("battery_level", '5, "battery_level": "x"'),
        ["schema_mismatch:battery_level"],
    ),
    (
        "good, nested names do not count",
        raw("firmware", '{"device_id": 5, "battery_level": "x"}'),
        [],
    ),
    ("good, NaN in a text", text(firmware="NaN"), []),
    ("tombstone", None, ["missing:value"]),
    ("empty", b"", ["invalid_json"]),
    ("only white space", b"  \n", ["invalid_json"]),
    ("cut", text()[:40], ["invalid_json"]),
    ("cut by its last byte", text()[:-1], ["invalid_json"]),
    ("no JSON", b"connection reset by peer", ["invalid_json"]),
    ("text after it", text() + b" x", ["invalid_json"]),
    ("a brace after it", text() + b"}", ["invalid_json"]),
    ("a bracket after it", text() + b"]", ["invalid_json"]),
    ("a NUL after it", text() + b"\0", ["invalid_json"]),
    ("a comment after it", text() + b"/*x*/", ["invalid_json"]),
    ("two records", text() + text(), ["invalid_json"]),
    ("two records, one a line", text() + b"\n" + text(), ["invalid_json"]),
    ("two records with a comma", text() + b"," + text(), ["invalid_json"]),
    ("only a comma", b",", ["invalid_json"]),
    ("only a bracket", b"]", ["invalid_json"]),
    ("a comma too many", text()[:-1] + b",}", ["invalid_json"]),
    ("a comma behind it", text() + b",", ["invalid_json"]),
    ("single quotes", text().replace(b'"', b"'"), ["invalid_json"]),
    ("a name without quotes", text().replace(b'"device_id"', b"device_id"), ["invalid_json"]),
    ("a byte order mark", b"\xef\xbb\xbf" + text(), ["invalid_json"]),
    ("a line end inside a text", raw("device_id", '"a\nb"'), ["invalid_json"]),
    ("UTF-16", text().decode().encode("utf-16"), ["invalid_json"]),
    ("bytes that are no UTF-8", text(device_id="@").replace(b"@", b"\xff\xfe"), ["invalid_json"]),
    (
        "bytes that are no UTF-8, in a field nobody reads",
        text(firmware="@").replace(b"@", b"\xc3\x28"),
        ["invalid_json"],
    ),
    ("half of a surrogate pair", raw("device_id", '"\\ud800"'), ["invalid_json"]),
    ("a bare NaN", raw("battery_level", "NaN"), ["invalid_json"]),
    ("a bare Infinity", raw("battery_level", "-Infinity"), ["invalid_json"]),
    ("a leading zero", raw("battery_level", "012"), ["invalid_json"]),
    ("a plus", raw("battery_level", "+1"), ["invalid_json"]),
    ("a hexadecimal number", raw("battery_level", "0x10"), ["invalid_json"]),
    ("a number of 1500 digits", raw("battery_level", "1" * 1500), ["invalid_json"]),
    ("nested too deep", raw("firmware", DEEP), ["invalid_json"]),
    ("a number is no object", b"5", ["schema_mismatch:value"]),
    ("null is no object", b"null", ["schema_mismatch:value"]),
    ("a text is no object", b'"x"', ["schema_mismatch:value"]),
    ("an array is no object", b"[" + text() + b"]", ["schema_mismatch:value"]),
    ("an empty array is no object", b"[]", ["schema_mismatch:value"]),
    ("an empty object lacks all", b"{}", [f"missing:{name}" for name in EVERY_FIELD]),
    *((f"{name} absent", text(**{name: ...}), [f"missing:{name}"]) for name in EVERY_FIELD),
    *((f"{name} null", text(**{name: None}), [f"missing:{name}"]) for name in EVERY_FIELD),
    *(
        (f"{name} is {value!r}", text(**{name: value}), [f"schema_mismatch:{name}"])
        for name in NUMBERS
        for value in ("12", "", "NaN", True, [12], {"v": 12}, "Infinity")
    ),
    *(
        (f"device_id is {value!r}", text(device_id=value), ["schema_mismatch:device_id"])
        for value in (17, 1.5, False, ["a"], {"id": "a"})
    ),
    *(
        (f"time is {value!r}", text(event_timestamp=value), ["schema_mismatch:event_timestamp"])
        for value in (
            "yesterday",
            "",
            "24/11/2026",
            1772366370,
            1772366370.5,
            True,
            ["x"],
            "2026-03-01",
            "2026-03-01 11:59:30",
            "11:59:30",
            "2026-02-30T11:59:30Z",
            "2026-03-01T25:00:00Z",
            "2026-03-01T11:59:30 Europe/Berlin",
            "2026-03-01T11:59:30Zz",
            "20260301T115930Z",
            "+12026-03-01T11:59:30Z",
            "2026-03-01T11:59:60Z",
            "2026-03-01T11:59Z",
            "now",
            " 2026-03-01T11:59:30Z",
            "2026-03-01T11:59:30+25:00",
        )
    ),
    *(
        (f"time {value!r} is good", text(event_timestamp=value), [])
        for value in (
            "2026-03-01T11:59:30Z",
            "2026-03-01T11:59:30",
            "2026-03-01T11:59:30.5Z",
            "2026-03-01T11:59:30.123456789Z",
            "2026-03-01T12:59:30+01:00",
            "2026-03-01T12:59:30+0100",
            "1970-01-01T00:00:00Z",
            "2026-03-01T12:05:00Z",
        )
    ),
    *(
        (f"{name} is {value}", text(**{name: value}), [f"out_of_range:{name}"])
        for name, values in {
            "battery_level": (-0.1, 100.1, 1e308),
            "signal_strength": (-150.5, 1),
            "latitude": (-90.00001, 91),
            "longitude": (-181, 180.1),
        }.items()
        for value in values
    ),
    *(
        (f"{name} is {value}", text(**{name: value}), [])
        for name, values in {
            "battery_level": (0, 100),
            "signal_strength": (-150, 0),
            "latitude": (-90, 90),
            "longitude": (-180, 180.0),
            "duration_seconds": (0, 86400, 0.5),
        }.items()
        for value in values
    ),
    ("a huge exponent", raw("latitude", "1e999"), ["out_of_range:latitude"]),
    ("a huge negative exponent is zero", raw("latitude", "1e-999"), []),
    ("a number past 64 bits", raw("longitude", "9" * 30), ["out_of_range:longitude"]),
    ("duration below 0", text(duration_seconds=-1), ["invalid_duration"]),
    ("duration over a day", text(duration_seconds=86400.5), ["invalid_duration"]),
    ("duration without end", raw("duration_seconds", "1e400"), ["invalid_duration"]),
    ("in the future", text(event_timestamp="2026-03-01T12:05:00.001Z"), ["timestamp_in_future"]),
    ("far in the future", text(event_timestamp="9999-12-31T23:59:59Z"), ["timestamp_in_future"]),
    (
        "all that is wrong, in the order of the schema and then of the rules",
        text(
            device_id=5,
            event_timestamp="2027-01-01T00:00:00Z",
            battery_level="x",
            signal_strength=None,
            latitude=99,
            longitude=...,
            duration_seconds=-1,
        ),
        [
            "schema_mismatch:device_id",
            "schema_mismatch:battery_level",
            "missing:signal_strength",
            "missing:longitude",
            "out_of_range:latitude",
            "invalid_duration",
            "timestamp_in_future",
        ],
    ),
]


def records(spark, values):
    rows = [
        (b"k", value, [("h", b"\xff")], "t", 0, offset, RECORD_TIME)
        for offset, value in enumerate(values)
    ]
    return spark.createDataFrame(
        rows,
        "key BINARY, value BINARY, headers ARRAY<STRUCT<key: STRING, value: BINARY>>,"
        " topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP",
    )


def context(**options: str) -> Context:
    return Context(
        stream=StreamSettings(),
        dead_letter_topic="t.dlq",
        run_id="r",
        options={**TelemetryJob.options, **options},
    )


@pytest.fixture(scope="module")
def judged(spark):
    rules = TelemetryJob().rules_for(context())
    frame = judge(records(spark, [value for _, value, _ in CASES]), TelemetryJob.schema, rules)
    return frame.cache()


@pytest.fixture(scope="module")
def found(judged) -> dict[int, list[str]]:
    return {row.offset: row.reasons or [] for row in judged.select("offset", "reasons").collect()}


@pytest.mark.parametrize(
    ("offset", "reasons"), [pytest.param(n, c[2], id=c[0]) for n, c in enumerate(CASES)]
)
def test_reasons(found, offset, reasons):
    assert found[offset] == reasons


def test_a_good_record_has_its_values(judged):
    row = valid(judged.where("offset = 0")).collect()[0].asDict()
    assert (
        row.pop("event_timestamp").astimezone(UTC).isoformat().startswith("2026-03-01T11:59:30.123")
    )
    assert row == {name: GOOD[name] for name in EVERY_FIELD if name != "event_timestamp"}


def test_a_rejected_record_is_as_it_came(judged):
    rows = {row.offset: row for row in rejected(judged).collect()}
    assert rows.keys() == {n for n, case in enumerate(CASES) if case[2]}
    for offset, row in rows.items():
        value = CASES[offset][1]
        assert row.value == (None if value is None else bytearray(value))
        assert (row.key, row.headers[0].value) == (bytearray(b"k"), bytearray(b"\xff"))


def test_only_promised_reasons_occur(found):
    promised = reasons_of(TelemetryJob.schema, TelemetryJob().rules_for(context()))
    assert {reason for reasons in found.values() for reason in reasons} <= set(promised)


def test_how_far_a_clock_may_be_ahead_is_an_option(spark):
    ahead = text(event_timestamp=(RECORD_TIME + timedelta(minutes=20)).isoformat())
    for skew, expected in (("5 minutes", ["timestamp_in_future"]), ("1 hour", None)):
        rules = TelemetryJob().rules_for(context(allowed_clock_skew=skew))
        row = judge(records(spark, [ahead]), TelemetryJob.schema, rules).collect()[0]
        assert row.reasons == expected


def test_optional_fields_of_every_type(spark):
    schema = "id STRING NOT NULL, n BIGINT, d DOUBLE, b BOOLEAN, t TIMESTAMP, s STRING"
    cases = [
        ({"id": "a"}, None),
        ({"id": "a", "n": None, "d": None, "b": None, "t": None, "s": None}, None),
        ({"id": "a", "n": 1, "d": 2.5, "b": True, "t": "2026-03-01T00:00:00Z", "s": "x"}, None),
        (
            {"id": "a", "n": 1.5, "d": "2", "b": 0, "t": "soon", "s": 5},
            [f"schema_mismatch:{name}" for name in "ndbts"],
        ),
    ]
    values = [json.dumps(value).encode() for value, _ in cases]
    rows = judge(records(spark, values), schema, ()).orderBy("offset").collect()
    assert [row.reasons for row in rows] == [expected for _, expected in cases]
    assert (rows[2].n, rows[2].d, rows[2].b, rows[2].s) == (1, 2.5, True, "x")
