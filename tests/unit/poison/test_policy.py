"""Which failures let the supervisor search for records, and how many it may set aside."""

import pytest

from streamctl.rundir.records import Failure, FailureClass
from streamctl.settings.model import Settings
from streamctl.supervisor.poison import Poison
from tests.unit.change.helpers import NOW

CODE, MACHINE = FailureClass.CODE, FailureClass.INFRASTRUCTURE
ALLOWED = {"poison": {"quarantine": True, "max_records": 3}}


def failure(failure_class, *, query="q", condition="Boom"):
    return Failure(
        at=NOW, failure_class=failure_class, condition=condition, message="it broke", query=query
    )


@pytest.mark.parametrize(
    ("settings", "failed", "searches"),
    [
        pytest.param(ALLOWED, failure(CODE), True, id="a batch fails by the code on a record"),
        pytest.param(ALLOWED, failure(FailureClass.DATA), True, id="a batch fails by its data"),
        pytest.param(ALLOWED, failure(MACHINE), True, id="a batch fails in each attempt"),
        pytest.param({}, failure(CODE), False, id="off unless it is allowed"),
        pytest.param(ALLOWED, failure(CODE, query=None), False, id="not in a batch"),
        pytest.param(
            ALLOWED,
            failure(MACHINE, query=None, condition="DriverDied"),
            True,
            id="a driver that died without a word may have died of a record",
        ),
        pytest.param(
            ALLOWED, failure(FailureClass.CONFIGURATION), False, id="a wrong setting is no record"
        ),
        pytest.param(
            ALLOWED | {"checkpoint": {"generation": "0002"}},
            failure(CODE),
            False,
            id="a reprocessing has no say over the live job",
        ),
    ],
)
def test_when_records_are_searched(settings, failed, searches):
    poison = Poison(Settings.model_validate(settings), log=None)  # type: ignore[arg-type]
    assert poison.may_search(failed) is searches


def test_a_run_sets_no_more_aside_than_is_allowed():
    poison = Poison(Settings.model_validate(ALLOWED), log=None)  # type: ignore[arg-type]
    poison.set_aside = 3
    assert not poison.may_search(failure(CODE))
