"""Evidence of real experiments on real Spark and Kafka, where everything was as it should be.

`scripts/record` makes it anew, when what is seen of a job has changed.
"""

import shutil
import tempfile
from pathlib import Path

from streamctl.chaos.catalogue import catalogue
from streamctl.chaos.evidence import Evidence, read_evidence
from streamctl.chaos.stage import Stage
from streamctl.chaos.trial import run_trial
from streamctl.reports import Verdict

RECORDINGS = Path(__file__).parent / "data" / "chaos"
RECORDED = ("kafka-killed", "driver-killed")
_SEED = 7


def recorded(name: str = "kafka-killed") -> Evidence:
    return read_evidence(RECORDINGS / f"{name}.json")


def record(scratch: Path) -> None:
    """Run each experiment, and keep its evidence."""
    with Stage(scratch / "stage") as stage:
        for name in RECORDED:
            directory = scratch / name
            judgement = run_trial(stage, catalogue()[name], directory=directory, seed=_SEED)
            assert judgement.verdict is Verdict.OK, judgement
            shutil.copy(directory / "evidence.json", RECORDINGS / f"{name}.json")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        record(Path(place))
