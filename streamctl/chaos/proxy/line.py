"""What any proxy in the way to Kafka is told: our own, or a Toxiproxy."""

from typing import Protocol

from streamctl.chaos.proxy.fault import Fault


class Line(Protocol):
    """A network that can be put under a fault."""

    def apply(self, fault: Fault) -> object:
        """Put all connections under a fault; `CLEAR` ends the one before."""

    def end(self) -> None:
        """Take the proxy away, if it is ours."""
