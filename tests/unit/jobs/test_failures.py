"""Whose fault it is: a table of what Spark, Kafka, Hadoop and Python say."""
# ruff: noqa: E501  (a message is one line, as it is said)

import pytest

from jobs.failures import classify
from streamctl.rundir.records import FailureClass as Of

STREAM = "org.apache.spark.sql.streaming.StreamingQueryException: [STREAM_FAILED] Query [id = a, runId = b] terminated with exception: "
STATE = (
    STREAM
    + "[CANNOT_LOAD_STATE_STORE.UNCATEGORIZED] An error occurred during loading state.  SQLSTATE: 58030\n"
)
CASES = [
    (Of.INFRASTRUCTURE, "TimeoutException", STREAM + "java.util.concurrent.ExecutionException: x SQLSTATE: XXKST\n\tat a.b(C.scala)\nCaused by: org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment. Call: describeTopics"),
    (Of.INFRASTRUCTURE, "TimeoutException", STREAM + "Failed\nCaused by: org.apache.kafka.common.errors.TimeoutException: Timeout of 60000ms expired before the position for partition t-0 could be determined"),
    (Of.INFRASTRUCTURE, "DisconnectException", "Caused by: org.apache.kafka.common.errors.DisconnectException: null"),
    (Of.INFRASTRUCTURE, "NotLeaderOrFollowerException", "org.apache.kafka.common.errors.NotLeaderOrFollowerException: For requests intended only for the leader"),
    (Of.INFRASTRUCTURE, "ConnectException", "java.net.ConnectException: Call From a to namenode:8020 failed on connection exception: Connection refused"),
    (Of.INFRASTRUCTURE, "UnknownHostException", "java.net.UnknownHostException: namenode"),
    (Of.INFRASTRUCTURE, "OutOfMemoryError", STREAM + "Job aborted\nCaused by: java.lang.OutOfMemoryError: Java heap space"),
    (Of.INFRASTRUCTURE, "IOException", "Caused by: java.io.IOException: No space left on device\n\tat java.base/java.io.FileOutputStream.writeBytes"),
    (Of.INFRASTRUCTURE, "IOException", STREAM + '[FOREACH_BATCH_USER_FUNCTION_ERROR] An error occurred. Reason: py4j.Py4JException: Return Message: Traceback (most recent call last):\npy4j.protocol.Py4JJavaError: An error occurred while calling o9.parquet.\n: java.io.IOException: Cannot run program "chmod": error=12, Cannot allocate memory'),
    (Of.INFRASTRUCTURE, "RuntimeError", "Traceback (most recent call last):\n  File \"x.py\", line 3\nRuntimeError: can't start new thread"),
    (Of.INFRASTRUCTURE, "ArrowMemoryError", 'Traceback (most recent call last):\n  File "x.py", line 3\npyarrow.lib.ArrowMemoryError: malloc of size 64 failed'),
    (Of.INFRASTRUCTURE, "BlockingIOError", 'Traceback (most recent call last):\n  File "x.py", line 3\nBlockingIOError: [Errno 11] Resource temporarily unavailable'),
    (Of.INFRASTRUCTURE, "CANNOT_LOAD_STATE_STORE.UNCATEGORIZED", STATE + "Caused by: com.amazonaws.services.s3.model.AmazonS3Exception: Please reduce your request rate. (Service: Amazon S3; Status Code: 503; Error Code: SlowDown)"),
    (Of.INFRASTRUCTURE, "FileSystemException", "Traceback (most recent call last):\n: java.nio.file.FileSystemException: /c/offsets/9: Too many open files"),
    (Of.INFRASTRUCTURE, "SparkException", "org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)\n\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator$$anonfun$1.applyOrElse(PythonRunner.scala:745)\nCaused by: java.io.EOFException"),
    (Of.INFRASTRUCTURE, "SparkException", "org.apache.spark.SparkException: Job aborted due to stage failure: ExecutorLostFailure (executor 1 exited unrelated to the running tasks)"),
    (Of.INFRASTRUCTURE, "CANNOT_LOAD_STATE_STORE.ROCKSDB_STORE_PROVIDER_OUT_OF_MEMORY", STREAM + "[CANNOT_LOAD_STATE_STORE.ROCKSDB_STORE_PROVIDER_OUT_OF_MEMORY] An error occurred during loading state."),
    (Of.INFRASTRUCTURE, "CANNOT_LOAD_STATE_STORE.UNRELEASED_THREAD_ERROR", STREAM + "[CANNOT_LOAD_STATE_STORE.UNRELEASED_THREAD_ERROR] a task did not release the lock"),
    (Of.INFRASTRUCTURE, "CANNOT_LOAD_STATE_STORE.UNCATEGORIZED", STATE + "Caused by: org.apache.spark.sql.execution.streaming.state.StateStoreFailedToGetChangelogWriter: [CANNOT_LOAD_STATE_STORE.FAILED_TO_GET_CHANGELOG_WRITER] An error occurred during loading state. Failed to get the changelog writer for state store at version 4. SQLSTATE: 58030\nCaused by: java.io.IOException: the store answers 503"),
    (Of.INFRASTRUCTURE, "CANNOT_LOAD_STATE_STORE.UNCATEGORIZED", STATE + "\tat a.b(C.scala)\nCaused by: java.net.SocketTimeoutException: Read timed out"),
    (Of.DATA, "CANNOT_LOAD_STATE_STORE.UNCATEGORIZED", STATE + "Caused by: java.io.EOFException"),
    (Of.CODE, "UNRESOLVED_COLUMN.WITH_SUGGESTION", "pyspark.errors.exceptions.captured.AnalysisException: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `nonsense` cannot be resolved."),
    (Of.CODE, "FOREACH_BATCH_USER_FUNCTION_ERROR", STREAM + '[FOREACH_BATCH_USER_FUNCTION_ERROR] An error occurred in the user provided function in foreach batch sink. Reason: py4j.Py4JException: An exception was raised by the Python Proxy. Return Message: Traceback (most recent call last):\n  File "x.py", line 3\nValueError: wrong'),
    (Of.CODE, "PythonException", "org.apache.spark.api.python.PythonException: Traceback (most recent call last):\n  File \"job.py\", line 9, in parse\nKeyError: 'a'"),
    (Of.CODE, "STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE", STREAM + "[STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE] Provided key schema does not match existing state key schema."),
    (Of.CODE, "TypeError", "Traceback (most recent call last):\n  File \"main.py\", line 1\nTypeError: 'int' object is not callable"),
    (Of.DATA, "CANNOT_LOAD_STATE_STORE.CANNOT_READ_DELTA_FILE_NOT_EXISTS", STREAM + "[FOREACH_BATCH_USER_FUNCTION_ERROR] An error occurred ... py4j.Py4JException ... [CANNOT_LOAD_STATE_STORE.CANNOT_READ_DELTA_FILE_NOT_EXISTS] Error reading delta file"),
    (Of.DATA, "KAFKA_DATA_LOSS.START_OFFSET_RESET", STREAM + "[KAFKA_DATA_LOSS.START_OFFSET_RESET] Some data may have been lost because they are not available in Kafka any more"),
    (Of.DATA, "IllegalStateException", STREAM + "batch 11 doesn't exist\nCaused by: java.lang.IllegalStateException: batch 11 doesn't exist"),
    (Of.DATA, "STREAMING_CHECKPOINT_MISSING_METADATA_FILE", "[STREAMING_CHECKPOINT_MISSING_METADATA_FILE] Checkpoint location x is in an inconsistent state"),
    (Of.CONFIGURATION, "SaslAuthenticationException", STREAM + "x\nCaused by: org.apache.kafka.common.errors.SaslAuthenticationException: Authentication failed during authentication due to invalid credentials"),
    (Of.CONFIGURATION, "TopicAuthorizationException", STREAM + "x\nCaused by: org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access topics: [t]"),
    (Of.CONFIGURATION, "UnknownTopicOrPartitionException", STREAM + "x\nCaused by: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this topic-partition."),
    (Of.CONFIGURATION, "ConfigException", "Caused by: org.apache.kafka.common.config.ConfigException: No resolvable bootstrap urls given in bootstrap.servers"),
    (Of.CONFIGURATION, "CONCURRENT_STREAM_LOG_UPDATE", STREAM + "[CONCURRENT_STREAM_LOG_UPDATE] Concurrent update to the log. Multiple streaming jobs detected for 5."),
    (Of.CONFIGURATION, "AccessControlException", "org.apache.hadoop.security.AccessControlException: Permission denied: user=a, access=WRITE"),
    (Of.CODE, "unknown", "something nobody has seen"),
]  # fmt: skip


@pytest.mark.parametrize(("failure_class", "condition", "text"), CASES)
def test_classify(failure_class, condition, text):
    cause = classify(text)
    assert (cause.failure_class, cause.condition) == (failure_class, condition)
    assert cause.message
    assert "\n" not in cause.message


def test_the_message_is_the_line_that_tells_the_cause():
    text = CASES[0][2]
    assert classify(text).message == (
        "org.apache.kafka.common.errors.TimeoutException: "
        "Timed out waiting for a node assignment. Call: describeTopics"
    )


def test_a_silent_kafka_is_told_by_its_own_words():
    text = (
        "[STREAM_FAILED] Query [id = 1, runId = 2] terminated with exception: Job aborted due to "
        "stage failure: Task 0 in stage 4.0 failed 1 times, most recent failure: Lost task 0.0 in "
        "stage 4.0 (TID 10) (localhost executor driver): "
        "org.apache.kafka.common.errors.TimeoutException: Timeout of 60000ms expired before the "
        "position for partition t-0 could be determined\n\tat a.b(C.scala)"
    )
    cause = classify(text)
    assert cause.is_kafka_silent
    assert cause.message == (
        "org.apache.kafka.common.errors.TimeoutException: Timeout of 60000ms expired before the "
        "position for partition t-0 could be determined"
    )
