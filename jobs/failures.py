"""Whose fault it is: from the text of an exception to a class, a condition and a way out.

Errors come disguised: under `foreachBatch` the true condition is only text inside the message,
and Kafka's own are the cause of a cause. So the whole text is searched, first rule first.
Only infrastructure is worth another attempt as it is.
"""

import re
from dataclasses import dataclass

from streamctl.rundir.records import FailureClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What a text tells.

    Attributes:
        condition: Spark's error condition, else the name of the exception that fits best.
        message: one line.
        hint: a full sentence with the way out; empty when none is known.
        is_kafka_silent: whether it is Kafka that did not answer.
    """

    failure_class: FailureClass
    condition: str
    message: str
    hint: str
    is_kafka_silent: bool = False


_CONFIGURATION = (
    (
        (
            r"(?:Sasl|Ssl)AuthenticationException|SSLHandshakeException|LoginException"
            r"|Could not find a 'KafkaClient' entry|SslAuthentication|No LoginModule"
        ),
        "Check `kafka.options`: security.protocol, sasl.* and ssl.* must fit the broker.",
    ),
    (
        r"(?:Topic|Group|Cluster|TransactionalId)AuthorizationException",
        "Let an administrator give the job's user access to the topic and its groups.",
    ),
    (
        (
            r"UnknownTopicOrPartitionException|InvalidTopicException|UnknownTopicIdException"
            r"|UNKNOWN_TOPIC_OR_PARTITION|Topic \S+ not present in metadata"
        ),
        "Check the topic's name in `kafka.topic`, or create the topic.",
    ),
    (
        (
            r"No resolvable bootstrap urls|Invalid url in bootstrap"
            r"|org\.apache\.kafka\.common\.config\.ConfigException|KAFKA_START_OFFSET_DOES_NOT_MATCH_ASSIGNED"
        ),
        "Correct the `kafka` settings that the message names.",
    ),
    (
        r"AccessControlException|AccessDeniedException|Permission denied|Mkdirs failed",
        "Give the job's user the right to write to the path that the message names.",
    ),
    (
        (
            r"DATA_SOURCE_NOT_FOUND|CANNOT_LOAD_CHECKPOINT_FILE_MANAGER|UnsupportedFileSystemException"
            r"|No FileSystem for scheme|STATE_STORE_INVALID_CONFIG_AFTER_RESTART"
            r"|INVALID_CONF_VALUE|requires? Java"
        ),
        "Correct the setting that the message names.",
    ),
    (
        r"CONCURRENT_STREAM_LOG_UPDATE|_LEGACY_ERROR_TEMP_2207|Multiple streaming queries are conc",
        "Another run writes to this checkpoint; stop it. If there is none, the logs are damaged.",
    ),
)
_NETWORK = (
    r"ConnectException|UnknownHostException|NoRouteToHost|SocketTimeout|SocketException"
    r"|ConnectionReset|Connection (?:reset|refused)|EOFException: End of File"
)
_STORAGE = (
    (
        r"FAILED_TO_GET_CHANGELOG_WRITER|CANNOT_WRITE_STATE_STORE",
        "State could not be written: check the storage of the checkpoint.",
    ),
    (
        (
            rf"(?s)CANNOT_LOAD_STATE_STORE(?=.*(?:{_NETWORK}|ConnectTimeout|NoHttpResponse"
            r"|Read timed out|SlowDown|Status Code: 50[03]))"
        ),
        "State could not be read: check the network between here and the checkpoint's storage.",
    ),
)
"""Conditions of the state store that say nothing against the checkpoint."""
_DATA = (
    (
        r"KAFKA_DATA_LOSS|Some data may have been lost|OffsetOutOfRangeException",
        "Records are gone unread. To go on without them, set `kafka.fail_on_data_loss` to false.",
    ),
    (
        (
            r"CANNOT_LOAD_STATE_STORE|STATE_STORE_CHECKPOINT_LOCATION_NOT_EMPTY"
            r"|STREAMING_CHECKPOINT_MISSING_METADATA_FILE|BATCH_METADATA_NOT_FOUND|MALFORMED_LOG_FILE"
            r"|INVALID_LOG_VERSION|CHECKPOINT_FILE_CHECKSUM_VERIFICATION_FAILED"
            r"|STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY|STREAM_STREAM_JOIN_INCONSISTENT"
            r"|STREAMING_UNFINISHED_REPARTITION_DETECTED|STATE_STORE_ROW_CHECKSUM"
            r"|Incomplete log file|batch \d+ doesn't exist|Previous batch \d+ not found"
            r"|ChecksumException|sources in the checkpoint offsets"
        ),
        "The checkpoint is damaged or does not fit; restore it or begin a new generation.",
    ),
)
_CODE = (
    (
        (
            r"STATE_STORE_(?:KEY|VALUE)_SCHEMA_NOT_COMPATIBLE|STATE_STORE_INVALID_VALUE_SCHEMA"
            r"|STREAMING_STATEFUL_OPERATOR_NOT_MATCH|STATE_STORE_COLUMN_FAMILY_SCHEMA"
        ),
        "The query no longer fits its state; bring the old one back or begin a new generation.",
    ),
    (
        (
            r"AnalysisException|ParseException|UNRESOLVED_COLUMN|DATATYPE_MISMATCH|UNSUPPORTED_"
            r"|Traceback \(most recent call last\)|PythonException|FOREACH_(?:BATCH_)?USER_FUNCTION"
            r"|ArithmeticException|DIVIDE_BY_ZERO|CAST_INVALID_INPUT|NullPointerException"
        ),
        "Correct the job's code.",
    ),
)
_EXHAUSTED = (
    (
        (
            r"OutOfMemoryError|GC overhead limit|_OUT_OF_MEMORY|MemoryError\b"
            r"|Cannot allocate memory|can't start new thread"
        ),
        "Give more memory (`spark.driver_memory`) or smaller batches.",
    ),
    (
        r"No space left on device|Disk quota exceeded|ENOSPC",
        "Free space where checkpoint and output are.",
    ),
    (
        (
            r"Too many open files"
            r"|(?:error=11|Errno 11|fork)\b[^\n]{0,80}Resource temporarily unavailable"
        ),
        "Raise the limits of open files and processes for the job's user (`ulimit -n`, `-u`).",
    ),
    (
        r"UNRELEASED_THREAD_ERROR",
        "A task still held the state; another attempt will find it free.",
    ),
)
_UNREACHABLE = (
    (
        (
            r"org\.apache\.kafka\.common\.errors\.(?:Timeout|Disconnect|Network|NotLeader"
            r"|LeaderNotAvailable|CoordinatorNotAvailable|BrokerNotAvailable|KafkaStorage"
            r"|NotEnoughReplicas)\w*|Timeout of \d+ms expired|Timed out waiting for a node"
            r"|Failed to (?:get|fetch) .{0,40}metadata|could not be established"
        ),
        "Check that the brokers are up and reachable from here.",
    ),
    (
        _NETWORK,
        "Check the network between here and the host that the message names.",
    ),
    (
        (
            r"ExecutorLostFailure|FetchFailed|Worker lost|SparkContext was shut down"
            r"|Python worker (?:exited unexpectedly|failed to connect back)"
            r"|Answer from Java side is empty|Py4JNetworkError|JAVA_GATEWAY_EXITED"
        ),
        "A process of Spark's died; its own log tells why.",
    ),
)
_INPUT_OUTPUT = (
    (
        r"java\.io\.IOException|FileNotFoundException|Input/output error",
        "Check the storage that the message names.",
    ),
)

# Order matters: what is surely the cause before what may be a consequence. Code comes late,
# because a wrapper for user code often hides one of the others.
_RULES = tuple(
    (re.compile(pattern), failure_class, hint)
    for failure_class, rules in (
        (FailureClass.INFRASTRUCTURE, _EXHAUSTED),
        (FailureClass.CONFIGURATION, _CONFIGURATION),
        (FailureClass.INFRASTRUCTURE, _STORAGE),
        (FailureClass.DATA, _DATA),
        (FailureClass.INFRASTRUCTURE, _UNREACHABLE),
        (FailureClass.CODE, _CODE),
        (FailureClass.INFRASTRUCTURE, _INPUT_OUTPUT),
    )
    for pattern, hint in rules
)
_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_]+(?:\.[A-Z0-9_]+)*)\]")
_EXCEPTION = re.compile(r"(?:[a-z_][\w$]*\.)*([A-Z][\w$]*(?:Exception|Error|Failure))\b")
_WRAPPERS = {
    "STREAM_FAILED",
    "FOREACH_BATCH_USER_FUNCTION_ERROR",
    "FOREACH_USER_FUNCTION_ERROR",
    "StreamingQueryException",
}
_MAX_MESSAGE_CHARACTERS = 400
_MAX_LEAD_IN_CHARACTERS = 120


def classify(text: str) -> Cause:
    """Find the cause in the whole text of an exception, causes and stack included.

    An unknown text is the code's: it is not retried, and a person looks at it.
    """
    for pattern, failure_class, hint in _RULES:
        if found := pattern.search(text):
            return Cause(
                failure_class=failure_class,
                condition=_condition(text, found.start()),
                message=_line_at(text, found.start()),
                hint=hint,
                is_kafka_silent=hint == _UNREACHABLE[0][1],
            )
    return Cause(
        failure_class=FailureClass.CODE,
        condition=_condition(text, 0),
        message=_line_at(text, 0),
        hint="The log has the whole exception.",
    )


def _condition(text: str, position: int) -> str:
    """Spark's condition, else the exception on the line of the match, else the wrapper's."""
    conditions = [name for name in _CONDITION.findall(text) if "_" in name]
    inner = [name for name in conditions if name not in _WRAPPERS]
    if inner:
        return str(inner[0])
    line, wrapper = _line_at(text, position), (conditions or [""])[-1]
    exceptions = [name for name in _EXCEPTION.findall(line) if name not in _WRAPPERS]
    if exceptions and wrapper not in line:
        return str(exceptions[0])
    if wrapper and wrapper != "STREAM_FAILED":
        return str(wrapper)
    named = [name for name in _EXCEPTION.findall(text) if name not in _WRAPPERS]
    return str((exceptions or named or [wrapper or "unknown"])[0])


def _line_at(text: str, position: int) -> str:
    """The line around a position, without a stack frame's or a cause's lead-in, cut to size.

    A long line has a whole chain of causes; then the one at the position begins it.
    """
    start = text.rfind("\n", 0, position) + 1
    if position - start > _MAX_LEAD_IN_CHARACTERS:
        start = text.rfind(" ", start, position) + 1
    end = text.find("\n", position)
    line = text[start : end if end >= 0 else len(text)].strip()
    line = line.removeprefix("Caused by: ").rpartition("terminated with exception: ")[2]
    if not line:
        line = next((one.strip() for one in text.splitlines() if one.strip()), "no message")
    return line[:_MAX_MESSAGE_CHARACTERS]
