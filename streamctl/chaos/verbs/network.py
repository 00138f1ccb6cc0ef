"""Faults of the network between the job and the broker: of the proxy, or of a link of our own."""

from typing import Any

from streamctl.chaos.experiment import Part
from streamctl.chaos.operated import Operated
from streamctl.chaos.proxy.fault import CLEAR, Fault
from streamctl.chaos.subject import Subject
from streamctl.chaos.verbs.verb import action


def fault(subject: Operated, **values: Any) -> None:
    """Put the job's traffic under a fault: kind, latency, jitter, bandwidth, flapping."""
    subject.line.apply(Fault.of(values))


def clear(subject: Operated, **_: Any) -> None:
    """End every fault of the network."""
    subject.line.apply(CLEAR)


def namespace(subject: Subject) -> None:
    """Lead the job's traffic, before its start, through a network namespace of our own.

    Raises:
        Unsupported: not allowed here.
    """
    subject.stage.enter_namespace()
    subject.set("kafka.bootstrap_servers", subject.stage.servers)


def host(subject: Subject) -> None:
    """Lead it through the host's own network again, and take the namespace away."""
    subject.stage.leave_namespace()


def cut(subject: Subject) -> None:
    """Set the namespace's end of the link down: packets go nowhere, and nobody is told.

    Raises:
        Refused: the traffic goes through no namespace of ours.
    """
    subject.stage.namespace.cut()


def join(subject: Subject) -> None:
    """Set the link up again."""
    subject.stage.namespace.join()


VERBS = {
    "network.fault": action(
        fault, Part.FAULT, undo="network.clear", on_target=True, check=Fault.check
    ),
    "network.clear": action(clear, Part.LIFT, on_target=True),
    "network.namespace": action(namespace, Part.ASIDE, undo="network.host"),
    "network.host": action(host, Part.ASIDE),
    "network.cut": action(cut, Part.FAULT, undo="network.join"),
    "network.join": action(join, Part.LIFT),
}
