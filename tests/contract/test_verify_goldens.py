"""No golden checkpoint raises an alarm, at any level."""

import pytest

from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.kinds import Effect
from streamctl.checkpoint.verify.verify import Level, verify
from streamctl.reports import Verdict
from tests.goldens import cases, golden


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize(("version", "name"), cases(), ids=["-".join(case) for case in cases()])
def test_healthy_checkpoints_are_ok(version, name, level):
    place = golden(version, name)
    sink = place.with_name(place.name + "-out")
    report = verify(
        Checkpoint.open(str(place)), level=level, sink=str(sink) if sink.is_dir() else ""
    )
    assert [f for f in report.findings if f.verdict is not Verdict.OK] == []
    assert (report.verdict, report.forecast) == (Verdict.OK, Effect.STARTS)
