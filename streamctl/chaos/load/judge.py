"""What the figures of a load run come to."""

from collections.abc import Sequence

from streamctl.chaos.load.model import Recovery, Step
from streamctl.reports import Verdict, worst

_CONFIRMED = {True: Verdict.OK, False: Verdict.PROBLEM, None: Verdict.UNKNOWN}


def judge(
    steps: Sequence[Step],
    confirmed: Step | None,
    recoveries: Sequence[Recovery],
    *,
    highest: float | None,
) -> Verdict:
    """The worst of all.

    That a rate of the search was not sustained is what the search is for; that the longer step was
    not, or that the job did not come back, is a problem.

    Args:
        steps: of the search.
        confirmed: the longer step; None when not asked for.
        recoveries: every one that was tried.
        highest: the rate that was found; None for none.
    """
    found = [Verdict.UNKNOWN for step in steps if step.sustained is None]
    found += [Verdict.PROBLEM for each in recoveries if each.seconds is None]
    if highest is None:
        found.append(Verdict.UNKNOWN)
    if confirmed is not None:
        found.append(_CONFIRMED[confirmed.sustained])
    return worst(found)
