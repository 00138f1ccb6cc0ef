"""The corpus: every kind of damage to a checkpoint.

`scripts/judge` starts real Spark on each, done to copies of golden checkpoints; the tests hold
`verify` against what it saw. Experiments do them to a stopped job.
"""

from streamctl.chaos.damage.flavours import JUDGED
from streamctl.chaos.damage.logs import LOGS
from streamctl.chaos.damage.model import Damage, Place, place
from streamctl.chaos.damage.outside import OUTSIDE
from streamctl.chaos.damage.state import STATE

__all__ = ["CORPUS", "JUDGED", "Damage", "Place", "cases", "fits", "place"]

CORPUS = [*STATE, *LOGS, *OUTSIDE]


def fits(damage: Damage, flavour: str) -> bool:
    return any(flavour.startswith(start) for start in damage.fits)


def cases() -> list[tuple[str, Damage]]:
    """Every (flavour, damage) that makes sense."""
    return [(name, d) for name in JUDGED for d in CORPUS if fits(d, name)]
