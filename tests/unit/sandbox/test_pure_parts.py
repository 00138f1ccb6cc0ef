"""What a sandbox is told, and how it reads why a broker ended."""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from streamctl.errors import Busy, NotFound, Refused
from streamctl.sandbox import lifecycle, process
from streamctl.sandbox.config import Behind, server_properties
from streamctl.sandbox.launch import last_error
from streamctl.sandbox.model import SandboxState


def settings(**overrides: str) -> dict[str, str]:
    text = server_properties(
        data=Path("/d"), port=1000, controller_port=2000,
        overrides={name.replace("__", "."): value for name, value in overrides.items()},
    )  # fmt: skip
    return dict(line.split("=", 1) for line in text.splitlines())


def test_overrides_win_but_not_over_what_makes_the_sandbox() -> None:
    found = settings(log__retention__check__interval__ms="1000", log__dirs="/else", node__id="9")
    assert found["log.retention.check.interval.ms"] == "1000"
    assert found["log.dirs"] == "/d"
    assert found["node.id"] == "1"
    assert found["listeners"] == "BROKER://127.0.0.1:1000,CONTROLLER://127.0.0.1:2000"
    assert found["auto.create.topics.enable"] == "false"
    assert found["group.initial.rebalance.delay.ms"] == "0"


def test_what_a_proxied_client_is_told_leads_back_through_the_proxy() -> None:
    text = server_properties(
        data=Path("/d"), port=1000, controller_port=2000, overrides={},
        behind=Behind(port=3000, proxy_port=4000),
    )  # fmt: skip
    found = dict(line.split("=", 1) for line in text.splitlines())
    assert found["listeners"].split(",")[1] == "PROXIED://127.0.0.1:3000"
    assert found["advertised.listeners"].split(",")[1] == "PROXIED://127.0.0.1:4000"
    assert found["listener.security.protocol.map"].split(",")[1] == "PROXIED:PLAINTEXT"


def test_a_proxied_client_may_be_at_another_address() -> None:
    text = server_properties(
        data=Path("/d"), port=1000, controller_port=2000, overrides={},
        behind=Behind(port=3000, proxy_port=4000, host="198.18.0.1", proxy_host="198.18.0.2"),
    )  # fmt: skip
    found = dict(line.split("=", 1) for line in text.splitlines())
    assert found["listeners"].split(",")[:2] == [
        "BROKER://127.0.0.1:1000", "PROXIED://198.18.0.1:3000",
    ]  # fmt: skip
    assert found["advertised.listeners"] == ("BROKER://127.0.0.1:1000,PROXIED://198.18.0.2:4000")


LOG = "2026-11-24T02:46:19.827Z "


@pytest.mark.parametrize(
    ("out", "log", "expected"),
    [
        ("", "", "no ERROR in its log, so it was ended from outside"),
        ("", f"{LOG}INFO X fine\n", "no ERROR in its log, so it was ended from outside"),
        ("", f"{LOG}ERROR Kafka$ it broke\n{LOG}INFO X bye\n", "Kafka$ it broke"),
        (
            "",
            f"{LOG}ERROR K Exiting\norg.a.ConfigException: bad x\n\tat a.b\n",
            "org.a.ConfigException: bad x",
        ),
        (
            "",
            f"{LOG}ERROR K Exiting\na.bException: y\n\tat c\nCaused by: z.W: root\n\t... 3 more\n",
            "z.W: root",
        ),
        ("Error: Could not create the JVM\n", "", "Error: Could not create the JVM"),
        (
            "NOTE: Picked up JDK_JAVA_OPTIONS: -Xx\nPicked up JAVA_TOOL_OPTIONS: -Xy\n",
            "",
            "no ERROR in its log, so it was ended from outside",
        ),
        ("Killed by the kernel\n", f"{LOG}INFO X fine\n", "Killed by the kernel"),
    ],
)
def test_the_last_error_is_found(tmp_path: Path, out: str, log: str, expected: str) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "broker.out").write_text(out)
    (tmp_path / "logs" / "broker.log").write_text(log)
    assert last_error(tmp_path) == expected


def test_a_process_is_known_by_its_start_time_too(tmp_path: Path) -> None:
    sleeper = process.spawn(["/bin/sleep", "60"], output=tmp_path / "out")
    started = process.start_time(sleeper)
    assert started is not None
    assert os.getsid(sleeper) == sleeper  # the terminal's Ctrl-C does not reach it
    assert process.is_running(sleeper, started)
    assert not process.is_running(sleeper, started - 100)
    assert not process.send(sleeper, started - 100, signal.SIGKILL)
    assert process.end(sleeper, started, patience_seconds=10)
    assert not process.is_running(sleeper, started)


def test_a_lock_of_the_starter_does_not_live_on_with_it(tmp_path: Path) -> None:
    """As with `flock FILE streamctl sandbox up`: the broker must not keep the lock."""
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock.fileno(), True)
        pid = process.spawn(["/bin/sleep", "60"], output=tmp_path / "out")
    try:
        with (tmp_path / "lock").open("w") as again:
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        process.end(pid, process.start_time(pid) or 0.0, patience_seconds=10)


def test_who_does_not_listen_is_killed(tmp_path: Path) -> None:
    code = "import signal,time; signal.signal(15, 1); print('deaf', flush=True); time.sleep(60)"
    pid = process.spawn([sys.executable, "-c", code], output=tmp_path / "out")
    while not (tmp_path / "out").stat().st_size:
        time.sleep(0.01)
    started = process.start_time(pid) or 0.0
    assert not process.end(pid, started, patience_seconds=0.2)
    assert process.start_time(pid) is None


def test_a_paused_process_can_be_ended(tmp_path: Path) -> None:
    pid = process.spawn(["/bin/sleep", "60"], output=tmp_path / "out")
    started = process.start_time(pid) or 0.0
    assert process.send(pid, started, signal.SIGSTOP)
    assert process.end(pid, started, patience_seconds=10)


def test_what_is_not_there_is_down_and_cannot_be_paused(tmp_path: Path) -> None:
    where = tmp_path / "none"
    assert lifecycle.status(directory=where).state is SandboxState.DOWN
    assert lifecycle.down(directory=where).state is SandboxState.ALREADY_DOWN
    assert not where.exists()
    for verb in (lifecycle.pause, lifecycle.resume, lifecycle.kill):
        with pytest.raises(NotFound):
            verb(directory=where)


def test_reset_removes_sandboxes_only(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(Refused, match="not a sandbox"):
        lifecycle.reset(directory=tmp_path)
    assert (tmp_path / "precious").exists()


def test_a_port_in_use_is_said_before_anything_is_started(tmp_path: Path) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Busy, match=f"port {port} is in use"):
            lifecycle.up(directory=tmp_path, port=port)
