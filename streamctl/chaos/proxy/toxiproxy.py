"""A running Toxiproxy instead of our proxy, told over its HTTP API.

Source: its README, `/proxies/NAME/toxics`: the toxics `latency`, `bandwidth` (kB/s),
`timeout` (0: nothing passes, and the connection is closed when the toxic goes) and `reset_peer`.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from streamctl.chaos.experiment import Http
from streamctl.chaos.providers import request
from streamctl.chaos.proxy.fault import Direction, Fault, Kind
from streamctl.errors import NotFound, SettingsInvalid, StreamctlError, Unsupported

_STREAMS = {
    Direction.UP: ("upstream",),
    Direction.DOWN: ("downstream",),
    Direction.BOTH: ("upstream", "downstream"),
}
_OURS = "streamctl-"
"""How the name of a toxic begins that an experiment has made; all others are the operator's."""
_OK = range(200, 300)
_GONE = 404
_BYTES_PER_KB = 1000
_PATH_WORDS = 2


class Toxiproxy:
    """One proxy of a Toxiproxy server.

    Args:
        address: of the server's API.
        name: of the proxy.
        made: whether it was made by us, and is to be taken away.
    """

    def __init__(self, address: str, name: str, *, made: bool) -> None:
        self.address, self.name, self._made = address.rstrip("/"), name, made

    @classmethod
    def at(cls, address: str) -> "Toxiproxy":
        """The proxy of an address that ends in `/proxies/NAME`: one that is there already.

        Raises:
            SettingsInvalid: another address.
            NotFound: the server has no such proxy.
        """
        words = urlsplit(address).path.strip("/").split("/")
        if len(words) != _PATH_WORDS or words[0] != "proxies":
            raise SettingsInvalid(
                f'"{address}" names no proxy of Toxiproxy',
                hint="Set `chaos.toxiproxy` to http://HOST:8474/proxies/NAME.",
            )
        found = cls(address.removesuffix("/".join(words)), words[1], made=False)
        found._ask("GET")
        return found

    @classmethod
    def make(cls, address: str, name: str, *, listen: str, upstream: str) -> "Toxiproxy":
        """Let a server forward one address to another.

        Raises:
            StreamctlError: it does not answer, or refuses.
        """
        made = cls(address, name, made=True)
        wanted = {"name": name, "listen": listen, "upstream": upstream, "enabled": True}
        made._ask("POST", wanted, path="/proxies")
        return made

    def apply(self, fault: Fault) -> None:
        """Put all connections under a fault, in place of the one before; other toxics stay.

        Raises:
            Unsupported: Toxiproxy has no such toxic.
            StreamctlError: the server does not answer.
        """
        toxics = list(_toxics(fault))
        names = [toxic["name"] for toxic in self._ask("GET")["toxics"]]
        for old in (name for name in names if name.startswith(_OURS)):
            self._ask("DELETE", path=f"{self._path}/toxics/{old}")
        for toxic in toxics:
            self._ask("POST", toxic, path=f"{self._path}/toxics")

    def end(self) -> None:
        """Take the proxy away, if it was made by us and is still there."""
        if self._made:
            self._send("DELETE", None, self._path)

    @property
    def _path(self) -> str:
        return f"/proxies/{self.name}"

    def _ask(self, method: str, body: Any = None, *, path: str = "") -> Any:
        answer = self._send(method, body, path or self._path)
        if answer["status"] == _GONE:
            raise NotFound(f'Toxiproxy at "{self.address}" has no proxy "{self.name}"')
        if answer["status"] not in _OK:
            raise StreamctlError(f'Toxiproxy at "{self.address}" says: {answer["body"].strip()}')
        return json.loads(answer["body"] or "null")

    def _send(self, method: str, body: Any, path: str) -> dict[str, Any]:
        text = "" if body is None else json.dumps(body)
        return request(Http(url=f"{self.address}{path}", method=method, body=text))


def _toxics(fault: Fault) -> Iterator[dict[str, Any]]:
    """A fault as Toxiproxy has it: one toxic for each stream and kind."""
    if fault.kind is Kind.HALF_OPEN or fault.flap_seconds:
        what = "flapping" if fault.flap_seconds else "half-open connections"
        raise Unsupported(
            f"Toxiproxy has no {what}", hint="Leave `chaos.toxiproxy` empty to use our own proxy."
        )
    for stream in _STREAMS[fault.direction]:
        if fault.kind is Kind.RESET:
            yield _toxic("reset_peer", stream, timeout=0)
        if fault.kind is Kind.BLACK_HOLE:
            yield _toxic("timeout", stream, timeout=0)
        if fault.latency_ms or fault.jitter_ms:
            latency, jitter = round(fault.latency_ms), round(fault.jitter_ms)
            yield _toxic("latency", stream, latency=latency, jitter=jitter)
        if fault.bandwidth_bytes_per_second:
            rate = max(1, round(fault.bandwidth_bytes_per_second / _BYTES_PER_KB))
            yield _toxic("bandwidth", stream, rate=rate)


def _toxic(kind: str, stream: str, **attributes: int) -> dict[str, Any]:
    name = f"{_OURS}{kind}-{stream}"
    return {"name": name, "type": kind, "stream": stream, "attributes": attributes}
