"""What only Spark's inside knows of a running query, reached through py4j. Classic PySpark only.

Everything here that Spark does not promise stands in this file, and each has an answer for the
day it is not there.
"""

from dataclasses import dataclass, field
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.sql.streaming.query import StreamingQuery

from jobs.stop import Refusal

_PACKAGES = (
    "org.apache.spark.sql.execution.streaming.runtime",  # since 4.1
    "org.apache.spark.sql.execution.streaming",
)
_NO_WAY_IN = (AttributeError, TypeError, Py4JError)


class SparkExecution:
    """The execution behind a query, for `stop.stop_after_batch`."""

    def __init__(self, query: StreamingQuery) -> None:
        self._query = query
        self._refused = False

    def refuse_batches(self, *, force: bool) -> Refusal:
        """Set the state while holding the lock without which no batch is planned or finished.

        A lock belongs to a thread; PySpark pins each Python thread to one of the JVM's.
        """
        try:
            execution = _execution(self._query)
            lock = execution.awaitProgressLock()
            locked = lock.tryLock()
            try:
                if not force and not (locked and may_refuse(_stack(execution))):
                    return Refusal.NOT_YET
                execution.state().set(_terminated())
            finally:
                if locked:
                    lock.unlock()
        except _NO_WAY_IN:
            return Refusal.IMPOSSIBLE
        self._refused = True
        return Refusal.DONE

    def ended(self) -> bool:
        """Ask the thread itself: `isActive` is already False while it goes on."""
        try:
            return not _execution(self._query).queryExecutionThread().isAlive()
        except _NO_WAY_IN:
            return not self._query.isActive

    def asleep(self) -> bool:
        """Look at the thread's stack; the query's own status is set a moment too late."""
        if not self._refused:
            return not self._query.status["isTriggerActive"]
        return "waitTillTime" in _stack(_execution(self._query))

    def stop(self) -> None:
        """Spark's own stop."""
        self._query.stop()


def may_refuse(stack: str) -> bool:
    """Whether setting the state now leaves no batch planned and not begun.

    Either no batch is under way (the thread starts, or sleeps between triggers or polls), or it
    is past Spark's second look at the state: it runs the sink, marks the batch's end, or found
    nothing to read and sleeps before it asks again.

    Args:
        stack: of the query's thread, innermost frame first, read while holding the lock.
    """
    if "executeOneBatch" not in stack:
        return True
    if ".constructNextBatch" in stack:
        return False
    inner = stack.split("executeOneBatch", 1)[0]
    marks = (".SQLExecution$", ".markMicroBatchEnd", "java.lang.Thread.sleep")
    return any(mark in inner for mark in marks)


def set_read_limit(query: StreamingQuery, records: int) -> bool:
    """Let the next batches read at most so many records of each source; False when it cannot.

    A source that was not started with a plain `maxOffsetsPerTrigger` keeps what it has.

    Source: Spark `MicroBatchExecution.uniqueSources`, `ReadLimit`.
    """
    try:
        execution = _execution(query)
        limits, changed = execution.uniqueSources(), False
        every = limits.keysIterator()
        while every.hasNext():
            source = every.next()
            limit = limits.apply(source)
            if limit.getClass().getSimpleName() == "ReadMaxRows":
                limits = limits.updated(source, _max_rows(records))
                changed = True
        getattr(execution, "uniqueSources_$eq")(limits)
    except _NO_WAY_IN:
        return False
    return changed


def _max_rows(records: int) -> Any:
    jvm: Any = SparkContext._jvm  # noqa: SLF001
    return jvm.org.apache.spark.sql.connector.read.streaming.ReadLimit.maxRows(records)


def watermark_before(query: StreamingQuery, batch_id: int) -> int | None:
    """The watermark planned for the batch before, epoch milliseconds; None when not known.

    This is what batch `batch_id` takes for late events (Spark `IncrementalExecution`).
    """
    if batch_id == 0:
        return 0
    try:
        log = _execution(query).offsetLog()
        return int(log.offsetSeqMetadataForBatchId(batch_id - 1).get().batchWatermarkMs())
    except _NO_WAY_IN:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedQuery:
    """Where a query failed.

    Attributes:
        text: the exception with all its causes and stacks; empty when not known.
        batch_id: None when not known.
        offsets: end offsets of that batch, as Spark reports them.
    """

    text: str = ""
    batch_id: int | None = None
    offsets: list[Any] = field(default_factory=list)


def failed_query(query: StreamingQuery) -> FailedQuery:
    """Read from a query that ended with an exception."""
    try:
        execution = _execution(query)
        error = execution.exception().get()
        text = SparkContext._jvm.org.apache.spark.util.Utils.exceptionString(error)  # type: ignore[union-attr]  # noqa: SLF001
    except _NO_WAY_IN:
        return FailedQuery()
    try:
        batch_id = int(execution.getLatestExecutionContext().batchId())
    except _NO_WAY_IN:
        batch_id = None
    return FailedQuery(text=text, batch_id=batch_id, offsets=[error.endOffset()])


def _stack(execution: Any) -> str:
    """The thread's stack as text, in few calls: frame by frame would take long."""
    jvm: Any = SparkContext._jvm  # noqa: SLF001
    carrier = jvm.java.lang.Throwable()
    carrier.setStackTrace(execution.queryExecutionThread().getStackTrace())
    text = jvm.java.io.StringWriter()
    carrier.printStackTrace(jvm.java.io.PrintWriter(text))
    return str(text.toString())


def _execution(query: StreamingQuery) -> Any:
    return query._jsq.streamingQuery()  # noqa: SLF001


def _terminated() -> Any:
    """The Scala object TERMINATED, wherever this Spark keeps it."""
    jvm: Any = SparkContext._jvm  # noqa: SLF001
    for package in _PACKAGES:
        try:
            return (
                jvm.java.lang.Class.forName(f"{package}.TERMINATED$").getField("MODULE$").get(None)
            )
        except Py4JError:
            continue
    raise AttributeError("TERMINATED")
