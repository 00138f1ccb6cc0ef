"""A checkpoint to damage, and one kind of damage."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from streamctl.checkpoint.tree import layout


@dataclasses.dataclass(frozen=True)
class Place:
    """A checkpoint to damage: its newest batches, and the version that the next start loads.

    Attributes:
        sink: output of its file sink; None for that of a golden checkpoint, beside it.
    """

    root: Path
    planned: int
    committed: int
    sink: Path | None = None

    @property
    def version(self) -> int:
        return self.planned + 1 if self.planned == self.committed else self.planned

    def offsets(self, batch: int) -> Path:
        return self.root / "offsets" / str(batch)

    def commits(self, batch: int) -> Path:
        return self.root / "commits" / str(batch)

    def stores(self) -> list[Path]:
        """Directories with state files, the first of partition 1 first."""
        found = {p.parent for p in self.root.glob("state/*/*/**/*") if layout.state_file(p.name)}
        return sorted(found, key=lambda p: (p.relative_to(self.root).parts[2] != "1", str(p)))

    def state(self, kind: str, *, newest: bool = True) -> Path:
        """The newest file of a kind that the next start may load, or the oldest."""
        found = [
            (file[0], p)
            for p in sorted(self.stores()[0].iterdir())
            if (file := layout.state_file(p.name)) and p.suffix == f".{kind}"
        ]
        usable = sorted((v, p) for v, p in found if v <= self.version)
        return usable[-1 if newest else 0][1]

    def table(self) -> Path:
        """The table that the newest usable snapshot needs."""
        from streamctl.checkpoint.formats.snapshot import parse_snapshot

        path = self.state("zip")
        with path.open("rb") as stream:
            return path.parent / "SSTs" / parse_snapshot(stream, name="").ssts[-1].stored_name

    @property
    def out(self) -> Path:
        if self.sink is not None:
            return self.sink / "_spark_metadata"
        return self.root.with_name(self.root.name + "-out") / "_spark_metadata"


@dataclasses.dataclass(frozen=True)
class Damage:
    """One kind.

    Attributes:
        fits: beginnings of the flavours it is for.
    """

    name: str
    what: str
    apply: Callable[[Place], object]
    fits: tuple[str, ...] = ("",)


def place(root: Path, *, sink: Path | None = None) -> Place:
    return Place(
        root=root,
        sink=sink,
        planned=max(layout.batch_ids(p.name for p in (root / "offsets").iterdir())),
        committed=max(layout.batch_ids(p.name for p in (root / "commits").iterdir())),
    )
