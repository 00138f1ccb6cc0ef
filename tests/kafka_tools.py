"""Kafka's own command line tools, from jars that Ivy resolves as it does those of the sandbox."""

from functools import cache
from pathlib import Path

from streamctl.jars import KAFKA_VERSION, JarSet, resolve
from streamctl.java import find_java


def command(main: str, *arguments: str) -> list[str]:
    """Run a class of the tools, with the heap and collector of Kafka's own scripts."""
    java = [str(find_java().executable), "-Xmx512m", "-server", "-XX:+UseG1GC"]
    return [*java, "-cp", ":".join(map(str, _jars())), f"org.apache.kafka.tools.{main}", *arguments]


def describe_group(servers: str, group: str) -> list[str]:
    """`kafka-consumer-groups --describe`."""
    flags = ("--bootstrap-server", servers, "--describe", "--group", group)
    return command("consumer.group.ConsumerGroupCommand", *flags)


def described(told: str, group: str) -> dict[tuple[str, int], tuple[int, int, int]]:
    """What it printed: partition -> current offset, log end offset, lag."""
    rows = [line.split() for line in told.splitlines() if line.startswith(f"{group} ")]
    return {(row[1], int(row[2])): (int(row[3]), int(row[4]), int(row[5])) for row in rows}


@cache
def _jars() -> list[Path]:
    coordinates = (f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}",)
    return resolve(JarSet(name=f"kafka-tools-{KAFKA_VERSION}", coordinates=coordinates))
