"""Telemetry records as bytes: valid ones fast, flawed ones with exactly one flaw each.

Everything but the time is drawn from one seeded generator, in the order of the records, so the
same seed gives the same records whatever the batches. A valid record is put together from
parts that are rendered beforehand; only its device, time and sequence number are its own.
"""

import base64
import json
import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate

from streamctl.produce.flaws import flawed_value
from streamctl.produce.mix import DURATION_RANGE, NUMBER_RANGES, Mix, device_name

NO_TIME = -(2**63)
"""Event time of a record that tells none."""
_BODIES = 4096
_BODIES_BYTES = 2**26
"""Of large records there are fewer different bodies, so that all of them fit into memory."""
_EDGE_EVERY = 64
_DEVICE_BITS = 24

Clock = Callable[[int], int]
"""Sequence number -> CreateTime in milliseconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Consecutive records; all columns have one entry per record.

    Attributes:
        first: sequence number of the first one.
        reasons: index into `Telemetry.reasons`; 0 is valid.
        devices: number of the device.
        event_ms: event time, `NO_TIME` where the record tells none that can be read.
        created_ms: the CreateTime to send it with.
    """

    first: int
    keys: list[bytes]
    values: list[bytes]
    reasons: "array[int]"
    devices: "array[int]"
    event_ms: "array[int]"
    created_ms: "array[int]"


class Telemetry:
    """An endless run of records.

    Args:
        mix: shares and seed.
        clock: gives each record its CreateTime, which is also the event time of a record that is
            neither late nor in the future.

    Attributes:
        reasons: what a record is, by index: "" for valid, then the flaws of the mix.

    Raises:
        SettingsInvalid: the mix is none.
    """

    def __init__(self, mix: Mix, *, clock: Clock) -> None:
        shares = mix.reasons()
        self.reasons: list[str] = ["", *(reason for reason, _ in shares)]
        self._clock = clock
        self._late_ms = [int(seconds * 1000) for seconds in mix.late_by_seconds]
        self._thresholds = list(accumulate([mix.late_share, *(share for _, share in shares)]))
        self._random = random.Random(mix.seed)  # noqa: S311 - repeatable, not secret
        self._names = [device_name(number) for number in range(mix.devices)]
        self._keys = [name.encode() for name in self._names]
        self._heads = [b'{"device_id":"' + key + b'","event_timestamp":"' for key in self._keys]
        bodies = _bodies(mix.record_bytes)
        self._facts = [_facts(self._random, edge=not n % _EDGE_EVERY) for n in range(bodies)]
        for facts in self._facts if mix.record_bytes else ():
            _pad(facts, mix.record_bytes, self._random)
        self._tails = [_tail(facts) for facts in self._facts]
        self._next = 0
        self._second, self._second_text = -1, b""

    def batch(self, size: int) -> Batch:
        """Return the next records."""
        keys, values = [], []
        reasons, devices, event, created = array("B"), array("I"), array("q"), array("q")
        draw, bits, clock = self._random.random, self._random.getrandbits, self._clock
        some_flawed, before, text = self._thresholds[-1], NO_TIME, b""
        heads, tails, all_keys = self._heads, self._tails, self._keys
        one_body = len(tails) - 1
        for sequence in range(self._next, self._next + size):
            now = clock(sequence)
            number = bits(_DEVICE_BITS + 12)
            device, body = (number >> 12) % len(all_keys), number & one_body
            reason, at = 0, now
            chance = draw()
            if chance < some_flawed:
                reason, at, value = self._special(chance, now, device, body, sequence)
            else:
                if now != before:
                    before, text = now, self._time(now)
                value = heads[device] + text + tails[body] + b"%d}" % sequence
            keys.append(all_keys[device])
            values.append(value)
            reasons.append(reason)
            devices.append(device)
            event.append(at)
            created.append(now)
        first, self._next = self._next, self._next + size
        return Batch(
            first=first, keys=keys, values=values, reasons=reasons, devices=devices,
            event_ms=event, created_ms=created,
        )  # fmt: skip

    def _special(
        self, chance: float, now: int, device: int, body: int, sequence: int
    ) -> tuple[int, int, bytes]:
        """Render a late or a flawed record; return its reason, event time and value."""
        reason = next(n for n, limit in enumerate(self._thresholds) if chance < limit)
        if reason == 0:
            at = now - self._random.randint(*self._late_ms)
            head = self._heads[device] + _iso(at // 1000) + b".%03dZ" % (at % 1000)
            return 0, at, head + self._tails[body] + b"%d}" % sequence
        record = {
            "device_id": self._names[device],
            "event_timestamp": iso_ms(now),
            **self._facts[body],
            "sequence": sequence,
        }
        event_ms, value = flawed_value(self.reasons[reason], record, now, self._random)
        return reason, NO_TIME if event_ms is None else event_ms, value

    def _time(self, moment_ms: int) -> bytes:
        second, rest = divmod(moment_ms, 1000)
        if second != self._second:
            self._second, self._second_text = second, _iso(second)
        return self._second_text + b".%03dZ" % rest


def iso_ms(moment_ms: int) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return (_iso(moment_ms // 1000) + b".%03dZ" % (moment_ms % 1000)).decode()


def _iso(second: int) -> bytes:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()


def _facts(rng: random.Random, *, edge: bool) -> dict[str, object]:
    """Draw the measured values of a valid record; now and then the very edge of a range."""
    facts: dict[str, object] = {
        name: rng.choice(limits)
        if edge
        else round(rng.uniform(*limits), 6 if "tude" in name else 1)
        for name, limits in NUMBER_RANGES.items()
    }
    longest = DURATION_RANGE[1]
    facts["duration_seconds"] = (
        rng.choice(DURATION_RANGE) if edge else round(min(rng.expovariate(1 / 600), longest), 1)
    )
    facts["firmware"] = rng.choice(_FIRMWARE)
    facts["network"] = rng.choice(_NETWORKS)
    return facts


def _bodies(record_bytes: int) -> int:
    """How many there are: a power of two."""
    most = _BODIES_BYTES // max(1, record_bytes)
    return int(min(_BODIES, 1 << max(4, most.bit_length() - 1)))


def _pad(facts: dict[str, object], record_bytes: int, rng: random.Random) -> None:
    """Fill a record up with text that does not compress away."""
    missing = record_bytes - len(_tail(facts)) - _AROUND_BYTES
    if missing > 0:
        text = base64.b64encode(rng.randbytes(missing * 3 // 4 + 1))
        facts["padding"] = text[:missing].decode()


def _tail(facts: dict[str, object]) -> bytes:
    text = json.dumps(facts, separators=(",", ":"))
    return b'",' + text[1:-1].encode() + b',"sequence":'


_AROUND_BYTES = len(
    '{"device_id":"device-00000","event_timestamp":"2026-01-31T12:00:00.000Z,"padding":""100000}'
)
"""Of a record besides its body: device, time, the padding's name, and the sequence number."""
_FIRMWARE: Sequence[str] = ("2.3.9", "2.4.0", "2.4.1", "3.0.0-rc.1")
_NETWORKS: Sequence[str] = ("lte", "nb-iot", "wifi", "satellite")
