"""From evidence to a remedy: a table of cases, each with its reason."""

from dataclasses import replace

import pytest

from streamctl.checkpoint.verify.findings import finding
from streamctl.checkpoint.verify.kinds import Effect
from streamctl.recover.evidence import Evidence, QueryEvidence
from streamctl.recover.propose import Remedy, propose
from streamctl.reports import Check, Verdict
from streamctl.rundir.records import Failure, FailureClass, Observed
from tests.unit.change.helpers import NOW

SOUND = QueryEvidence(
    query="windows",
    location="cp/0001/windows",
    verdict=Verdict.OK,
    forecast=Effect.STARTS,
    findings=(),
    committed_batch_id=7,
    rewind_to=None,
)
DAMAGED = replace(
    SOUND,
    verdict=Verdict.PROBLEM,
    forecast=Effect.FAILS,
    findings=(finding("offsets-damaged", "offsets/8", "it is cut"),),
)
REWINDABLE = replace(DAMAGED, query="letters", rewind_to=6)
UNREADABLE = replace(
    SOUND, verdict=Verdict.UNKNOWN, findings=(finding("unreadable", "state", "permission denied"),)
)
DOWN = Evidence(
    observed=Observed.STOPPED,
    running=False,
    failure=None,
    checks=[Check(name="broker", verdict=Verdict.OK, detail="answers")],
    generation="0001",
    queries=[SOUND],
    backup="",
    backup_at="",
    fail_on_data_loss=False,
)
NO_BROKER = Check(name="broker", verdict=Verdict.PROBLEM, detail="no answer", hint="Start it.")


def failed(failure_class, condition="Boom", query=None):
    return Failure(
        at=NOW,
        failure_class=failure_class,
        condition=condition,
        message="it broke",
        hint="Mend it.",
        query=query,
    )


@pytest.mark.parametrize(
    ("change", "remedy", "why"),
    [
        pytest.param({}, Remedy.START, "nothing stands", id="it was stopped"),
        pytest.param({"queries": [], "generation": ""}, Remedy.START, "", id="never started"),
        pytest.param(
            {"running": True, "observed": Observed.RUNNING, "queries": [DAMAGED]},
            Remedy.NOTHING,
            "the job runs",
            id="a running job's checkpoint is never touched",
        ),
        pytest.param(
            {"running": True, "observed": Observed.BACKING_OFF},
            Remedy.MEND,
            "backing_off",
            id="its supervisor is at it",
        ),
        pytest.param(
            {"checks": [NO_BROKER], "queries": [DAMAGED]},
            Remedy.MEND,
            "broker: no answer",
            id="first what it could not start without",
        ),
        pytest.param(
            {"queries": [SOUND, REWINDABLE], "backup": "b1"},
            Remedy.REWIND,
            "letters: offsets-damaged",
            id="the least: back to a whole batch",
        ),
        pytest.param(
            {"queries": [DAMAGED, REWINDABLE], "backup": "b1"},
            Remedy.RESTORE,
            "windows",
            id="one query cannot be rewound",
        ),
        pytest.param({"queries": [DAMAGED]}, Remedy.ROTATE, "no backup", id="nothing less is left"),
        pytest.param(
            {"queries": [REWINDABLE, UNREADABLE]},
            Remedy.MEND,
            "unreadable",
            id="what cannot be read is not known to be damaged",
        ),
        pytest.param(
            {"failure": failed(FailureClass.INFRASTRUCTURE)}, Remedy.START, "Boom", id="the machine"
        ),
        pytest.param({"failure": failed(FailureClass.CODE)}, Remedy.START, "Boom", id="its code"),
        pytest.param(
            {"failure": failed(FailureClass.CODE, query="q"), "may_quarantine": True},
            Remedy.QUARANTINE,
            "Boom",
            id="a batch, and records may be set aside",
        ),
        pytest.param(
            {"failure": failed(FailureClass.CODE), "may_quarantine": True},
            Remedy.START,
            "Boom",
            id="not in a batch: no record is at fault",
        ),
        pytest.param(
            {
                "failure": failed(FailureClass.DATA, "KAFKA_DATA_LOSS.INITIAL_OFFSET_NOT_FOUND"),
                "fail_on_data_loss": True,
            },
            Remedy.MEND,
            "KAFKA_DATA_LOSS",
            id="a loss is accepted by a setting, not by us",
        ),
    ],
)
def test_the_remedy(change, remedy, why):
    proposal = propose(replace(DOWN, **change))
    assert proposal.remedy is remedy
    assert why in proposal.why
    assert ("streamctl start" in proposal.commands) == (remedy not in {Remedy.NOTHING, Remedy.MEND})
    assert bool(proposal.rewinds) == (remedy is Remedy.REWIND)


def test_what_fails_by_its_code_fails_again_unless_it_was_mended():
    code = propose(replace(DOWN, failure=failed(FailureClass.CODE)))
    machine = propose(replace(DOWN, failure=failed(FailureClass.INFRASTRUCTURE)))
    assert "the same way again" in code.hint
    assert "poison" not in code.hint
    batch = propose(replace(DOWN, failure=failed(FailureClass.CODE, query="q")))
    assert "`streamctl poison find`" in batch.hint
    assert machine.hint == "Mend it."


def test_the_commands_are_what_would_be_typed():
    assert propose(replace(DOWN, queries=[REWINDABLE])).commands == [
        "streamctl checkpoint rewind --query letters --to-batch 6",
        "streamctl start",
    ]
