"""Each record is what the ledger says it is, judged here by rules written a second time."""

import json
import re
from collections import Counter
from datetime import datetime

import pytest

from streamctl.errors import SettingsInvalid
from streamctl.produce.mix import FLAW_FIELDS, Mix, device_name
from streamctl.produce.run import simulated_clock
from streamctl.produce.telemetry import NO_TIME, Telemetry

START = datetime.fromisoformat("2026-03-01T12:00:00Z")
NUMBERS = {
    "battery_level": (0, 100),
    "signal_strength": (-150, 0),
    "latitude": (-90, 90),
    "longitude": (-180, 180),
    "duration_seconds": (0, 86400),
}

FIELDS = ("device_id", "event_timestamp", *NUMBERS)


def telemetry(mix: Mix, *, per_second: float = 10.0) -> Telemetry:
    return Telemetry(mix, clock=simulated_clock(START, records_per_second=per_second))


def moment_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def reasons_by_rule(value: bytes, created_ms: int) -> set[str]:
    """All rules that a record breaks, worked out from the bytes alone."""
    try:
        record = json.loads(value)
    except ValueError:
        return {"invalid_json"}
    if not isinstance(record, dict):
        return {"invalid_json"}
    present = {name for name in FIELDS if record.get(name) is not None}
    found = {f"missing:{name}" for name in set(FIELDS) - present}
    for name in present & set(NUMBERS):
        found |= number_rule(name, record[name])
    if "device_id" in present and not isinstance(record["device_id"], str):
        found.add("schema_mismatch:device_id")
    if "event_timestamp" in present:
        found |= time_rule(record["event_timestamp"], created_ms)
    return found


def number_rule(name: str, value: object) -> set[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {f"schema_mismatch:{name}"}
    if NUMBERS[name][0] <= value <= NUMBERS[name][1]:
        return set()
    return {"invalid_duration" if name == "duration_seconds" else f"out_of_range:{name}"}


def time_rule(value: object, created_ms: int) -> set[str]:
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        return {"schema_mismatch:event_timestamp"}
    return {"timestamp_in_future"} if moment_ms(value) > created_ms + 300_000 else set()


def test_each_record_breaks_just_the_rule_it_is_booked_under() -> None:
    run = telemetry(Mix(flaws={"all": 0.6}, late_share=0.1, seed=3))
    batch = run.batch(20_000)
    assert set(batch.reasons) == set(range(len(run.reasons)))  # every flaw occurs
    for index, value in enumerate(batch.values):
        booked = run.reasons[batch.reasons[index]]
        created = batch.created_ms[index]
        assert reasons_by_rule(value, created) == ({booked} if booked else set()), value


def test_the_ledgers_columns_are_those_of_the_record() -> None:
    run = telemetry(Mix(flaws={"all": 0.3}, late_share=0.2, late_by_seconds=(100, 200), seed=4))
    batch = run.batch(5_000)
    late = 0
    for index, value in enumerate(batch.values):
        key = device_name(batch.devices[index])
        assert batch.keys[index] == key.encode()
        created, event = batch.created_ms[index], batch.event_ms[index]
        assert created == moment_ms("2026-03-01T12:00:00Z") + index * 100
        if event == NO_TIME:
            booked = run.reasons[batch.reasons[index]]
            assert booked == "invalid_json" or booked.endswith(":event_timestamp")
            continue
        record = json.loads(value)
        assert moment_ms(record["event_timestamp"]) == event
        assert record["sequence"] == index
        if batch.reasons[index] == 0:
            assert record["device_id"] == key
        if event < created:
            late += 1
            assert 100_000 <= created - event <= 200_000
            assert batch.reasons[index] == 0
    assert late == pytest.approx(1_000, rel=0.15)


def test_shares_are_kept_and_spread_over_fields() -> None:
    flaws = {"missing": 0.06, "invalid_json": 0.05, "out_of_range:latitude": 0.02}
    run = telemetry(Mix(flaws=flaws, late_share=0.03, seed=5))
    batch = run.batch(100_000)
    seen = Counter(run.reasons[index] for index in batch.reasons)
    assert seen["invalid_json"] == pytest.approx(5_000, rel=0.06)
    assert seen["out_of_range:latitude"] == pytest.approx(2_000, rel=0.1)
    missing = [count for reason, count in seen.items() if reason.startswith("missing:")]
    assert len(missing) == 7
    assert sum(missing) == pytest.approx(6_000, rel=0.06)
    assert sum(1 for n, at in enumerate(batch.event_ms) if at < batch.created_ms[n]) > 2_500
    assert seen[""] == pytest.approx(87_000, rel=0.01)


@pytest.mark.parametrize("name", sorted(FLAW_FIELDS))
def test_a_flaw_can_be_asked_for_alone(name: str) -> None:
    run = telemetry(Mix(flaws={name: 1.0}, seed=6))
    batch = run.batch(200)
    assert {run.reasons[n].partition(":")[0] for n in batch.reasons} == {name}


def test_same_seed_same_bytes_whatever_the_batches() -> None:
    mix = Mix(flaws={"all": 0.2}, late_share=0.1, seed=11)
    whole = telemetry(mix).batch(3_000)
    run, keys, values = telemetry(mix), [], []
    for size in (1, 999, 1, 1_500, 499):
        part = run.batch(size)
        keys += part.keys
        values += part.values
    assert (whole.keys, whole.values) == (keys, values)
    other = telemetry(Mix(flaws={"all": 0.2}, late_share=0.1, seed=12)).batch(3_000)
    assert other.values != whole.values


def test_seed_and_start_time_give_these_very_bytes() -> None:
    """A changed generator breaks comparisons with earlier runs: it must be on purpose."""
    batch = telemetry(Mix(devices=3, seed=1)).batch(2)
    assert batch.keys == GOLDEN_KEYS
    assert batch.values == GOLDEN_VALUES


GOLDEN_KEYS = [b"device-00001", b"device-00000"]
GOLDEN_VALUES = [
    (
        b'{"device_id":"device-00001","event_timestamp":"2026-03-01T12:00:00.000Z","battery_level"'
        b':6.7,"signal_strength":-83.0,"latitude":56.548472,"longitude":-101.139125,"duration_seco'
        b'nds":101.0,"firmware":"3.0.0-rc.1","network":"lte","sequence":0}'
    ),
    (
        b'{"device_id":"device-00000","event_timestamp":"2026-03-01T12:00:00.100Z","battery_level"'
        b':52.0,"signal_strength":-135.6,"latitude":70.885531,"longitude":79.665196,"duration_seco'
        b'nds":364.8,"firmware":"2.4.1","network":"wifi","sequence":1}'
    ),
]


@pytest.mark.parametrize("size", [400, 10_000, 600_000])
def test_records_are_filled_up_to_a_size_and_stay_what_they_are(size: int) -> None:
    """The number of a flaw has its own digits; a size below their own changes nothing."""
    mix = Mix(devices=3, flaws={"out_of_range": 0.2}, late_share=0.2, record_bytes=size)
    made = telemetry(mix)
    batch, names = made.batch(60), made.reasons
    sizes = [len(value) for value in batch.values]
    assert all(size - 20 <= each <= size + 20 for each in sizes)
    assert len({value[150:350] for value in batch.values}) > 10  # nothing to compress away
    for value, reason, created in zip(batch.values, batch.reasons, batch.created_ms, strict=True):
        assert reasons_by_rule(value, created) == {names[reason]} - {""}
    small = telemetry(Mix(devices=3, record_bytes=1)).batch(5)
    assert [b"padding" in value for value in small.values] == [False] * 5


def test_edges_of_the_ranges_are_valid_and_occur() -> None:
    batch = telemetry(Mix(seed=2)).batch(20_000)
    records = [json.loads(value) for value in batch.values]
    for name, limits in NUMBERS.items():
        values = {record[name] for record in records}
        assert set(limits) <= values, name


@pytest.mark.parametrize(
    ("mix", "words"),
    [
        (Mix(flaws={"typo": 0.1}), 'no flaw "typo"'),
        (Mix(flaws={"missing:colour": 0.1}), 'no field "colour"'),
        (Mix(flaws={"invalid_json:latitude": 0.1}), 'no field "latitude"'),
        (Mix(flaws={"all": 0.7}, late_share=0.4), "between 0 and 1"),
        (Mix(flaws={"missing": -0.1}), "between 0 and 1"),
        (Mix(late_by_seconds=(5, 1)), "lateness"),
        (Mix(devices=0), "device"),
    ],
)
def test_a_mix_that_is_none_is_refused(mix: Mix, words: str) -> None:
    with pytest.raises(SettingsInvalid, match=words):
        telemetry(mix)


def test_a_missing_field_is_absent_or_null() -> None:
    batch = telemetry(Mix(flaws={"missing:latitude": 1.0}, seed=8)).batch(100)
    records = [json.loads(value) for value in batch.values]
    assert {"latitude" in record for record in records} == {True, False}
