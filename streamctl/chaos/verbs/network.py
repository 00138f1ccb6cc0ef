"""Faults of the network between the job and the broker, through the proxy."""

from typing import Any

from streamctl.chaos.experiment import Part
from streamctl.chaos.operated import Operated
from streamctl.chaos.proxy.fault import CLEAR, Fault
from streamctl.chaos.verbs.verb import action


def fault(subject: Operated, **values: Any) -> None:
    """Put the job's traffic under a fault: kind, latency, jitter, bandwidth, flapping."""
    subject.line.apply(Fault.of(values))


def clear(subject: Operated, **_: Any) -> None:
    """End every fault of the network."""
    subject.line.apply(CLEAR)


VERBS = {
    "network.fault": action(
        fault, Part.FAULT, undo="network.clear", on_target=True, check=Fault.check
    ),
    "network.clear": action(clear, Part.LIFT, on_target=True),
}
