"""What a job of an experiment's own is given of its surroundings."""

from streamctl.chaos.subject import _without_settings


def test_the_operator_s_own_job_is_not_what_an_experiment_is_done_to():
    """Each of these would win over the project's file, so that real data were written to."""
    theirs = {
        "CHECKPOINT_LOCATION": "s3://production",
        "KAFKA_BOOTSTRAP_SERVERS": "production:9092",
        "STREAMCTL_CONTEXT": "production",
        "STREAMCTL_CHECKPOINT__LOCATION": "s3://production",
        "STREAMCTL_RUN_DIRECTORY": "/production",
    }
    ours = {"PATH": "/bin", "STREAMCTL_CACHE": "/cache"}
    assert _without_settings(theirs | ours) == ours
