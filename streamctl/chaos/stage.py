"""Where experiments take place: a broker of their own, and a proxy in the job's path to it.

The proxy may stand in a network namespace of its own, with broker and job outside. Where its link
is cut, both have their connections to it, and hear nothing more.

A stage is a scratch directory with notes of its processes, so that `chaos cleanup` finds what a
killed run left.
"""

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from streamctl.chaos.namespace import (
    Namespace,
    make_namespace,
    read_namespace,
    remove_namespace,
)
from streamctl.chaos.proxy.control import ChildProxy, start_child
from streamctl.chaos.proxy.line import Line
from streamctl.chaos.proxy.toxiproxy import Toxiproxy
from streamctl.errors import NotFound, Refused, StreamctlError
from streamctl.kafka.client import Broker
from streamctl.reports import OnEvent, as_json, ignore
from streamctl.rundir.files import read_file, replace_file
from streamctl.sandbox import lifecycle as sandbox
from streamctl.sandbox.config import HOST, Behind

_BROKER = {
    "log.retention.check.interval.ms": "1000",
    "log.initial.task.delay.ms": "500",
    "message.max.bytes": "4000000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Which proxy was made in a Toxiproxy, so that a later command takes it away."""

    address: str
    name: str


class Stage:
    """A broker and a proxy. Use as a context manager, or `Stage.left` for what was left.

    Args:
        directory: for all files.
        toxiproxy: address of its API, to use it instead of our proxy; empty for ours.
        on_event: hears of the start.
    """

    def __init__(self, directory: Path, *, toxiproxy: str = "", on_event: OnEvent = ignore) -> None:
        self.directory = directory
        self._toxiproxy, self._on_event = toxiproxy, on_event
        self._behind = Behind(port=0, proxy_port=0)
        self._ports = [0, 0]

    def __enter__(self) -> Self:
        port, *self._ports = (sandbox.free_port() for _ in range(3))
        self._behind = Behind(port=port, proxy_port=self._ports[0])
        try:
            self.start_broker()
            self._start_proxy()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def kafka(self) -> Path:
        """The broker's directory."""
        return self.directory / "kafka"

    @property
    def _proxy(self) -> Path:
        return self.directory / "proxy"

    @property
    def _note(self) -> Path:
        return self._proxy / "toxiproxy.json"

    @property
    def _namespace_note(self) -> Path:
        return self.directory / "namespace.json"

    @property
    def servers(self) -> str:
        """Where the job finds Kafka: through the proxy."""
        return self.addresses[0]

    @property
    def addresses(self) -> list[str]:
        """Where the job finds Kafka, and where after the next move."""
        return [f"{self._behind.proxy_host}:{port}" for port in self._ports]

    def move(self) -> None:
        """Let the broker come back at its other address; nobody listens at the old one."""
        self._ports.reverse()
        self._lead(replace(self._behind, proxy_port=self._ports[0]))

    def enter_namespace(self) -> None:
        """Let the job's way to the broker lead through a network namespace of our own.

        Raises:
            Unsupported: none can be made here; nothing is changed.
        """
        made = make_namespace(self._namespace_note)
        self._lead(replace(self._behind, host=made.outer, proxy_host=made.inner))

    def leave_namespace(self) -> None:
        """Let it lead through the host's own network again, if it does not."""
        if read_namespace(self._namespace_note) is not None:
            self._lead(replace(self._behind, host=HOST, proxy_host=HOST))
            remove_namespace(self._namespace_note)

    @property
    def namespace(self) -> Namespace:
        """The one that the job's way leads through.

        Raises:
            Refused: it leads through none.
        """
        found = read_namespace(self._namespace_note)
        if found is None:
            raise Refused(
                "only a link of our own is cut", hint="Use network.namespace before the job starts."
            )
        return found

    def _lead(self, behind: Behind) -> None:
        """Start broker and proxy anew, with other addresses."""
        sandbox.down(directory=self.kafka)
        self.proxy.end()
        self._behind = behind
        self._start_proxy()
        self.start_broker()

    def _start_proxy(self) -> None:
        """Start it where the job is to find it; in a namespace it is ours in any case."""
        behind = self._behind
        to, port = (behind.host, behind.port), behind.proxy_port
        self.proxy: Line
        if behind.proxy_host != HOST:
            enter = self.namespace.enter
            self.proxy = start_child(
                self._proxy, to, port=port, host=behind.proxy_host, enter=enter
            )
            return
        if not self._toxiproxy:
            self.proxy = start_child(self._proxy, to, port=port)
            return
        note = Note(address=self._toxiproxy, name=f"streamctl-{port}")
        self._proxy.mkdir(parents=True, exist_ok=True)
        replace_file(self._note, json.dumps(as_json(note)) + "\n")
        self.proxy = Toxiproxy.make(
            note.address, note.name, listen=f"{HOST}:{port}", upstream=f"{to[0]}:{to[1]}"
        )

    def start_broker(self) -> None:
        """Bring the broker up, unless it runs."""
        report = sandbox.up(
            directory=self.kafka,
            overrides=_BROKER,
            behind=self._behind,
            timeout_seconds=120,
            on_event=self._on_event,
        )
        self.direct_servers = report.bootstrap_servers or ""

    def broker(self, *, timeout_seconds: float = 20.0) -> Broker:
        """A client around the proxy."""
        return Broker(self.direct_servers, timeout_seconds=timeout_seconds)

    def close(self) -> None:
        """End both processes and remove their files, and the namespace."""
        if (note := read_file(self._note, Note)) is not None:
            with suppress(StreamctlError):  # a server that has gone has no proxy left
                Toxiproxy(note.address, note.name, made=True).end()
        with suppress(NotFound):
            ChildProxy(self._proxy).end()
        remove_namespace(self._namespace_note)
        sandbox.reset(directory=self.kafka)
        shutil.rmtree(self._proxy, ignore_errors=True)
