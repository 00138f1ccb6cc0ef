"""A network namespace of our own, which a pair of virtual devices (veth) joins to the host's.

The inner end set down is the true silent partition: connections stay, new ones are not answered,
nothing is refused. The outer end keeps address and route, or packets would go another way or fail
at once; and its neighbour entry never expires, or the kernel would tell clients after three
unanswered ARP requests that there is no route to the host.

Linux only, and it takes the rights to make a namespace and its devices (CAP_SYS_ADMIN and
CAP_NET_ADMIN). Source: ip-netns(8), ip-link(8), ip-neighbour(8).
"""

import ipaddress
import json
import random
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from streamctl.errors import Unsupported
from streamctl.reports import as_json
from streamctl.rundir.files import read_file, replace_file

_NETWORKS = ipaddress.IPv4Network("198.18.0.0/15")
"""For tests of network devices (RFC 2544): no host of the internet has these."""
_INNER_DEVICE, _INNER_MAC = "eth0", "02:00:00:00:00:02"


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """One that was made, or is about to be.

    Attributes:
        name: of the namespace.
        device: the host's end of the pair.
        outer, inner: IPv4 addresses of both ends.
    """

    name: str
    device: str
    outer: str
    inner: str

    @property
    def enter(self) -> tuple[str, ...]:
        """Words in front of a command that is to run in it."""
        return (_ip(), "netns", "exec", self.name)

    def cut(self) -> None:
        """Drop every packet of both directions from now on."""
        self._set("down")

    def join(self) -> None:
        """Let packets pass again; done twice it is done once."""
        self._set("up")

    def _set(self, state: str) -> None:
        _run("-n", self.name, "link", "set", "dev", _INNER_DEVICE, state)


def make_namespace(note: Path) -> Namespace:
    """Make one, and a note of it before anything is made, so that `remove_namespace` finds it.

    Raises:
        Unsupported: not Linux, no `ip`, or not allowed; nothing is left.
    """
    token = secrets.token_hex(3)
    outer, inner = _free_pair()
    made = Namespace(name=f"streamctl-{token}", device=f"sctl-{token}", outer=outer, inner=inner)
    _ip()
    note.parent.mkdir(parents=True, exist_ok=True)
    replace_file(note, json.dumps(as_json(made)) + "\n")
    try:
        _make(made)
    except BaseException:
        remove_namespace(note)
        raise
    return made


def _make(wanted: Namespace) -> None:
    name, device = wanted.name, wanted.device
    inner = ("name", _INNER_DEVICE, "netns", name, "address", _INNER_MAC)
    _run("netns", "add", name)
    _run("link", "add", device, "type", "veth", "peer", *inner)
    _run("address", "add", f"{wanted.outer}/30", "dev", device)
    _run("link", "set", "dev", device, "up")
    _run("-n", name, "address", "add", f"{wanted.inner}/30", "dev", _INNER_DEVICE)
    wanted.join()
    to = (wanted.inner, "lladdr", _INNER_MAC, "dev", device)
    _run("neighbour", "replace", *to, "nud", "permanent")


def read_namespace(note: Path) -> Namespace | None:
    """The one that was noted; None for none."""
    return read_file(note, Namespace)


def remove_namespace(note: Path) -> None:
    """Take namespace and devices away, if they are noted; no process may be left in it."""
    made = read_namespace(note)
    if made is None:
        return
    for words in (("link", "delete", "dev", made.device), ("netns", "delete", made.name)):
        subprocess.run([_ip(), *words], capture_output=True, check=False)  # it may be gone already
    note.unlink()


def _free_pair() -> tuple[str, str]:
    """Two addresses of a network of four that no device here is in."""
    import psutil

    devices = psutil.net_if_addrs().values()
    taken = {address.address for device in devices for address in device}
    while True:
        first = random.randrange(0, _NETWORKS.num_addresses, 4)  # noqa: S311 - not a secret
        outer, inner = str(_NETWORKS[first + 1]), str(_NETWORKS[first + 2])
        if not taken & {outer, inner}:
            return outer, inner


def _ip() -> str:
    found = shutil.which("ip")
    if found is None:
        raise Unsupported(
            "a network namespace cannot be made here: there is no `ip`",
            hint="It needs Linux with the package iproute2.",
        )
    return found


def _run(*words: str) -> None:
    done = subprocess.run([_ip(), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise Unsupported(
            f"a network namespace cannot be made here: {said}",
            hint="It needs root with CAP_NET_ADMIN, as in a container of its own.",
        )
