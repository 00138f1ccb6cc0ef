"""What a sandbox broker is told: its `server.properties` and its log configuration. Pure text.

Source: Kafka's `KRaftConfigs`, `SocketServerConfigs`, `ServerLogConfigs`.
"""

from collections.abc import Mapping
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


def server_properties(
    *, data: Path, port: int, controller_port: int, overrides: Mapping[str, str]
) -> str:
    """Write the settings of a node that is broker and controller in one.

    Args:
        data: directory of the topics' data.
        port: clients connect to it.
        controller_port: the node talks to itself there.
        overrides: any broker setting; they win, save over what makes the sandbox itself.
    """
    own = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "BROKER",
        "listeners": f"BROKER://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(data),
    }
    advertised = {"advertised.listeners": f"BROKER://{HOST}:{port}"}
    settings = {**_DEFAULTS, **advertised, **overrides, **own}
    return "".join(f"{name}={_escape(value)}\n" for name, value in sorted(settings.items()))


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\")
