"""How experiments and their verdicts are shown."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamctl.chaos.verdict import CLOSING, WORDS, Judgement
from streamctl.cli.render import Facts, Line, Table, View
from streamctl.reports import Verdict

if TYPE_CHECKING:
    from streamctl.chaos.campaign import Campaign, NotRun
    from streamctl.chaos.cleanup import Cleaned
    from streamctl.chaos.target import BlastRadius


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One experiment.

    Attributes:
        run_by: the flags that run it too; `name` where only its name does.
    """

    name: str
    title: str
    tags: list[str]
    run_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The experiments that ship."""

    experiments: list[Listed]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbListed:
    """One probe or action.

    Attributes:
        part: what an action is to the fault: `fault`, `strike`, `lift` or `aside`.
    """

    name: str
    role: str
    part: str
    undo: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbs:
    """The probes and actions that experiments may name."""

    verbs: list[VerbListed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Verdicts of one campaign, made anew from the evidence.

    Attributes:
        not_run: experiments that left none.
    """

    id: str
    verdict: Verdict
    judgements: list[Judgement]
    not_run: "list[NotRun]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A report that was written."""

    verdict: Verdict
    file: Path


def listing(report: Listing) -> View:
    """A table by group."""
    rows = [(each.name, each.tags[0], each.run_by, each.title) for each in report.experiments]
    return [Table(columns=("experiment", "group", "run by", "what happens"), rows=rows)]


def verbs(report: Verbs) -> View:
    """A table."""
    rows = [(v.name, v.role, _part(v), v.undo, v.help) for v in report.verbs]
    columns = ("verb", "is", "part", "undone by", "what it does")
    return [Table(columns=columns, rows=rows)]


def _part(verb: VerbListed) -> str:
    return verb.part if verb.role == "action" else ""


def campaign(report: "Campaign") -> View:
    """One line an experiment, then what is wrong, then the closing line."""
    return [
        _table(report.judgements),
        *_degraded(report.judgements),
        *_wrong(report.judgements),
        *_not_run(report.not_run),
        Facts(
            rows=[
                ("verdict", report.verdict),
                ("seed", None if report.seed is None else str(report.seed)),
                ("seconds", report.seconds),
                ("evidence", report.directory),
            ]
        ),
        _closing(report.verdict),
    ]


def campaign_or_radius(report: "Campaign | BlastRadius") -> View:
    """What came of it, or what could be harmed."""
    from streamctl.chaos.campaign import Campaign

    if isinstance(report, Campaign):
        return campaign(report)
    return [Line(text=line) for line in radius_lines(report)]


def radius_lines(radius: "BlastRadius") -> list[str]:
    """What can be harmed, and by what."""
    processes = ", ".join(map(str, radius.processes))
    return [
        f"job         {radius.job}, processes {processes}",
        f"stands still  {', '.join(radius.queries)}",
        f"reads       {', '.join(radius.topics)} at {radius.bootstrap_servers}",
        f"writes      {radius.checkpoint_location}",
        *(f"  {step}" for step in radius.steps),
    ]


def shown(report: Shown) -> View:
    """Every invariant of every experiment."""
    blocks: list[Facts | Table | Line] = [_table(report.judgements)]
    for judgement in report.judgements:
        rows = [(each.name, each.verdict, each.detail) for each in judgement.invariants]
        columns = ("invariant", "verdict", "what was seen")
        blocks.append(Table(title=judgement.experiment, columns=columns, rows=rows))
        blocks += _degraded([judgement])
        blocks += [Line(text=f"  {example}") for example in judgement.examples]
    return [*blocks, *_not_run(report.not_run), _closing(report.verdict)]


def written(report: Written) -> View:
    """The path."""
    return [Line(text=str(report.file))]


def cleaned(report: "Cleaned") -> View:
    """What was taken away, what is being run, and what is still to be changed back."""
    names = ", ".join(report.campaigns)
    return [
        Line(text=f"cleaned up: {names}" if names else "nothing was left"),
        *(Line(text=f"left alone: {line}") for line in report.running),
        *(Line(text=f"NOT changed back: {line}") for line in report.left),
    ]


def _table(judgements: list[Judgement]) -> Table:
    rows = []
    for each in judgements:
        counts = each.counts
        wrong = (counts.lost, counts.duplicated) if counts else ("?", "?")
        noticed = f"{each.detected_by} {each.detected_seconds:.1f} s" if each.detected_by else ""
        back = "" if each.caught_up_seconds is None else f"{each.caught_up_seconds:.1f} s"
        rows.append((each.experiment, each.verdict, noticed, back, *wrong))
    return Table(
        columns=("experiment", "verdict", "noticed", "recovered", "lost", "doubled"),
        rows=rows,
        right=frozenset({3, 4, 5}),
    )


def _degraded(judgements: list[Judgement]) -> list[Line]:
    """How each was worse than before, one line each."""
    return [
        Line(text=f"{judgement.experiment}: degraded: {judgement.degraded or 'not known'}")
        for judgement in judgements
    ]


def _not_run(not_run: "list[NotRun]") -> list[Line]:
    return [
        Line(text=f"{each.experiment} has no verdict: {each.reason}. {each.hint}".rstrip())
        for each in not_run
    ]


def _wrong(judgements: list[Judgement]) -> list[Line]:
    """What is not ok, one line each."""
    return [
        Line(text=f"{judgement.experiment}: {WORDS[each.verdict]}: {each.name}: {each.detail}")
        for judgement in judgements
        for each in judgement.invariants
        if each.verdict is not Verdict.OK
    ]


def _closing(verdict: Verdict) -> Line:
    return Line(text=CLOSING[verdict])
