"""The HTTP answers, over a real socket."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from streamctl.errors import Malformed
from streamctl.health.rules import judge
from streamctl.health.server import PortInUse, Server
from streamctl.observe.machine import Processes
from tests.samples import sample


class Shown:
    def __init__(self) -> None:
        self.seen = sample()

    def sample(self):
        return self.seen

    def live(self):
        return True

    def health(self):
        return judge(self.seen, loop_age_seconds=0)

    def page(self):
        return {"status": self.seen.status}


@contextmanager
def serving(shown, **changes):
    given = {"host": "127.0.0.1", "port": 0, "token": "", "partitions": False} | changes
    server = Server(shown, **given)
    server.start()
    try:
        yield server
    finally:
        server.end()


def get(url, token=""):
    request = urllib.request.Request(url)  # noqa: S310 - loopback
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_answers_on_loopback():
    with serving(Shown()) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert get(server.url + "livez") == (200, "ok\n")
        code, text = get(server.url + "readyz")
        assert code == 200
        assert "ok: query windows" in text
        code, text = get(server.url + "health")
        assert json.loads(text)["ready"] is True
        code, text = get(server.url + "metrics")
        assert code == 200
        assert "streamctl_up{" in text
        code, text = get(server.url + "api/status")
        assert json.loads(text)["run_id"] == "r"
        code, text = get(server.url)
        assert "<title>" in text
        code, text = get(server.url + "plotly.js")
        assert len(text) > 10**6


def test_not_ready_says_why():
    shown = Shown()
    shown.seen = sample(processes=Processes(resident_bytes=1, cpu_seconds=1, count=1, frozen=True))
    with serving(shown) as server:
        assert get(server.url + "livez")[0] == 200
        code, text = get(server.url + "readyz")
        assert code == 503
        assert "stopped by a signal" in text
        assert get(server.url + "health")[0] == 503


@pytest.mark.parametrize("path", ["health", "metrics", "api/status", "api/page"])
def test_a_token_is_asked_for(path):
    with serving(Shown(), token="secret") as server:
        assert get(server.url + path)[0] == 401
        assert get(server.url + path, token="wrong")[0] == 401
        assert get(server.url + path, token="secret")[0] == 200


def test_probes_need_no_token_and_tell_no_more_than_yes_or_no():
    with serving(Shown(), token="secret") as server:
        assert get(server.url + "livez") == (200, "ok\n")
        assert get(server.url + "readyz") == (200, "ok\n")
        assert "query windows" in get(server.url + "readyz", token="secret")[1]


def test_a_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortInUse) as caught:
            Server(
                Shown(), host="127.0.0.1", port=taken.getsockname()[1], token="", partitions=False
            )
    assert "http.port" in caught.value.hint


def test_the_page_loads_nothing_from_elsewhere():
    with serving(Shown()) as server:
        page = get(server.url)[1]
    assert "http://" not in page
    assert "https://" not in page


class Hanging(Shown):
    """Its store hangs until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.goes = threading.Event()

    def sample(self):
        self.goes.wait()
        return self.seen


def test_livez_answers_while_everybody_else_waits_for_a_store():
    shown = Hanging()
    with serving(shown) as server:
        waiting = [
            threading.Thread(target=get, args=(server.url + "metrics",), daemon=True)
            for _ in range(60)
        ]
        for thread in waiting:
            thread.start()
        time.sleep(0.5)
        assert get(server.url + "livez") == (200, "ok\n")
        shown.goes.set()
        for thread in waiting:
            thread.join(10)


class Blind(Shown):
    """Cannot look."""

    def sample(self):
        raise Malformed('cannot read "losses.jsonl"', hint="Move it away.")


@pytest.mark.parametrize("path", ["metrics", "api/status", "api/page"])
def test_what_cannot_be_looked_at_is_unavailable_and_says_why(path):
    shown = Blind()
    shown.page = shown.sample
    with serving(shown) as server:
        code, text = get(server.url + path)
    assert code == 503
    assert "losses.jsonl" in text
