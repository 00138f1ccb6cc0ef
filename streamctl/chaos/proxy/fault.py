"""What the proxy does to the network. Plain values, the same in Python and on the wire."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from streamctl.errors import SettingsInvalid


class Kind(StrEnum):
    """What becomes of a connection as a whole."""

    PASS = "pass"  # noqa: S105 - no password
    """It works, within latency and bandwidth."""
    BLACK_HOLE = "black_hole"
    """Nothing arrives and nobody is told, as when packets are dropped; what was sent arrives when
    the fault ends, as TCP sends it again."""
    RESET = "reset"
    """Connections are reset, and new ones too."""
    HALF_OPEN = "half_open"
    """The server's side is gone and the client does not know. The client's connections stay deaf
    after the fault; only new ones work."""


class Direction(StrEnum):
    """Which way a fault works. Requests go up, to the broker; answers come down."""

    BOTH = "both"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Conditions of the network; without arguments a clear one.

    Attributes:
        kind: of fault; `reset` and `half_open` concern both directions.
        direction: which way latency, jitter, bandwidth and a black hole work.
        latency_ms: added to each way that is concerned.
        jitter_ms: at most so much is added to or taken from the latency; order is kept.
        bandwidth_bytes_per_second: of one connection and direction; None for no bound.
        flap_seconds: on for so long, off for so long, again and again; 0 for always on.
    """

    kind: Kind = Kind.PASS
    direction: Direction = Direction.BOTH
    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    bandwidth_bytes_per_second: float | None = None
    flap_seconds: float = 0.0

    def __post_init__(self) -> None:
        bandwidth = self.bandwidth_bytes_per_second
        if min(self.latency_ms, self.jitter_ms, self.flap_seconds) < 0:
            raise SettingsInvalid("latency, jitter and flapping cannot be negative")
        if bandwidth is not None and bandwidth <= 0:
            raise SettingsInvalid("a bandwidth must be positive; a black hole lets nothing pass")

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Build one from JSON.

        Raises:
            SettingsInvalid: an unknown name, or a value out of range.
        """
        known = {field.name for field in fields(cls)}
        if unknown := values.keys() - known:
            names = ", ".join(sorted(known))
            raise SettingsInvalid(f'no fault "{min(unknown)}"', hint=f"There are: {names}.")
        try:
            kind = Kind(values.get("kind", Kind.PASS))
            direction = Direction(values.get("direction", Direction.BOTH))
            return cls(**{**values, "kind": kind, "direction": direction})
        except (TypeError, ValueError) as error:
            raise SettingsInvalid(f"no such fault: {error}") from None

    @classmethod
    def check(cls, **values: Any) -> None:
        """Whether there is such a fault.

        Raises:
            SettingsInvalid: as `of`.
        """
        cls.of(values)

    def shapes(self, direction: Direction) -> bool:
        """Whether bytes that go this way are held up."""
        return self.direction in {Direction.BOTH, direction} and (
            self.kind is Kind.BLACK_HOLE
            or bool(self.latency_ms or self.jitter_ms or self.bandwidth_bytes_per_second)
        )


CLEAR = Fault()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What went through a proxy since it was started.

    Attributes:
        fault: as it was asked for.
        connections: open now, on the client's side.
        accepted: connections in all.
        up_bytes, down_bytes: delivered to the broker, to the clients.
    """

    fault: Fault
    connections: int
    accepted: int
    up_bytes: int
    down_bytes: int
