"""The verdict on a real run is ok, and on the same run with a bug planted it is not."""

from dataclasses import replace

import pytest

from streamctl.chaos.counts import counts
from streamctl.chaos.evidence import Aimed, Must, read_evidence, write_evidence
from streamctl.chaos.verdict import judge
from streamctl.errors import ExitCode, Malformed, NotFound
from streamctl.reports import Verdict
from tests.planted import PLANTED, planted
from tests.recordings import RECORDED, recorded


def violated(evidence) -> set[str]:
    return {each.name for each in judge(evidence).invariants if each.verdict is Verdict.PROBLEM}


@pytest.mark.parametrize("name", RECORDED)
def test_a_sound_run_is_ok_and_every_record_has_its_place(name):
    evidence = recorded(name)
    found = judge(evidence)
    assert found.verdict is Verdict.OK, found.invariants
    assert found.exit_code is ExitCode.DONE
    assert found.detected_by in set(evidence.expects["detected_by"])
    assert found.examples == []
    n = counts(evidence.must, evidence.found)
    assert n.produced == n.in_windows + n.in_state + n.dead_letters + n.late
    assert min(n.in_windows, n.in_state, n.dead_letters, n.late) > 0


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug):
    wrong = bug.evidence()
    assert violated(wrong) >= set(bug.caught)
    assert judge(wrong).exit_code is ExitCode.FOUND


def test_a_lost_record_is_named():
    found = judge(planted("offsets-advanced"))
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


def test_evidence_of_an_older_release_leaves_unknown_what_was_not_looked_at():
    now = recorded()
    bare = {"ready": None, "alerts": None, "breaker": "", "committed": None}
    old = replace(now, set_to={}, touched=None, samples=[replace(s, **bare) for s in now.samples])
    found = judge(old)
    unknown = {each.name for each in found.invariants if each.verdict is Verdict.UNKNOWN}
    assert unknown == {"health is true", "alerts are raised", "breaker opens"}
    assert found.verdict is Verdict.UNKNOWN


def said(evidence, name: str) -> tuple[Verdict, str]:
    (found,) = [each for each in judge(evidence).invariants if each.name == name]
    return found.verdict, found.detail


def test_what_does_not_apply_says_so():
    evidence = recorded()
    for name in ("phases are hit", "breaker opens", "losses are told"):
        verdict, detail = said(evidence, name)
        assert (verdict, detail.partition(":")[0]) == (Verdict.OK, "does not apply")
    unbroken = replace(evidence, began=None, ended=None)
    for name in ("detected", "recovered"):
        assert said(unbroken, name) == (Verdict.OK, "does not apply: nothing was broken")
    off = {**evidence.set_to, "http": {"enabled": False}, "breaker": {"enabled": False}}
    for name in ("health is true", "breaker opens"):
        assert said(replace(evidence, set_to=off), name)[1].startswith("does not apply")
    patient = {**evidence.set_to, "alerts": {"not_processing_seconds": 300, "lag_records": 10**6}}
    silent = replace(
        evidence, set_to=patient, samples=[replace(s, alerts=[]) for s in evidence.samples]
    )
    assert said(silent, "alerts are raised") == (Verdict.OK, "does not apply: none was due")


def test_a_breaker_that_opens_is_what_had_to_be():
    wrong = planted("breaker-never-opens")
    opened = [replace(s, breaker="open") for s in wrong.samples]
    verdict, detail = said(replace(wrong, samples=opened), "breaker opens")
    assert (verdict, detail.partition(" ")[0]) == (Verdict.OK, "90%")


@pytest.mark.parametrize(
    ("promised", "hits", "verdict"),
    [
        pytest.param(True, [True, True], Verdict.OK, id="all came in time"),
        pytest.param(True, [True, False], Verdict.UNKNOWN, id="one proves nothing"),
        pytest.param(True, [], Verdict.UNKNOWN, id="none was made"),
        pytest.param(False, [True, False], Verdict.OK, id="told, and not promised"),
    ],
)
def test_a_kill_that_missed_its_phase_proves_nothing(promised, hits, verdict):
    evidence = replace(
        recorded("driver-killed"),
        expects={"hits_phase": promised},
        aimed=[Aimed(phase="sink", batch=n, hit=hit) for n, hit in enumerate(hits)],
    )
    found, detail = said(evidence, "phases are hit")
    assert found is verdict
    assert f"{sum(hits)} of {len(hits)}" in detail
    assert ("sink of batch 1" in detail) == (promised and False in hits)


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
