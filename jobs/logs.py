"""Logs: the driver's and Spark's own, as JSON lines on stderr, which the supervisor keeps.

A line has `at`, `level`, `from` (`driver` or `spark`), `message`, and what else there is to say;
a stack stands in `detail`. Nothing goes to stdout. Of Spark's lines the query is known where it is
its own thread that speaks, by the thread's name, or one of its tasks, by `QUERY`; the supervisor
adds run and attempt, as it leaves out what is empty.

Source: Spark `StreamExecution.queryExecutionThread`, `Executor.setMDCForTask`.
"""

import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from streamctl.settings.model import LogSettings

QUERY = "mdc.query"
"""Local property of a thread with the query that it starts; Spark gives `mdc.*` to each task."""
_LAYOUT: dict[str, Any] = {
    "at": {
        "$resolver": "timestamp",
        "pattern": {"format": "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "timeZone": "UTC"},
    },
    "level": {"$resolver": "level", "field": "name"},
    "from": "spark",
    "message": {"$resolver": "message", "stringified": True},
    "logger": {"$resolver": "logger", "field": "name"},
    "query": {
        "$resolver": "pattern",
        "pattern": f"%replace{{%t}}{{^stream execution thread for (.*) .id = .*|.*}}{{$1}}"
        f"%X{{{QUERY}}}",
        "stackTraceEnabled": False,
    },
    "batch": {"$resolver": "mdc", "key": "BATCH_ID"},
    "detail": {
        "$resolver": "exception",
        "field": "stackTrace",
        "stackTrace": {"stringified": True},
    },
}
# Spark says these at each start, and none of them asks for anything to be done. A lost broker is
# told once, by the driver or the supervisor; Kafka's clients tell it several times a second.
_NOISE = (
    "org.apache.kafka.clients",
    "org.apache.hadoop.util.NativeCodeLoader",
    "org.apache.spark.util.SparkStringUtils",
    "org.apache.spark.sql.execution.streaming.runtime.ResolveWriteToStream",
    "org.apache.spark.sql.kafka010.KafkaSourceProvider",
)
_LOG4J = """\
status = error
rootLogger.level = {level}
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = JsonTemplateLayout
appender.stderr.layout.eventTemplate = {layout}
"""
_PYTHON_LEVELS = {"WARN": "WARNING"}
_LEVELS = {"warning": "WARN", "critical": "ERROR", "exception": "ERROR"}


def log4j_configuration(log: LogSettings) -> str:
    """Log4j 2 properties that send Spark's log to stderr as JSON lines."""
    text = _LOG4J.format(level=log.spark_level, layout=json.dumps(_LAYOUT))
    for number, name in enumerate(name for name in _NOISE if name not in log.levels):
        text += f"logger.n{number}.name = {name}\nlogger.n{number}.level = error\n"
    for number, (name, level) in enumerate(log.levels.items()):
        text += f"logger.s{number}.name = {name}\nlogger.s{number}.level = {level.lower()}\n"
    return text


def set_up(log: LogSettings, **bound: Any) -> structlog.stdlib.BoundLogger:
    """Send our own log, and what libraries log, to stderr as JSON lines.

    Args:
        log: our own level.
        bound: stands on every line, such as run and attempt.
    """
    shared: list[Any] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.add_log_level,
        structlog.processors.ExceptionRenderer(),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _in_our_shape,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    logging.basicConfig(level=logging.ERROR, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)  # a library's warning is for its developers
    logging.getLogger("py4j").setLevel(logging.CRITICAL)  # it logs what it also raises
    for name, level in {"jobs": log.level, **log.levels}.items():
        logging.getLogger(name).setLevel(_PYTHON_LEVELS.get(level, level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("jobs")
    return logger.bind(**bound)


def _in_our_shape(
    logger: Any, name: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Level in capitals, the names and the order that all our lines have."""
    del logger, name
    level = str(fields.pop("level", "info"))
    head = {
        "at": str(fields.pop("at", ""))[:23] + "Z",
        "level": _LEVELS.get(level, level.upper()),
        "from": "driver",
        "message": fields.pop("event", ""),
    }
    detail = fields.pop("exception", None)
    return head | dict(fields) | ({"detail": detail} if detail else {})
