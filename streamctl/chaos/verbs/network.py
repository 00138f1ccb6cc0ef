"""Faults of the network between the job and the broker, through the proxy."""

from typing import Any

from streamctl.chaos.proxy.fault import CLEAR, Fault
from streamctl.chaos.subject import Subject
from streamctl.chaos.verbs.verb import action


def fault(subject: Subject, **values: Any) -> None:
    """Put the job's traffic under a fault: kind, latency, jitter, bandwidth, flapping."""
    subject.stage.proxy.apply(Fault.of(values))


def clear(subject: Subject, **_: Any) -> None:
    """End every fault of the network."""
    subject.stage.proxy.apply(CLEAR)


VERBS = {
    "network.fault": action(fault, undo="network.clear"),
    "network.clear": action(clear),
}
