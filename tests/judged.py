"""What real Spark did with the corpus, what `verify` says of it, and the table of both."""

import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from streamctl.chaos import damage
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.kinds import Effect
from streamctl.checkpoint.verify.verify import Level, VerifyReport, verify
from tests.goldens import made_at, pristine, relocate
from tests.remedies import untypable

SPARK = "4.2.0"
_DATA = Path(__file__).parent / "data"
_BY_NAME = {item.name: item for item in damage.CORPUS}
_WORDS = {
    "starts": "starts",
    "fails": "fails",
    "starts_wrong": "starts, is wrong",
    "unknown": "cannot be told",
}


@functools.cache
def corpus() -> list[dict[str, str]]:
    """One row per (flavour, damage) that Spark was started on."""
    wanted = {(flavour, item.name) for flavour, item in damage.cases()}
    rows = json.loads((_DATA / "judged.json").read_text())
    return [row for row in rows if (row["flavour"], row["damage"]) in wanted]


@functools.cache
def mutants() -> list[dict[str, str]]:
    """One row per random mutant that Spark was started on."""
    return json.loads((_DATA / "mutants-judged.json").read_text())


def verified(
    flavour: str, apply: Callable[[damage.Place], object], *, level: Level = Level.FAST
) -> VerifyReport:
    """Damage a copy, with its output directory beside it, and verify it.

    Raises:
        AssertionError: a remedy cannot be typed as it stands.
    """
    with tempfile.TemporaryDirectory() as scratch:
        version = f"{SPARK}-kafka" if "kafka" in flavour else SPARK
        root, source = Path(scratch) / flavour, pristine(version)
        shutil.copytree(source / flavour, root)
        sink = root.with_name(f"{flavour}-out")
        if (source / sink.name).is_dir():
            shutil.copytree(source / sink.name, sink)
        apply(damage.place(root))
        relocate(root, was=made_at(version, flavour))
        found = verify(
            Checkpoint.open(str(root)),
            level=level,
            sink=str(sink) if sink.is_dir() else "",
            sleep=lambda _: None,
        )
        assert not (wrong := untypable(found.findings)), wrong
        return found


@functools.cache
def report(flavour: str, name: str) -> VerifyReport:
    """`verify` on one kind of damage."""
    return verified(flavour, _BY_NAME[name].apply)


def table() -> str:
    """The corpus in Markdown: one line per kind and outcome."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for row in corpus():
        said = report(row["flavour"], row["damage"])
        codes = sorted({f.code for f in said.findings})
        key = (
            row["damage"],
            _BY_NAME[row["damage"]].what,
            _WORDS[row["spark"]] + (f": `{row['condition']}`" if row["condition"] else ""),
            _WORDS[said.forecast.value] + (f": {', '.join(codes)}" if codes else ""),
        )
        groups.setdefault(key, []).append(row["flavour"])
    order = list(_BY_NAME)
    lines = [
        f"| {name} | {what} | {', '.join(flavours)} | {spark} | {ours} |"
        for (name, what, spark, ours), flavours in sorted(
            groups.items(), key=lambda item: (order.index(item[0][0]), item[0])
        )
    ]
    return "\n".join([*_head(), *lines, ""])


def _head() -> list[str]:
    rows = corpus()
    told = [row for row in rows if _forecast(row) is not Effect.UNKNOWN]
    right = sum(_forecast(row) is Effect(row["spark"]) for row in told)
    return [
        "# What damage does to a checkpoint",
        "",
        "Made by the tests; do not edit. `scripts/judge` starts real Spark on each.",
        "",
        (
            f"- {len({row['damage'] for row in rows})} kinds of damage on "
            f"{len({row['flavour'] for row in rows})} checkpoints: {len(rows)} starts of "
            f"Spark {SPARK}."
        ),
        (
            f"- `verify` foretold {len(told)} of them, {right} rightly; of the others it says that "
            "the effect cannot be told."
        ),
        (
            "- Where it foretold worse than Spark did, the judge's source gives a batch the "
            "same rows every time, Kafka does not."
        ),
        "",
        "| damage | what was done | checkpoints | Spark | `verify` |",
        "|---|---|---|---|---|",
    ]


def _forecast(row: dict[str, str]) -> Effect:
    return report(row["flavour"], row["damage"]).forecast
