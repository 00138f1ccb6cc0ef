"""What a sandbox broker is told: its `server.properties` and its log configuration. Pure text.

Source: Kafka's `KRaftConfigs`, `SocketServerConfigs`, `ServerLogConfigs`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"

LOG4J2 = """<Configuration status="ERROR">
  <Appenders>
    <RollingFile name="file" append="true"
        fileName="${sys:streamctl.log}" filePattern="${sys:streamctl.log}.%i">
      <PatternLayout pattern="%d{yyyy-MM-dd'T'HH:mm:ss.SSS}{UTC}Z %p %c{1} %m%n%throwable"/>
      <Policies><SizeBasedTriggeringPolicy size="10MB"/></Policies>
      <DefaultRolloverStrategy max="3"/>
    </RollingFile>
  </Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="file"/></Root></Loggers>
</Configuration>
"""

_DEFAULTS = {
    "auto.create.topics.enable": "false",
    "delete.topic.enable": "true",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "5",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "5",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "log.retention.check.interval.ms": "10000",
    "log.retention.ms": "-1",  # records of simulated time are older than any retention
    "log.retention.bytes": str(2**30),  # a partition
    "log.segment.bytes": str(2**27),
    "broker.session.timeout.ms": "3000",  # a start after a crash waits for the old session's end
    "broker.heartbeat.interval.ms": "500",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A listener behind a proxy.

    Attributes:
        port: the broker's own, to which the proxy leads.
        proxy_port: the proxy's, which the broker tells its clients.
        host, proxy_host: addresses of the two.
    """

    port: int
    proxy_port: int
    host: str = HOST
    proxy_host: str = HOST


def server_properties(
    *,
    data: Path,
    port: int,
    controller_port: int,
    overrides: Mapping[str, str],
    behind: Behind | None = None,
) -> str:
    """Write the settings of a node that is broker and controller in one.

    Args:
        data: directory of the topics' data.
        port: clients connect to it.
        controller_port: the node talks to itself there.
        overrides: any broker setting; they win, save over what makes the sandbox itself.
        behind: a second listener for clients that come through a proxy: what the broker tells
            them leads back through it, so all of their traffic passes there.
    """
    listeners = advertised = {"BROKER": (HOST, port)}
    if behind:
        listeners = listeners | {"PROXIED": (behind.host, behind.port)}
        advertised = advertised | {"PROXIED": (behind.proxy_host, behind.proxy_port)}
    own = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "BROKER",
        "listeners": _addresses(listeners | {"CONTROLLER": (HOST, controller_port)}),
        "listener.security.protocol.map": ",".join(
            f"{name}:PLAINTEXT" for name in (*listeners, "CONTROLLER")
        ),
        "log.dirs": str(data),
    }
    told = {"advertised.listeners": _addresses(advertised)}
    settings = {**_DEFAULTS, **told, **overrides, **own}
    return "".join(f"{name}={_escape(value)}\n" for name, value in sorted(settings.items()))


def _addresses(listeners: Mapping[str, tuple[str, int]]) -> str:
    return ",".join(f"{name}://{host}:{port}" for name, (host, port) in listeners.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\")
