"""A JVM in which Spark does not stop is killed, and the driver ends all the same."""

import subprocess
import time
from types import SimpleNamespace

from py4j.protocol import Py4JNetworkError

from jobs import session
from jobs.session import Session


def test_spark_that_does_not_stop_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(session, "_STOP_SECONDS", 0.2)
    jvm = subprocess.Popen(["/bin/sleep", "60"], stdin=subprocess.PIPE)

    def never():
        jvm.wait()
        raise Py4JNetworkError("Answer from Java side is empty")

    gateway = SimpleNamespace(shutdown=never)
    began = time.monotonic()
    Session(spark=SimpleNamespace(stop=never), gateway=gateway, jvm=jvm).end()
    assert time.monotonic() - began < 10
    assert jvm.returncode == -9


def test_one_that_stops_in_time_ends_in_order():
    jvm = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
    nothing = SimpleNamespace(stop=lambda: None, shutdown=lambda: None)
    Session(spark=nothing, gateway=nothing, jvm=jvm).end()
    assert jvm.returncode == 0, "it read the end of its input"
