"""The balance of one query: a table of cases, each with its reason."""

from dataclasses import replace

import pytest

from streamctl.audit.account import Figures, Role, account
from streamctl.reports import Verdict

OK, PROBLEM, UNKNOWN = Verdict.OK, Verdict.PROBLEM, Verdict.UNKNOWN
BALANCED = Figures(
    role=Role.COUNTED,
    is_cut=True,
    read=100,
    read_later=0,
    in_flight=0,
    unread=0,
    deleted_unread=0,
    skipped=0,
    skipped_exactly=True,
    empty=0,
    in_output=60,
    in_state=20,
    letters=15,
    rejected=15,
    late=5,
)


@pytest.mark.parametrize(
    ("change", "verdict", "unexplained", "reason"),
    [
        pytest.param({}, OK, 0, None, id="all is somewhere"),
        pytest.param(
            {"in_flight": 9, "unread": 7, "read_later": 3}, OK, 0, None, id="more to come"
        ),
        pytest.param({"set_aside": 2, "in_output": 58}, OK, 0, None, id="poison was set aside"),
        pytest.param({"empty": 2, "in_output": 58}, OK, 0, None, id="markers of transactions"),
        pytest.param(
            {"in_output": 59}, PROBLEM, 1, "1 records were read and are nowhere", id="lost"
        ),
        pytest.param({"in_state": 21}, PROBLEM, -1, "1 more records are accounted", id="doubled"),
        pytest.param({"letters": 14}, PROBLEM, 1, "are nowhere", id="a swallowed letter"),
        pytest.param(
            {"skipped": 4, "in_output": 56}, PROBLEM, 0, "4 records were passed over", id="a loss"
        ),
        pytest.param(
            {"skipped": 4, "skipped_exactly": False, "in_output": 57},
            PROBLEM,
            -1,
            "up to 4 records",
            id="a loss of at most so many is no doubling",
        ),
        pytest.param(
            {"skipped_exactly": False}, UNKNOWN, 0, "made anew", id="a topic made anew, uncounted"
        ),
        pytest.param(
            {"deleted_unread": 3}, PROBLEM, 0, "3 records were deleted", id="it will be a loss"
        ),
        pytest.param(
            {"late": None}, UNKNOWN, 5, "how many records were late; 5", id="late unknown"
        ),
        pytest.param(
            {"late": None, "in_output": 65}, UNKNOWN, 0, "nothing is missing", id="yet all is there"
        ),
        pytest.param({"late": None, "in_output": 66}, PROBLEM, -1, "1 more", id="too many for any"),
        pytest.param({"empty": None}, UNKNOWN, 0, "hold no record", id="batches were not counted"),
        pytest.param({"letters": None}, UNKNOWN, None, "dead letters", id="letters were purged"),
        pytest.param({"in_output": None}, UNKNOWN, None, "in the output", id="a part of it"),
        pytest.param(
            {"role": Role.OTHER}, UNKNOWN, None, "its job names no count", id="a job of one's own"
        ),
        pytest.param({"is_cut": False}, UNKNOWN, None, "no batch was reached", id="not begun"),
        pytest.param({"role": Role.LETTERS}, OK, None, None, id="the letters"),
        pytest.param(
            {"role": Role.LETTERS, "letters": 9}, PROBLEM, None, "and 15 were", id="a letter lost"
        ),
        pytest.param(
            {"role": Role.LETTERS, "rejected": None},
            UNKNOWN,
            None,
            "not all batches were counted",
            id="letters that nobody counted",
        ),
    ],
)
def test_the_balance(change, verdict, unexplained, reason):
    found = account(replace(BALANCED, **change))
    assert (found.verdict, found.unexplained) == (verdict, unexplained)
    assert bool(found.reasons) == (reason is not None)
    assert reason is None or reason in " ".join(found.reasons)
