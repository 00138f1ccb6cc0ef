"""The other side of `start` and `recovery`: Spark without streamctl, as people run it.

It does less (one query, no quality rules, no dead letters) with the same heap, processors,
state store and batch size. Spark's UI is off on both sides.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.benchmarks.stage import BATCH_RECORDS, REPOSITORY, SPARK, Stage
from streamctl.jars import cache_directory, connector_jars, spark_version
from streamctl.java import find_java
from streamctl.job.launcher import kill, session_members

JOB = Path(__file__).parent / "bare" / "job.py"
CONNECTOR = f"org.apache.spark:spark-sql-kafka-0-10_2.13:{spark_version()}"
SUBMIT = Path(sys.executable).with_name("spark-submit")
COMMON = {
    "spark.master": str(SPARK["master"]),
    "spark.driver.memory": str(SPARK["driver_memory"]),
    "spark.sql.shuffle.partitions": str(SPARK["shuffle_partitions"]),
    "spark.ui.enabled": "false",
}


def packages() -> dict[str, str]:
    """The connector by its coordinates, from an Ivy cache that later runs find warm."""
    ivy = cache_directory() / "bench" / "ivy"
    return {"spark.jars.packages": CONNECTOR, "spark.jars.ivy": str(ivy)}


def local_jars() -> dict[str, str]:
    """The connector by the paths of its jars."""
    return {"spark.jars": ",".join(str(path) for path in connector_jars())}


def submitted() -> list[str]:
    """`spark-submit --packages`."""
    options = COMMON | {"spark.jars.ivy": packages()["spark.jars.ivy"]}
    flags = [text for item in options.items() for text in ("--conf", "=".join(item))]
    return [str(SUBMIT), "--packages", CONNECTOR, *flags, str(JOB)]


@contextmanager
def process(
    stage: Stage,
    place: Path,
    command: Sequence[str],
    conf: dict[str, str],
    *,
    topic: str = "",
    batch_records: int = BATCH_RECORDS,
) -> Iterator["subprocess.Popen[str]"]:
    """One attempt in a session of its own, killed with all its children at the end."""
    environ = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": stage.servers,
        "KAFKA_TOPIC": topic or stage.topic,
        "CHECKPOINT_LOCATION": str(place / "checkpoint"),
        "BARE_OUTPUT": str(place / "output"),
        "BARE_BATCH_RECORDS": str(batch_records),
        "BARE_CONF": "\n".join("=".join(item) for item in conf.items()),
        "JAVA_HOME": str(find_java().home),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(REPOSITORY),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    with (place / "bare.log").open("a") as log:
        started = subprocess.Popen(
            command, cwd=place, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            text=True, start_new_session=True,
        )  # fmt: skip
    try:
        yield started
    finally:
        kill_session(started.pid)
        started.wait()


def kill_session(session: int) -> None:
    """SIGKILL every process of a session, and see that none is left."""
    while members := session_members(session):
        for pid in members:
            kill(pid)
