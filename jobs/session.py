"""The Spark session: one JVM, started with what only its command line can set.

Heap, class path and class-data archive must be there before the JVM lives, so the gateway is
launched here; everything else goes to the context afterwards and so stays out of the process
list. The JVM ignores SIGTERM and SIGINT: a signal to the whole process group must reach the
driver only, which then stops the queries in order. The JVM ends when its standard input does,
so it never outlives the driver for long.
"""

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from jobs.at_launch import AT_LAUNCH, launch_options
from jobs.logs import log4j_configuration
from jobs.transforms import SPARK_OPTIONS
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.files import replace_file
from streamctl.rundir.records import Launch
from streamctl.settings.model import Settings
from streamctl.settings.secrets import resolve

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_STOP_SECONDS = 45.0
_LOG = logging.getLogger(__name__)

_PROVIDERS = {
    "rocksdb": "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
    "hdfs": "org.apache.spark.sql.execution.streaming.state.HDFSBackedStateStoreProvider",
}
_STATE_FORMAT = "spark.sql.streaming.stateStore.checkpointFormatVersion"
_ROCKSDB = "spark.sql.streaming.stateStore.rocksdb."


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A Spark session and the JVM that it lives in."""

    spark: SparkSession
    gateway: Any
    jvm: subprocess.Popen[bytes]

    def end(self, *, in_order: bool, timeout_seconds: float = 60) -> None:
        """Stop Spark and wait until the JVM is gone: only then is a checkpoint at rest.

        The JVM ends in order when its input ends, which also writes a class-data archive that is
        to be made. Where nobody will keep it, it is better killed: writing takes many seconds,
        and the next attempt waits for that.
        One that does not end in time is killed, and before that one in which Spark does not stop:
        without memory for another thread it waits for answers of its own that never come.
        """
        gone = (Py4JError, OSError)  # what a call into it meets then
        try:
            with _killing(self.jvm, after_seconds=_STOP_SECONDS), suppress(*gone):
                self.spark.stop()
        finally:
            with suppress(*gone):
                self.gateway.shutdown()
            if not in_order:
                self.jvm.kill()
            if self.jvm.stdin is not None:
                self.jvm.stdin.close()
            try:
                self.jvm.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self.jvm.kill()
                self.jvm.wait()

    def heap(self) -> dict[str, int]:
        """What the JVM's heap holds and may hold, in bytes: `java.lang.Runtime`."""
        runtime = self.gateway.jvm.java.lang.Runtime.getRuntime()
        used = runtime.totalMemory() - runtime.freeMemory()
        return {"heap_bytes": used, "heap_max_bytes": runtime.maxMemory()}


@contextmanager
def _killing(process: "subprocess.Popen[bytes]", *, after_seconds: float) -> Iterator[None]:
    """Kill a process if what is done within takes longer."""

    def kill() -> None:
        _LOG.warning("Spark has not stopped within %g s: its JVM is killed", after_seconds)
        process.kill()

    overdue = threading.Timer(after_seconds, kill)
    overdue.daemon = True
    try:
        overdue.start()
    except RuntimeError:  # this process may have no thread more either
        process.kill()
    try:
        yield
    finally:
        overdue.cancel()


def start_session(*, settings: Settings, launch: Launch, directory: RunDirectory) -> Session:
    """Start the JVM and the session.

    Raises:
        SettingsInvalid: a secret in a `spark.*` option cannot be resolved.
        pyspark.errors.PySparkRuntimeError: the JVM did not start.
    """
    log4j = directory.path / "log4j2.properties"
    replace_file(log4j, log4j_configuration(settings.log))
    options = session_options(settings, launch)
    if settings.spark.master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")  # nobody else is to connect
    with _stop_signals_ignored_by_child():
        gateway = launch_jvm(jvm_options(settings, launch, log4j=log4j))
    spark = session_in(gateway, options)
    return Session(spark=spark, gateway=gateway, jvm=gateway.proc)


def launch_jvm(at_launch: dict[str, str]) -> Any:
    """Start a JVM with what every user of the machine may see.

    Raises:
        pyspark.errors.PySparkRuntimeError: it did not start.
    """
    return launch_gateway(_as_conf(at_launch))  # type: ignore[no-untyped-call]


def session_in(gateway: Any, options: dict[str, str]) -> SparkSession:
    """Start Spark there, with all other options."""
    return SparkSession(SparkContext(conf=_as_conf(options), gateway=gateway))


def jvm_options(settings: Settings, launch: Launch, *, log4j: Path) -> dict[str, str]:
    """What only the JVM's command line can set."""
    classes = launch_options(
        settings.spark.options,
        jars=launch.jars,
        archive=launch.archive,
        make_archive=launch.make_archive,
        flags=[f"-Dlog4j2.configurationFile={log4j.resolve().as_uri()}"],
    )
    return classes | {
        "spark.master": settings.spark.master,
        "spark.driver.memory": settings.spark.driver_memory,
        "spark.ui.showConsoleProgress": "false",
    }


def session_options(settings: Settings, launch: Launch) -> dict[str, str]:
    """Everything else. Options given by their whole name come last and win.

    Raises:
        SettingsInvalid: a secret cannot be resolved.
    """
    spark = settings.spark
    options = {
        "spark.app.name": f"streamctl {settings.job.entry}",
        "spark.master": spark.master,
        "spark.executor.memory": spark.executor_memory,
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(spark.shuffle_partitions),
        "spark.sql.streaming.stateStore.providerClass": _PROVIDERS[spark.state_store],
    } | SPARK_OPTIONS
    if spark.state_store == "rocksdb":
        options[_ROCKSDB + "changelogCheckpointing.enabled"] = "true"
        if settings.limits.rocksdb_memory_mb:
            options[_ROCKSDB + "boundedMemoryUsage"] = "true"
            options[_ROCKSDB + "maxMemoryUsageMB"] = str(settings.limits.rocksdb_memory_mb)
    if launch.jars and not is_one_process(spark.master):
        options["spark.jars"] = ",".join(launch.jars)
    if launch.state_format_version is not None:
        options[_STATE_FORMAT] = str(launch.state_format_version)
    given = {k: resolve(v) for k, v in spark.options.items() if k not in AT_LAUNCH}
    return options | given


def is_one_process(master: str) -> bool:
    """Whether tasks run in the JVM of the driver: `local[...]`, and not `local-cluster[...]`."""
    return master.partition("[")[0] == "local"


def set_state_format(spark: SparkSession, launch: Launch) -> None:
    """Give a session that is up already the state format that its checkpoints oblige it to."""
    if launch.state_format_version is not None:
        spark.conf.set(_STATE_FORMAT, str(launch.state_format_version))


def _as_conf(options: dict[str, str]) -> SparkConf:
    conf = SparkConf(loadDefaults=False)
    conf.setAll(list(options.items()))
    return conf


@contextmanager
def _stop_signals_ignored_by_child() -> Iterator[None]:
    """Let a child inherit "ignored", and lose no signal meanwhile: blocked ones stay pending."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
