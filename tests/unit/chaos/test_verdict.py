"""The verdict on a real run is ok, and on the same run with a bug planted it is not."""

from dataclasses import replace

import pytest

from streamctl.chaos.counts import counts
from streamctl.chaos.evidence import Must, read_evidence, write_evidence
from streamctl.chaos.verdict import judge
from streamctl.errors import ExitCode, Malformed, NotFound
from streamctl.reports import Verdict
from tests.planted import PLANTED, recorded


def violated(evidence) -> set[str]:
    return {each.name for each in judge(evidence).invariants if each.verdict is Verdict.PROBLEM}


def test_a_sound_run_is_ok_and_every_record_has_its_place():
    evidence = recorded()
    found = judge(evidence)
    assert found.verdict is Verdict.OK, found.invariants
    assert found.exit_code is ExitCode.DONE
    assert found.detected_by in {"status", "lag", "restart"}
    assert found.examples == []
    n = counts(evidence.must, evidence.found)
    assert n.produced == n.in_windows + n.in_state + n.dead_letters + n.late
    assert min(n.in_windows, n.in_state, n.dead_letters, n.late) > 0


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug):
    wrong = bug.plant(recorded())
    assert violated(wrong) >= set(bug.caught)
    assert judge(wrong).exit_code is ExitCode.FOUND


def test_a_lost_record_is_named():
    bug = next(bug for bug in PLANTED if bug.name == "offsets-advanced")
    found = judge(bug.plant(recorded()))
    assert found.counts.lost == 1
    assert "counts" in found.examples[0]


@pytest.mark.parametrize("missing", ["must", "found", "end"])
def test_what_could_not_be_told_is_unknown_and_never_ok(missing):
    evidence = replace(recorded(), **{missing: None}, unknown="Spark could not read the state")
    found = judge(evidence)
    assert found.verdict is Verdict.UNKNOWN
    assert found.exit_code is ExitCode.FOUND


def test_an_experiment_that_did_not_complete_is_unknown():
    assert judge(replace(recorded(), ended_how="not_steady")).verdict is Verdict.UNKNOWN


def test_a_job_that_was_never_asked_is_unknown():
    names = {
        each.name
        for each in judge(replace(recorded(), samples=[])).invariants
        if each.verdict is Verdict.UNKNOWN
    }
    assert names >= {"status is honest", "lag is true", "detected"}


def test_records_that_kafka_deleted_are_neither_lost_nor_unread():
    evidence = recorded()
    must = Must(
        produced=evidence.must.produced + 9,
        windows=evidence.must.windows,
        rejected=evidence.must.rejected,
        late=evidence.must.late,
        gone=9,
    )
    found = judge(replace(evidence, must=must))
    assert (found.verdict, found.counts.gone) == (Verdict.OK, 9)


def test_batch_ids_begin_anew_with_a_generation():
    evidence = replace(recorded(), crashed=False)
    again = replace(evidence.batches[0], generation="0002", at=evidence.batches[-1].at + 1)
    assert "batches in order" not in violated(replace(evidence, batches=[*evidence.batches, again]))


def test_evidence_comes_back_from_its_file(tmp_path):
    path = tmp_path / "evidence.json"
    write_evidence(path, recorded())
    assert read_evidence(path) == recorded()
    path.write_text("{}")
    with pytest.raises(Malformed):
        read_evidence(path)
    with pytest.raises(NotFound):
        read_evidence(tmp_path / "none")
