"""Random damage, by seed: one file of a golden checkpoint is changed, cut, emptied or removed."""

import random
from pathlib import Path

from streamctl.chaos import damage
from streamctl.chaos.damage import edits
from streamctl.checkpoint.tree import layout

_OPERATIONS = ("delete", "delete", "empty", "cut", "flip", "flip", "garbage", "append", "directory")


def flavour(seed: str) -> str:
    """The checkpoint that a mutant is made of."""
    return random.Random(f"flavour {seed}").choice(damage.JUDGED)


def mutate(at: damage.Place, seed: str) -> str:
    """Change one file; what was done, in words.

    Three times in four it is a file that the next start is likely to read.
    """
    rng = random.Random(f"mutant {seed}")
    files = sorted(p for p in at.root.rglob("*") if p.is_file() and not p.name.endswith(".crc"))
    hot = [p for p in files if _hot(at, p)]
    path = rng.choice(hot if hot and rng.random() < 0.75 else files)
    operation = rng.choice(_OPERATIONS)
    keep = rng.random() < 0.5
    data = path.read_bytes()
    if operation == "delete":
        edits.drop(path, keep_sidecar=keep)
    elif operation == "directory":
        edits.drop(path, keep_sidecar=keep)
        path.mkdir()
    else:
        edits.write(path, _changed(rng, operation, data), keep_sidecar=keep)
    kept = "checksum kept" if keep else "checksum gone"
    return f"{operation} {path.relative_to(at.root)} ({kept})"


def _changed(rng: random.Random, operation: str, data: bytes) -> bytes:
    at = rng.randrange(max(1, len(data)))
    if operation == "empty" or not data:
        return b""
    if operation == "cut":
        return data[:at]
    if operation == "flip":
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    noise = rng.randbytes(rng.randrange(1, 200))
    return noise if operation == "garbage" else data + noise


def _hot(at: damage.Place, path: Path) -> bool:
    place = path.relative_to(at.root).parts
    if place[0] == "metadata" or "_metadata" in place:
        return True
    if place[0] in {"offsets", "commits"}:
        return path.name in {str(at.planned), str(at.planned - 1), str(at.committed)}
    found = layout.state_file(path.name)
    return path.parent.name == "SSTs" or (found is not None and found[0] >= at.version - 2)
