"""How backups are shown to a person."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from streamctl.cli.render import Facts, Line, Table, View
from streamctl.reports import Verdict, iso, worst

if TYPE_CHECKING:
    from streamctl.checkpoint.backup.check import CheckReport
    from streamctl.checkpoint.backup.format import Manifest, Mark
    from streamctl.checkpoint.backup.prune import PruneReport
    from streamctl.checkpoint.backup.restore import Restored
    from streamctl.checkpoint.backup.schedule import Round
    from streamctl.checkpoint.backup.take import Taken
    from streamctl.lifecycle.drill import Drill

_SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One backup.

    Attributes:
        batches: query -> newest batch.
        size_bytes: of the files as they were; None when the manifest cannot be read.
        verified_at: empty when it was never found whole.
    """

    id: str
    created_at: str
    location: str
    batches: dict[str, int]
    size_bytes: int | None
    verified_at: str
    keep: bool
    readable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All backups of a repository."""

    repository: str
    backups: list[Listed] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """A problem when a manifest cannot be read."""
        return worst(Verdict.OK if item.readable else Verdict.PROBLEM for item in self.backups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One backup."""

    manifest: "Manifest"
    mark: "Mark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What became of a backup or a lock."""

    id: str
    what: str


def taken(report: "Taken") -> View:
    """A backup that was taken."""
    facts: list[tuple[str, object]] = [
        ("repository", report.repository),
        ("files", f"{report.files:,}, {_size(report.size_bytes)}"),
        ("read", f"{report.read_files:,}, {_size(report.read_bytes)}"),
        ("stored", _size(report.stored_bytes)),
    ]
    if report.repins:
        facts.append(("pinned anew", f"{report.repins} times: the query purged faster"))
    queries = Table(
        columns=("query", "batch", "files", "lag if restored"),
        rows=[(q.name, q.batch_id, q.files, q.lag_records) for q in report.queries],
        right=frozenset({1, 2, 3}),
    )
    head = Line(text=f"backup {report.id} ({report.seconds:.1f} s)")
    return [head, Facts(rows=facts), queries]


def listing(report: Listing) -> View:
    """All of them."""
    rows = [
        (
            item.id,
            " ".join(f"{name}:{batch}" if name else str(batch) for name, batch in _some(item)),
            _size(item.size_bytes) if item.size_bytes is not None else "cannot be read",
            "verified" if item.verified_at else "",
            "kept" if item.keep else "",
        )
        for item in report.backups
    ]
    return [Table(columns=("backup", "batch", "size", "", ""), rows=rows, right=frozenset({2}))]


def _some(item: Listed) -> list[tuple[str, int]]:
    return sorted(item.batches.items())


def shown(report: Shown) -> View:
    """What it holds."""
    manifest, mark = report.manifest, report.mark
    facts: list[tuple[str, object]] = [
        ("backup", manifest.id),
        ("taken", f"{manifest.created_at} on {manifest.host} by streamctl {manifest.written_by}"),
        ("of", manifest.location),
        ("Spark", manifest.spark_version or "not known"),
        ("size", _size(manifest.size_bytes)),
        ("verified", mark.verified_at or "never"),
        ("drilled", mark.drilled_at or "never"),
    ]
    for query in manifest.queries:
        name = query.name or query.location
        at = datetime.fromtimestamp(query.planned_at_ms / 1000, UTC)
        facts.append((name, f"batch {query.batch_id}, planned {iso(at)}, {len(query.files)} files"))
        lag = "not known" if query.lag_records is None else f"{query.lag_records:,} records"
        facts.append(("", f"lag if restored when it was taken: {lag}"))
        for topic, partitions in query.offsets.items():
            told = " ".join(f"{p}:{offset}" for p, offset in list(partitions.items())[:8])
            facts.append(("", f"goes on from {topic} {told}"))
    return [Facts(rows=facts)]


def checked(report: "CheckReport") -> View:
    """Verdicts, then what is wrong."""
    how = "every byte was read" if report.read_data else "content was not read: see --read-data"
    table = Table(
        columns=("backup", "verdict", "files", "size"),
        rows=[(b.id, b.verdict, b.files, _size(b.size_bytes)) for b in report.backups],
        right=frozenset({2, 3}),
    )
    problems = [*report.problems, *(text for b in report.backups for text in b.problems)]
    return [
        Facts(rows=[("verdict", report.verdict), ("looked at", how)]),
        table,
        *(Line(text=text) for text in problems[:_SHOWN_PROBLEMS]),
    ]


def pruned(report: "PruneReport") -> View:
    """Each backup with its reason, then what was freed."""
    table = Table(
        columns=("backup", "", "why"),
        rows=[(c.id, "stays" if c.stays else "goes", ", ".join(c.reasons)) for c in report.choices],
    )
    if report.dry_run:
        return [table, Line(text="nothing was changed")]
    packs = f"{report.removed_packs} packs removed, {report.rewritten_packs} written anew"
    return [table, Line(text=f"{_size(report.freed_bytes or 0)} freed: {packs}")]


def changed(report: Changed) -> View:
    """One line."""
    return [Line(text=f"{report.id} {report.what}".strip())]


def drilled(report: "Drill") -> View:
    """Whether the job would go on from the backup."""
    facts: list[tuple[str, object]] = [
        ("verdict", report.verdict),
        ("backup", report.id),
        ("took", f"{report.seconds:.0f} s"),
    ]
    if report.failure:
        facts.append(("failed", f"{report.failure.condition}: {report.failure.message}"))
        facts.append(("remedy", report.failure.hint))
    table = Table(
        columns=("query", "verdict", "backup's batch", "batch run", "records"),
        rows=[
            (
                query.name,
                query.verdict,
                query.backup_batch_id,
                "none: nothing to read" if query.batch_id is None else query.batch_id,
                query.records,
            )
            for query in report.queries
        ],
        right=frozenset({2, 3, 4}),
    )
    return [Facts(rows=facts), table]


def round_made(report: "Round") -> View:
    """One line for each round of the schedule."""
    at = iso(report.at)
    if report.problem:
        return [Line(text=f"{at} failed: {report.problem}")]
    batches = ", ".join(f"{name} {batch}" for name, batch in report.batches.items())
    gone = f", {len(report.pruned)} older ones pruned" if report.pruned else ""
    stored = _size(report.stored_bytes)
    return [Line(text=f"{at} {report.id}: batches {batches}; {stored} stored, verified{gone}")]


def restored(report: "Restored") -> View:
    """Where it lies, and where it goes on."""
    return [
        Facts(
            rows=[
                ("restored", report.query or "the checkpoint"),
                ("to", report.location),
                ("backup", report.id),
                ("files", f"{report.files:,}, {_size(report.size_bytes)}"),
                ("goes on", f"after batch {report.batch_id}"),
                ("paths changed", report.rewritten),
            ]
        )
    ]


def _size(count: int) -> str:
    if count < 10_240:  # noqa: PLR2004
        return f"{count:,} B"
    return f"{count / 1024:,.0f} KiB" if count < 10 << 20 else f"{count / 2**20:,.1f} MiB"
