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
    Session(spark=SimpleNamespace(stop=never), gateway=gateway, jvm=jvm).end(in_order=True)
    assert time.monotonic() - began < 10
    assert jvm.returncode == -9


def test_one_that_stops_in_time_ends_in_order():
    jvm = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
    nothing = SimpleNamespace(stop=lambda: None, shutdown=lambda: None)
    Session(spark=nothing, gateway=nothing, jvm=jvm).end(in_order=True)
    assert jvm.returncode == 0, "it read the end of its input"


def test_after_a_failure_spark_is_stopped_and_then_the_jvm_killed():
    jvm = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
    done = []
    spark = SimpleNamespace(stop=lambda: done.append("spark stopped"))
    gateway = SimpleNamespace(shutdown=lambda: done.append(jvm.poll()))
    Session(spark=spark, gateway=gateway, jvm=jvm).end(in_order=False)
    assert done == ["spark stopped", None]
    assert jvm.returncode == -9
