"""One line says how the job was worse than before."""

from dataclasses import replace

import pytest

from streamctl.chaos.degraded import degraded
from streamctl.chaos.evidence import Batch, Evidence, Sample
from tests.recordings import recorded

BEGAN, ENDED, LAST = 20.0, 30.0, 60
WELL = {"verdict": "ok", "ready": True, "health": "ok", "breaker": "closed", "true_lag": 100}


def batches(ends) -> list[Batch]:
    """One batch of 200 records ended at each; two seconds each."""
    return [
        Batch(at=end - 2.0, seconds=2.0, batch_id=n, records=200, attempt=1)
        for n, end in enumerate(ends)
    ]


def evidence(*, ends=range(2, LAST, 2), meanwhile: dict | None = None) -> Evidence:
    def look(at: float) -> Sample:
        changed = meanwhile or {}
        return Sample(at=at, **(WELL | (changed if BEGAN <= at < ENDED else {})))

    return Evidence(
        experiment="e", title="E", ended_how="completed", deviated=False, crashed=False,
        rate=100.0, expects={}, touched=BEGAN, began=BEGAN, ended=ENDED,
        samples=[look(float(at)) for at in range(LAST)], batches=batches(ends),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (evidence(), "not visibly"),
        (
            evidence(ends=[*range(2, 21, 2), *range(34, LAST, 2)]),
            "no commit for 14 s, throughput down to 20%",
        ),
        (evidence(ends=range(2, 21, 2)), "no commit for 39 s, throughput down to 20%"),
        (evidence(meanwhile={"true_lag": 12_345}), "lag up to 12,345 records"),
        (evidence(meanwhile={"ready": False}), "health 503 for 10 s"),
        (evidence(meanwhile={"ready": None, "health": "silent"}), "health silent for 10 s"),
        (
            evidence(meanwhile={"verdict": "problem", "breaker": "open"}),
            "status problem for 10 s, circuit breaker open for 10 s",
        ),
    ],
)
def test_it_says_how(seen, told):
    assert degraded(seen) == told


def test_nothing_is_said_where_nothing_was_broken_or_nobody_looked():
    assert degraded(replace(evidence(), began=None)) == ""
    assert degraded(replace(evidence(), samples=[])) == ""


def test_a_killed_broker_holds_the_job_up():
    assert degraded(recorded()).startswith("no commit for ")
