"""How plans, changes and the journal are drawn."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from streamctl.cli.checkpoint_views import size_text
from streamctl.cli.render import Facts, Line, Table, View
from streamctl.reports import as_json, iso

if TYPE_CHECKING:
    from streamctl.checkpoint.change.apply import ChangeReport
    from streamctl.checkpoint.change.history import JournalReport
    from streamctl.checkpoint.change.plan import Plan, Step


def change_view(report: "Plan | ChangeReport") -> View:
    """A plan, or what became of one."""
    from streamctl.checkpoint.change.apply import ChangeReport

    return _done(report) if isinstance(report, ChangeReport) else plan_view(report)


def _done(report: "ChangeReport") -> View:
    rows: list[tuple[str, object]] = [
        ("verdict", report.verdict),
        ("done", report.verb if report.entry else f"nothing to {report.verb}"),
        ("subject", report.subject),
        *_facts(report.facts),
        ("removed", size_text(report.removed_bytes)),
        ("entry", report.entry or "none"),
        ("way back", report.undo or "none"),
    ]
    return [Facts(rows=rows), *_tables(report.facts), *(Line(text=note) for note in report.notes)]


def plan_view(plan: "Plan") -> View:
    """What would be done, and what stands in its way."""
    rows: list[tuple[str, object]] = [
        ("verdict", plan.verdict),
        ("plan", f"{plan.verb}; nothing was changed"),
        ("subject", plan.subject),
        *_facts(plan.facts),
        ("removed", size_text(plan.size_bytes)),
        ("way back", "streamctl checkpoint undo" if plan.reversible else "none"),
    ]
    steps = Table(
        columns=("step", "place", "files", "size", "why"),
        rows=_steps(plan.steps),
        right=frozenset({2, 3}),
    )
    obstacles = Table(
        columns=("exit", "in the way", "remedy", "goes on with"),
        rows=[
            (int(o.exit_code), o.message, o.hint, f"--{o.code}" if o.overridable else "nothing")
            for o in plan.obstacles
        ],
        right=frozenset({0}),
    )
    return [
        Facts(rows=rows),
        *_tables(plan.facts),
        steps,
        obstacles,
        *(Line(text=note) for note in plan.notes),
    ]


def _steps(steps: "Sequence[Step]") -> list[tuple[object, ...]]:
    """One row for steps of one kind and reason; a rebuilt tree has one for each reason."""
    rows: list[tuple[object, ...]] = []
    alike: dict[tuple[str, str], list[Step]] = defaultdict(list)
    for step in steps:
        alike[step.kind.value, step.reason].append(step)
    for (kind, reason), group in alike.items():
        files = sum(max(1, len(step.removed)) for step in group)
        place = group[0].place if len(group) == 1 else f"{group[0].place} and {len(group) - 1} more"
        rows.append((kind, place, files, size_text(sum(s.size_bytes for s in group)), reason))
    return rows


_IN_TABLES = frozenset({"ranges", "starts", "open_state", "carried", "sink"})


def _facts(given: Any) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    facts = as_json(given)
    sink = {f"sink_{name}": value for name, value in facts.get("sink", {}).items()}
    for name, value in (facts | sink).items():
        if name not in _IN_TABLES and value not in (None, [], {}):
            words = name.replace("_", " ").removesuffix(" bytes")
            rows.append((words, size_text(value) if name.endswith("_bytes") else value))
    return rows


def _tables(given: Any) -> list[Table]:
    facts = as_json(given)
    ranges = [
        (
            item["topic"],
            item["partition"],
            item["start"],
            item["end"],
            item["records"],
            "unknown" if item["available_records"] is None else item["available_records"],
        )
        for item in facts.get("ranges", ())
    ]
    starts = [(item["topic"], item["partition"], item["start"]) for item in facts.get("starts", ())]
    open_state = [
        (
            item["query"],
            item["operator"],
            item.get("watermark") or "",  # a plan may be older
            "unknown" if item["keys"] is None else item["keys"],
        )
        for item in facts.get("open_state", ())
    ]
    return [
        Table(
            columns=("topic", "partition", "from", "up to", "records", "Kafka has"),
            rows=ranges,
            right=frozenset({1, 2, 3, 4, 5}),
        ),
        Table(columns=("topic", "partition", "begins at"), rows=starts, right=frozenset({1, 2})),
        Table(
            columns=("query", "open groups of", "after", "number"),
            rows=open_state,
            right=frozenset({3}),
        ),
    ]


def journal_view(report: "JournalReport") -> View:
    """One row an entry, the newest last."""
    rows = [
        (iso(line.at), line.verb, line.subject, line.who, line.why, line.entry[-8:])
        for line in report.entries
    ]
    return [Table(columns=("at", "what", "subject", "who", "why", "entry"), rows=rows)]
