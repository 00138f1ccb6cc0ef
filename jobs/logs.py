"""Logs: ours as JSON lines on stderr, Spark's own as JSON lines in the run directory.

Nothing goes to stdout. The supervisor keeps what comes on stderr; Spark's log rotates by itself.
"""

import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import structlog

from streamctl.settings.model import LogSettings

SPARK_LOG = "spark.jsonl"

_LAYOUT = {
    "at": {
        "$resolver": "timestamp",
        "pattern": {"format": "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "timeZone": "UTC"},
    },
    "level": {"$resolver": "level", "field": "name"},
    "logger": {"$resolver": "logger", "field": "name"},
    "event": {"$resolver": "message", "stringified": True},
    "context": {"$resolver": "mdc"},
    "exception": {
        "$resolver": "exception",
        "field": "stackTrace",
        "stackTrace": {"stringified": True},
    },
}

_LOG4J = """\
status = error
rootLogger.level = {level}
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {path}
appender.file.filePattern = {path}.%i
appender.file.layout.type = JsonTemplateLayout
appender.file.layout.eventTemplate = {layout}
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = {max_bytes}
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = {keep_files}
appender.file.strategy.fileIndex = min
"""


def log4j_configuration(log: LogSettings, *, folder: Path) -> str:
    """Log4j 2 properties that send Spark's log to a rotating file of JSON lines."""
    return _LOG4J.format(
        level=log.spark_level,
        path=folder / SPARK_LOG,
        layout=json.dumps(_LAYOUT).replace("\\", "\\\\"),
        max_bytes=log.max_bytes,
        keep_files=log.keep_files,
    )


def set_up(log: LogSettings, **bound: Any) -> structlog.stdlib.BoundLogger:
    """Send our own log, and what libraries log, to stderr as JSON lines.

    Args:
        log: our own level.
        bound: stands on every line, such as run and attempt.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("py4j").setLevel(logging.CRITICAL)  # it logs what it also raises
    warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
    logging.getLogger("jobs").setLevel(
        logging.getLevelName("WARNING" if log.level == "WARN" else log.level)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("jobs")
    return logger.bind(**bound)
