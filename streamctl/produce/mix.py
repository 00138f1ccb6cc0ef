"""What a run of records consists of: how many devices, which flaws, how much is late."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamctl.errors import SettingsInvalid

NUMBER_RANGES: dict[str, tuple[float, float]] = {
    "battery_level": (0, 100),
    "signal_strength": (-150, 0),
    "latitude": (-90, 90),
    "longitude": (-180, 180),
}
DURATION_RANGE = (0, 86_400)
FIELDS = ("device_id", "event_timestamp", *NUMBER_RANGES, "duration_seconds")
FLAW_FIELDS: dict[str, tuple[str, ...]] = {
    "invalid_json": (),
    "schema_mismatch": FIELDS,
    "missing": FIELDS,
    "out_of_range": tuple(NUMBER_RANGES),
    "invalid_duration": (),
    "timestamp_in_future": (),
}
"""Flaw -> the fields that can have it; none where the flaw has no field in its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """The shares of a run.

    Attributes:
        devices: number of devices; each record's key is its device.
        flaws: name of a flaw, or `name:field`, or `all` -> share of all records, 0 to 1. A
            flaw's share is spread evenly over its fields, that of `all` over the flaws.
        late_share: share of all records that are valid and late, 0 to 1.
        late_by_seconds: least and greatest lateness behind the record's CreateTime.
        seed: the same seed gives the same records.
        record_bytes: about how long each record is made, by a field that says nothing; a shorter
            one than it is anyway changes nothing.
    """

    devices: int = 100
    flaws: Mapping[str, float] = field(default_factory=dict)
    late_share: float = 0.0
    late_by_seconds: tuple[float, float] = (60.0, 1200.0)
    seed: int = 0
    record_bytes: int = 0

    def reasons(self) -> list[tuple[str, float]]:
        """Return each reason that may occur with its share, a flaw spread over its fields.

        Raises:
            SettingsInvalid: an unknown flaw or field, or shares that are more than the whole.
        """
        shares: dict[str, float] = {}
        for name, share in self.flaws.items():
            flaws = list(FLAW_FIELDS) if name == "all" else [name]
            for flaw in flaws:
                members = _members(flaw)
                for reason in members:
                    part = share / len(flaws) / len(members)
                    shares[reason] = shares.get(reason, 0.0) + part
        every = [*shares.values(), self.late_share]
        if min(every) < 0 or sum(every) > 1 + 1e-9:
            raise SettingsInvalid(
                "the shares of flaws and lateness must lie between 0 and 1 in sum"
            )
        if not 0 <= self.late_by_seconds[0] <= self.late_by_seconds[1]:
            raise SettingsInvalid("lateness must be given as least and greatest seconds")
        if self.devices < 1:
            raise SettingsInvalid("at least one device is needed")
        return [(reason, share) for reason, share in shares.items() if share > 0]


def device_name(number: int) -> str:
    """Return the name of the n-th device, counted from 0."""
    return f"device-{number:05d}"


def _members(name: str) -> list[str]:
    """Return the reasons that a flaw's name stands for: `missing` for that of every field."""
    flaw, _, field_name = name.partition(":")
    fields = FLAW_FIELDS.get(flaw)
    if fields is None:
        known = ", ".join(FLAW_FIELDS)
        raise SettingsInvalid(f'no flaw "{name}"', hint=f"The flaws are: {known}, and all.")
    if not field_name:
        return [f"{flaw}:{one}" for one in fields] or [flaw]
    if field_name not in fields:
        hint = f"It can be one of: {', '.join(fields)}." if fields else "It has no field."
        raise SettingsInvalid(f'the flaw "{flaw}" has no field "{field_name}"', hint=hint)
    return [name]
