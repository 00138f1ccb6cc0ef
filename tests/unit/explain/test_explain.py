"""Every code has a meaning, a cause and a remedy of its own, and logs say what they hold."""

import json
import re
import tomllib
import zipfile
from pathlib import Path

import pyspark
import pytest

from streamctl.checkpoint.verify.kinds import kinds
from streamctl.errors import ExitCode, NotFound
from streamctl.explain import explain as module
from streamctl.explain.explain import explain, explain_log
from tests import judged

TABLES = Path(module.__file__).parent
CONDITIONS = tomllib.loads((TABLES / "conditions.toml").read_text())
STATE = "CANNOT_LOAD_STATE_STORE"
OPERATORS_MEET = f"""
STREAM_FAILED FOREACH_BATCH_USER_FUNCTION_ERROR FOREACH_USER_FUNCTION_ERROR
CONCURRENT_STREAM_LOG_UPDATE _LEGACY_ERROR_TEMP_2207 STREAMING_CHECKPOINT_MISSING_METADATA_FILE
STATE_STORE_CHECKPOINT_LOCATION_NOT_EMPTY BATCH_METADATA_NOT_FOUND MALFORMED_LOG_FILE
INVALID_LOG_VERSION.MAX_SUPPORTED_VERSION INVALID_LOG_VERSION.EXACT_MATCH_VERSION
CANNOT_LOAD_CHECKPOINT_FILE_MANAGER.ERROR_LOADING_CLASS
CANNOT_LOAD_CHECKPOINT_FILE_MANAGER.UNCATEGORIZED FAILED_RENAME_PATH FAILED_RENAME_TEMP_FILE
RENAME_SRC_PATH_NOT_FOUND CHECKPOINT_FILE_CHECKSUM_VERIFICATION_FAILED
{STATE}.CANNOT_READ_DELTA_FILE_NOT_EXISTS {STATE}.CANNOT_READ_STREAMING_STATE_FILE
{STATE}.CANNOT_READ_MISSING_SNAPSHOT_FILE {STATE}.CANNOT_READ_DELTA_FILE_KEY_SIZE
{STATE}.CANNOT_READ_SNAPSHOT_FILE_KEY_SIZE {STATE}.CANNOT_READ_SNAPSHOT_FILE_VALUE_SIZE
{STATE}.UNEXPECTED_FILE_SIZE {STATE}.CANNOT_READ_CHECKPOINT {STATE}.UNCATEGORIZED
{STATE}.AUTO_SNAPSHOT_REPAIR_FAILED {STATE}.CANNOT_FIND_BASE_SNAPSHOT_CHECKPOINT
{STATE}.INVALID_CHECKPOINT_LINEAGE {STATE}.HDFS_STORE_PROVIDER_OUT_OF_MEMORY
{STATE}.ROCKSDB_STORE_PROVIDER_OUT_OF_MEMORY {STATE}.UNRELEASED_THREAD_ERROR
{STATE}.KEY_ROW_FORMAT_VALIDATION_FAILURE {STATE}.VALUE_ROW_FORMAT_VALIDATION_FAILURE
STATE_STORE_KEY_ROW_FORMAT_VALIDATION_FAILURE STATE_STORE_VALUE_ROW_FORMAT_VALIDATION_FAILURE
{STATE}.INVALID_CHANGE_LOG_READER_VERSION CANNOT_WRITE_STATE_STORE.CANNOT_COMMIT
STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE
STATE_STORE_INVALID_VALUE_SCHEMA_EVOLUTION STATE_STORE_COLUMN_FAMILY_SCHEMA_INCOMPATIBLE
STATE_STORE_INVALID_VARIABLE_TYPE_CHANGE STATE_STORE_VALUE_SCHEMA_EVOLUTION_THRESHOLD_EXCEEDED
STATE_STORE_STATE_SCHEMA_FILES_THRESHOLD_EXCEEDED STATE_STORE_INVALID_CONFIG_AFTER_RESTART
STATE_STORE_COMMIT_VALIDATION_FAILED STATE_STORE_BASE_CHECKPOINT_ID_MISMATCH
STATE_STORE_CHECKPOINT_IDS_NOT_SUPPORTED STATE_STORE_ROW_CHECKSUM_VERIFICATION_FAILED
STATE_STORE_UNEXPECTED_EMPTY_FILE_IN_ROCKSDB_ZIP
STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY
STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA STREAMING_UNFINISHED_REPARTITION_DETECTED
STATE_REPARTITION_INVALID_CHECKPOINT.UNSUPPORTED_PROVIDER
STATE_REPARTITION_INVALID_CHECKPOINT.LAST_BATCH_FAILED
STATE_REPARTITION_INVALID_CHECKPOINT.NO_BATCH_FOUND STATE_REPARTITION_INVALID_PARAMETER.IS_NULL
STREAM_STREAM_JOIN_INCONSISTENT_STATE.NULL_VALUE
STREAMING_QUERY_EVOLUTION_ERROR.DUPLICATE_SOURCE_NAMES STREAMING_REAL_TIME_MODE.SINK_NOT_SUPPORTED
STREAMING_PYTHON_RUNNER_INITIALIZATION_FAILURE
STREAMING_PYTHON_RUNNER_INITIALIZATION_COMMUNICATION_FAILURE
STREAMING_PYTHON_RUNNER_INITIALIZATION_TIMEOUT_FAILURE STDS_OFFSET_LOG_UNAVAILABLE
STDS_OFFSET_METADATA_LOG_UNAVAILABLE STDS_COMMITTED_BATCH_UNAVAILABLE
STDS_FAILED_TO_READ_STATE_SCHEMA STDS_FAILED_TO_READ_OPERATOR_METADATA
STDS_MIXED_CHECKPOINT_FORMAT_VERSIONS_NOT_SUPPORTED STDS_NO_PARTITION_DISCOVERED_IN_STATE_STORE
STDS_CONFLICT_OPTIONS STDS_INVALID_OPTION_VALUE.IS_EMPTY STDS_REQUIRED_OPTION_UNSPECIFIED
STDS_INTERNAL_ERROR _LEGACY_ERROR_TEMP_2263 _LEGACY_ERROR_TEMP_2200 _LEGACY_ERROR_TEMP_1299
MALFORMED_STATE_IN_RATE_PER_MICRO_BATCH_SOURCE.INVALID_OFFSET
MALFORMED_STATE_IN_RATE_PER_MICRO_BATCH_SOURCE.INVALID_TIMESTAMP
""".split()
KAFKA_THROWS = [
    "KAFKA_DATA_LOSS",
    "KAFKA_DATA_LOSS.PARTITIONS_DELETED",
    "KAFKA_DATA_LOSS.PARTITIONS_DELETED_AND_GROUP_ID_CONFIG_PRESENT",
    "KAFKA_DATA_LOSS.PARTITION_OFFSET_CHANGED",
    "KAFKA_DATA_LOSS.START_OFFSET_RESET",
    "KAFKA_DATA_LOSS.COULD_NOT_READ_OFFSET_RANGE",
    "KAFKA_DATA_LOSS.INITIAL_OFFSET_NOT_FOUND_FOR_PARTITIONS",
    "KAFKA_DATA_LOSS.ADDED_PARTITION_DOES_NOT_START_FROM_OFFSET_ZERO",
    "KAFKA_START_OFFSET_DOES_NOT_MATCH_ASSIGNED",
    "KAFKA_TIMESTAMP_OFFSET_DOES_NOT_MATCH_ASSIGNED",
    "MISMATCHED_TOPIC_PARTITIONS_BETWEEN_END_OFFSET_AND_PREFETCHED",
    "MISMATCHED_TOPIC_PARTITIONS_BETWEEN_START_OFFSET_AND_END_OFFSET",
    "LOST_TOPIC_PARTITIONS_IN_END_OFFSET_WITH_TRIGGER_AVAILABLENOW",
    "END_OFFSET_HAS_GREATER_OFFSET_FOR_TOPIC_PARTITION_THAN_PREFETCHED",
    "END_OFFSET_HAS_GREATER_OFFSET_FOR_TOPIC_PARTITION_THAN_LATEST_WITH_TRIGGER_AVAILABLENOW",
    "RESOLVED_START_OFFSET_GREATER_THAN_END_OFFSET",
    "KAFKA_NULL_TOPIC_IN_DATA",
    "KAFKA_MALFORMED_RECORD_TIMESTAMP",
]
TEXT_ONLY = {
    "java.lang.IllegalStateException: batch 7 doesn't exist": "BATCH_NOT_IN_OFFSET_LOG",
    "requirement failed: Previous batch 11 not found in offset log": "PREVIOUS_BATCH_NOT_FOUND",
    "Failed to read log file offsets/9. Incomplete log file": "INCOMPLETE_LOG_FILE",
    "assertion failed: There are [0] sources in the checkpoint offsets and now": "SOURCES_DIFFER",
    "Caused by: java.lang.AssertionError: assertion failed": "ASSERTION_FAILED",
    "JsonEOFException: Unexpected end-of-input in field name": "LOG_FILE_CUT",
    "Cannot start query with id 12ab as another query is active": "QUERY_ALREADY_ACTIVE",
    "Stream Execution thread for stream q failed to stop within 5000 ms": "QUERY_DID_NOT_STOP",
    "Multiple streaming queries are concurrently using offsets/9": "_LEGACY_ERROR_TEMP_2207",
    "Error: we detected a possible problem with the location of your checkpoint and you":
        "_LEGACY_ERROR_TEMP_2263",
    'a possible problem with the location of your "_spark_metadata" directory and you':
        "_LEGACY_ERROR_TEMP_2200",
    "This query does not support recovering from checkpoint location. Delete /cp to start over.":
        "_LEGACY_ERROR_TEMP_1299",
    "TopicPartitions: null topic present in the data. Use the TOPIC option":
        "KAFKA_NULL_TOPIC_IN_DATA",
}  # fmt: skip


def of_spark():
    """Every condition that this release of Spark has, from its own list."""
    (jar,) = Path(pyspark.__file__).parent.glob("jars/spark-common-utils_*.jar")
    with zipfile.ZipFile(jar) as archive:
        listed = json.loads(archive.read("error/error-conditions.json"))
    return {*listed} | {
        f"{name}.{case}" for name, row in listed.items() for case in row.get("subClass", ())
    }


def told(code):
    found = explain(code)
    assert found.meaning
    assert found.cause
    assert found.remedy
    return found


@pytest.mark.parametrize("name", [*OPERATORS_MEET, *KAFKA_THROWS])
def test_what_an_operator_meets_is_known(name):
    assert told(name).code == name
    (seen,) = explain_log([f"ERROR StreamExecution: [{name}] message"]).conditions
    assert (seen.condition, seen.explanation) == (name, explain(name))


def test_names_are_those_of_spark():
    """But of Kafka's connector, which has a list of its own, and of what Spark gives no name."""
    ours = {name for name, row in CONDITIONS.items() if "text" in row}  # Spark may have it too
    known = of_spark()
    assert set(CONDITIONS) - ours - set(KAFKA_THROWS) <= known
    assert set(OPERATORS_MEET) <= known
    assert {name for name in known if name.startswith(("STDS_", "STATE_REPARTITION_"))
            and "." not in name} <= set(CONDITIONS)  # fmt: skip


@pytest.mark.parametrize(("line", "name"), TEXT_ONLY.items(), ids=TEXT_ONLY.values())
def test_what_spark_says_without_a_name_is_recognised(line, name):
    report = explain_log(["all is well", line, line])
    assert [(c.condition, c.lines, c.first_line) for c in report.conditions] == [(name, 2, 2)]
    assert report.verdict == "problem"
    assert told(name)


SAYS_NOTHING = re.compile(r"An error occurred while calling o\d+")
"""The message of the bridge to Python, where the cause was not noted down."""


@pytest.mark.parametrize(
    "row",
    [
        row
        for row in (*judged.corpus(), *judged.mutants())
        if row["spark"] == "fails" and not SAYS_NOTHING.match(row["message"])
    ],
    ids=lambda row: f"{row['flavour']}-{row['damage']}",
)
def test_what_real_spark_said_of_a_damaged_checkpoint_is_known(row):
    """As its driver's log has it: the condition, where Spark gives it one, before the message."""
    condition = row["condition"]
    prefix = f"[{condition}] " if "_" in condition else f"{condition}: "
    report = explain_log([prefix + row["message"]])
    assert report.conditions
    assert all(seen.explanation for seen in report.conditions)


@pytest.mark.parametrize(
    "line",
    [
        "assertion failed: something that has a name of its own",
        "the file doesn't exist",
        "there are 2 sources",
        "[INFO] [main] [A_B",
    ],
)
def test_other_lines_hold_no_condition(line):
    assert explain_log([line]).conditions == ()


def test_a_case_of_a_condition_is_not_counted_as_the_condition_too():
    says = "Some data may have been lost because they are not available in Kafka any more"
    line = f"[KAFKA_DATA_LOSS.PARTITIONS_DELETED] {says}"
    (seen,) = explain_log([line]).conditions
    assert seen.condition == "KAFKA_DATA_LOSS.PARTITIONS_DELETED"


@pytest.mark.parametrize("code", ExitCode)
def test_every_exit_code_has_a_cause_and_a_remedy_of_its_own(code):
    mine = told(str(int(code)))
    others = [told(str(int(other))) for other in ExitCode if other is not code]
    assert mine.cause not in {other.cause for other in others}
    assert mine.remedy not in {other.remedy for other in others}


@pytest.mark.parametrize("code", kinds())
def test_every_finding_has_a_cause_beside_its_effect(code):
    found = told(code)
    assert found.effect
    assert found.effect not in found.cause


@pytest.mark.parametrize("code", kinds())
def test_what_a_finding_lets_spark_say_is_known_too(code):
    for name in re.findall(r"[A-Z][A-Z0-9]+_[A-Z0-9_.]*[A-Z0-9]", kinds()[code].condition):
        assert told(name).kind == "spark_condition"


def test_every_text_is_one_that_can_be_looked_for():
    for row in CONDITIONS.values():
        for text in row.get("text", ()):
            assert re.compile(text).search("") is None


def test_a_name_that_nothing_has_is_not_found():
    with pytest.raises(NotFound):
        explain("NOT_A_CONDITION")
