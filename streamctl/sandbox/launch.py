"""Start the JVM of a sandbox broker, and read in its log why it ended."""

import base64
import os
import re
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streamctl.errors import StreamctlError
from streamctl.jars import broker_jars
from streamctl.java import find_java
from streamctl.reports import Event, OnEvent
from streamctl.sandbox.config import LOG4J2, Behind, server_properties
from streamctl.sandbox.process import spawn

_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a broker is started with.

    Attributes:
        directory: of the sandbox.
        overrides: broker settings over those of the sandbox.
        heap_mb: the JVM's largest heap.
        behind: a second listener, for clients that come through a proxy.
    """

    directory: Path
    overrides: Mapping[str, str] = field(default_factory=dict)
    heap_mb: int = 512
    behind: Behind | None = None


def launch(wanted: Launch, *, port: int, controller_port: int, on_event: OnEvent) -> int:
    """Format the data directory if it is new, start the broker, return its process id.

    Raises:
        JavaNotFound, JarsUnavailable: see `streamctl.jars`.
        StreamctlError: Kafka refused to format, with its own words.
    """
    java = find_java()
    jars = broker_jars(java=java, on_event=on_event)
    directory = wanted.directory.absolute()
    data, logs = directory / "data", directory / "logs"
    data.mkdir(parents=True, exist_ok=True)
    logs.mkdir(exist_ok=True)
    settings, log_settings = directory / "server.properties", directory / "log4j2.xml"
    log_settings.write_text(LOG4J2, "utf-8")
    settings.write_text(
        server_properties(
            data=data,
            port=port,
            controller_port=controller_port,
            overrides=wanted.overrides,
            behind=wanted.behind,
        ),
        "utf-8",
    )
    # the first compiler only: half the processor time of a start, and less for short loads
    jvm = [str(java.executable), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
    jvm += [
        f"-Dlog4j2.configurationFile={log_settings}",
        "-Djava.awt.headless=true",
        "-cp",
        os.pathsep.join(map(str, jars)),
    ]
    if not (data / "meta.properties").exists():
        on_event(Event(message="formatting the data directory"))
        _format([*jvm, "-Dstreamctl.log=" + str(logs / "format.log")], settings)
    on_event(Event(message=f"starting Apache Kafka on port {port}"))
    _mark_start(logs)
    jvm += [f"-Xmx{wanted.heap_mb}m", f"-Xms{min(128, wanted.heap_mb)}m"]
    jvm += [f"-Dstreamctl.log={logs / 'broker.log'}", f"-XX:ErrorFile={logs / 'jvm-crash.log'}"]
    command = [*jvm, "kafka.Kafka", str(settings)]
    return spawn(command, output=logs / "broker.out")


_NOTE = re.compile(r"(NOTE: )?Picked up \w+: ")
"""The JVM names the environment variables that it takes options from."""


def last_error(directory: Path) -> str:
    """Return the last ERROR of the broker since its last start, with the exception's own words."""
    said = [line for line in _tail(directory / "logs" / "broker.out") if not _NOTE.match(line)]
    lines = said + _tail(directory / "logs" / "broker.log")
    errors = [n for n, line in enumerate(lines) if re.search(r" (ERROR|FATAL) |^Error: ", line)]
    if errors:
        after = lines[errors[-1] + 1 :]
        causes = [line for line in after if line.startswith("Caused by: ")]
        exceptions = [line for line in after[:1] if re.match(r"[\w.$]+(Exception|Error)\b", line)]
        chosen = (causes[-1:] or exceptions or [lines[errors[-1]]])[0]
        return re.sub(r"^(Caused by: |\S+Z (ERROR|FATAL) )", "", chosen.strip())
    if any(line.strip() for line in said):
        return [line.strip() for line in said if line.strip()][-1]
    return "no ERROR in its log, so it was ended from outside"


def _format(jvm: list[str], settings: Path) -> None:
    """Write the identity of a new cluster into the data directory."""
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    if cluster_id.startswith("-"):  # Kafka's own rule: it would read as a flag
        cluster_id = "A" + cluster_id[1:]
    command = [*jvm[:1], "-Xmx128m", *jvm[1:], "kafka.tools.StorageTool"]
    command += ["format", "-t", cluster_id, "-c", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
        words = [line for line in said if line and not line.startswith("at ")]
        named = [line for line in words if line.startswith(("Caused by: ", "Exception in "))]
        reason = (named[-1:] or words[-1:] or [f"exit code {done.returncode}"])[0]
        reason = re.sub(r'^(Caused by: |Exception in thread "main" )', "", reason)
        raise StreamctlError(f"Kafka could not format its data directory: {reason}")


def _mark_start(logs: Path) -> None:
    """Begin new logs, the last ones kept beside: an old error must not pass for a new one."""
    for name in ("broker.out", "broker.log"):
        if (logs / name).exists():
            (logs / name).replace(logs / f"{name}.before")


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return []
