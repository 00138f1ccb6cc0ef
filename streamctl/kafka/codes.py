"""Names of Kafka's and librdkafka's errors, by what they mean to an operator.

Source: `rd_kafka_resp_err_t` of librdkafka, whose own begin with an underscore.
"""

UNKNOWN = {"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"}
"""There is no such topic or partition."""
UNREACHABLE = {
    "_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "_RESOLVE", "_AUTHENTICATION", "_SSL",
    "REQUEST_TIMED_OUT", "_MSG_TIMED_OUT", "NETWORK_EXCEPTION", "BROKER_NOT_AVAILABLE",
    "_TIMED_OUT_QUEUE", "_WAIT_COORD", "SASL_AUTHENTICATION_FAILED",
}  # fmt: skip
"""No broker answers, or none lets us in."""
LEADERSHIP = {
    "NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE", "FENCED_LEADER_EPOCH",
    "UNKNOWN_LEADER_EPOCH", "OFFSET_NOT_AVAILABLE", "PREFERRED_LEADER_NOT_AVAILABLE",
    "NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE", "COORDINATOR_LOAD_IN_PROGRESS",
}  # fmt: skip
"""A partition changes its leader: the same question may be answered a moment later."""
REFUSED = {"INVALID_RECORD", "INVALID_TIMESTAMP"}
"""The broker does not take a record; for its timestamp, where it has a key and is not too large."""
