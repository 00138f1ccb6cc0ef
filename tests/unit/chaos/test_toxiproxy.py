"""A fault as Toxiproxy has it, told to a server that keeps proxies and toxics as it does."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from streamctl.chaos.proxy.fault import CLEAR, Direction, Fault, Kind
from streamctl.chaos.proxy.toxiproxy import Toxiproxy
from streamctl.errors import NotFound, SettingsInvalid, StreamctlError, Unsupported


class Server(BaseHTTPRequestHandler):
    proxies: dict

    def log_message(self, *_):
        pass

    def do_GET(self):
        name = self.path.split("/")[2]
        found = self.proxies.get(name)
        self.answer(200 if found else 404, found or {"error": "proxy not found"})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        words = self.path.strip("/").split("/")
        if len(words) == 1 and body["name"] in self.proxies:
            self.answer(409, {"error": "proxy already exists"})
            return
        if len(words) == 1:
            self.proxies[body["name"]] = {**body, "toxics": []}
        else:
            self.proxies[words[1]]["toxics"].append(body)
        self.answer(201, body)

    def do_DELETE(self):
        words = self.path.strip("/").split("/")
        if len(words) == 2:
            self.proxies.pop(words[1])
        else:
            proxy = self.proxies[words[1]]
            proxy["toxics"] = [t for t in proxy["toxics"] if t["name"] != words[3]]
        self.answer(204, None)

    def answer(self, status, body):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def server():
    handler = type("Handler", (Server,), {"proxies": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}", handler.proxies
        http.shutdown()


def test_a_proxy_of_ours_comes_is_put_under_faults_and_goes(server):
    address, proxies = server
    proxy = Toxiproxy.make(address, "mine", listen="127.0.0.1:1", upstream="127.0.0.1:2")
    assert (proxies["mine"]["listen"], proxies["mine"]["upstream"]) == (
        "127.0.0.1:1",
        "127.0.0.1:2",
    )
    proxy.apply(Fault(kind=Kind.BLACK_HOLE, direction=Direction.UP))
    assert [(t["type"], t["stream"]) for t in proxies["mine"]["toxics"]] == [
        ("timeout", "upstream")
    ]
    proxy.apply(Fault(latency_ms=300, jitter_ms=200, bandwidth_bytes_per_second=20_000))
    found = [(t["type"], t["attributes"]) for t in proxies["mine"]["toxics"]]
    assert found == 2 * [
        ("latency", {"latency": 300, "jitter": 200}),
        ("bandwidth", {"rate": 20}),
    ]
    proxy.apply(CLEAR)
    assert proxies["mine"]["toxics"] == []
    proxy.end()
    assert proxies == {}


def test_a_proxy_that_is_there_is_used_and_stays(server):
    address, proxies = server
    Toxiproxy.make(address, "kafka", listen="127.0.0.1:1", upstream="127.0.0.1:2")
    there = Toxiproxy.at(f"{address}/proxies/kafka")
    there.apply(Fault(kind=Kind.RESET))
    there.end()
    assert len(proxies["kafka"]["toxics"]) == 2


def test_toxics_that_are_not_of_an_experiment_stay(server):
    address, proxies = server
    Toxiproxy.make(address, "kafka", listen="127.0.0.1:1", upstream="127.0.0.1:2")
    theirs = {"name": "slow-link", "type": "latency", "stream": "upstream", "attributes": {}}
    proxies["kafka"]["toxics"].append(theirs)
    there = Toxiproxy.at(f"{address}/proxies/kafka")
    there.apply(Fault(kind=Kind.RESET))
    there.apply(CLEAR)
    assert proxies["kafka"]["toxics"] == [theirs]


def test_what_is_not_there_is_said(server):
    address, _ = server
    with pytest.raises(NotFound, match='no proxy "other"'):
        Toxiproxy.at(f"{address}/proxies/other")
    with pytest.raises(SettingsInvalid, match="names no proxy"):
        Toxiproxy.at(address)
    with pytest.raises(StreamctlError, match="no answer"):
        Toxiproxy.make("http://127.0.0.1:1", "a", listen="x", upstream="y")
    Toxiproxy.make(address, "a", listen="x", upstream="y")
    with pytest.raises(StreamctlError, match="already exists"):
        Toxiproxy.make(address, "a", listen="x", upstream="y")


@pytest.mark.parametrize("fault", [Fault(kind=Kind.HALF_OPEN), Fault(flap_seconds=2)])
def test_what_toxiproxy_has_not_is_unsupported_and_changes_nothing(server, fault):
    address, proxies = server
    proxy = Toxiproxy.make(address, "mine", listen="x", upstream="y")
    proxy.apply(Fault(kind=Kind.RESET))
    with pytest.raises(Unsupported, match="Toxiproxy has no"):
        proxy.apply(fault)
    assert len(proxies["mine"]["toxics"]) == 2
