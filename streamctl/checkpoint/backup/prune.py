"""Frees what no backup needs, so that dying in between loses nothing that one does.

Alone in the repository. In this order: manifests that go are removed; what the remaining ones need
of packs that are mostly waste is written to new packs with their indexes; only then the old packs
go, the pack after its index. Content that is there twice is harmless; a pack without an index was
never finished, and goes.
"""

from dataclasses import dataclass, field
from datetime import datetime

from streamctl.checkpoint.backup.format import Manifest
from streamctl.checkpoint.backup.locks import locked
from streamctl.checkpoint.backup.packs import Index, PackReader, PackWriter, read_index
from streamctl.checkpoint.backup.policy import Candidate, Choice, Policy, choose
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.tree.files import local_path
from streamctl.errors import Refused
from streamctl.reports import Event, OnEvent, Verdict

_WASTE = 0.3
"""Share of a pack's pieces that nobody needs, from which on it is written anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneReport:
    """What went, or would go.

    Attributes:
        choices: every backup, newest first.
        freed_bytes: of packs and indexes; None for a plan, which does not look at them.
    """

    verdict: Verdict
    repository: str
    dry_run: bool
    choices: list[Choice]
    removed_packs: int = 0
    rewritten_packs: int = 0
    freed_bytes: int | None = None
    unreadable: list[str] = field(default_factory=list)


def prune(
    repository: Repository,
    policy: Policy,
    *,
    now: datetime,
    dry_run: bool,
    on_event: OnEvent,
) -> PruneReport:
    """Forget backups by policy, and free their content.

    Raises:
        Refused: a manifest cannot be read, so that nobody knows what it needs.
        Busy: others work in the repository.
        StorageFailed: it cannot be read or written.
    """
    with locked(repository.store, what="backup prune", alone=not dry_run, now=now):
        held = dict(repository.manifests())
        unreadable = [name for name, manifest in held.items() if manifest is None]
        choices = choose(_candidates(repository, held), policy, now=now)
        report = PruneReport(
            verdict=Verdict.OK if not unreadable else Verdict.PROBLEM,
            repository=repository.store.url,
            dry_run=dry_run,
            choices=choices,
            unreadable=unreadable,
        )
        if dry_run:
            return report
        if unreadable:
            raise Refused(
                f"backup {unreadable[0]} cannot be read, so what it needs is not known",
                hint="Forget it by its id: `streamctl backup forget`, or mend the repository.",
            )
        for choice in choices:
            if not choice.stays:
                repository.forget(choice.id)
        needed = set[str]()
        for choice in choices:
            manifest = held[choice.id]
            if choice.stays and manifest is not None:
                needed |= manifest.pieces
        return _free(repository, report, needed, on_event)


def forget(repository: Repository, backup_id: str, *, at_least: int, now: datetime) -> None:
    """Forget one backup by its id; one that cannot be read counts for nothing.

    Args:
        repository: of the backup.
        backup_id: the whole id.
        at_least: so many of its location stay.
        now: UTC.

    Raises:
        Refused: it is marked to be kept, or too few would stay.
        Busy: others work in the repository.
    """
    with locked(repository.store, what="backup forget", alone=True, now=now):
        if repository.mark(backup_id).keep:
            raise Refused(
                f"backup {backup_id} is marked to be kept",
                hint="`streamctl backup keep --release` takes the mark away.",
            )
        there = _candidates(repository, dict(repository.manifests()))
        of = next((one.of for one in there if one.id == backup_id), None)
        if of is not None and sum(one.of == of for one in there) <= at_least:
            raise Refused(
                f"backup {backup_id} is one of the last {at_least} of its location, which stay",
                hint="Take another first, or set `backup.at_least`.",
            )
        repository.forget(backup_id)


def _candidates(repository: Repository, held: dict[str, Manifest | None]) -> list[Candidate]:
    found = []
    for name, manifest in held.items():
        if manifest is None:
            continue
        mark = repository.mark(name)
        found.append(
            Candidate(
                id=name,
                of=local_path(manifest.location) or manifest.location,
                at=datetime.fromisoformat(manifest.created_at),
                verified=bool(mark.verified_at),
                keep=mark.keep,
            )
        )
    return found


def _free(
    repository: Repository, report: PruneReport, needed: set[str], on_event: OnEvent
) -> PruneReport:
    store = repository.store
    index = read_index(store)
    packs: dict[str, list[str]] = {}
    for digest, place in index.items():
        packs.setdefault(place.pack, []).append(digest)
    names = store.names("packs")
    useless = {pack for pack, pieces in packs.items() if not needed & set(pieces)}
    wasteful = {
        pack
        for pack, pieces in packs.items()
        if pack not in useless and len(needed & set(pieces)) < (1 - _WASTE) * len(pieces)
    }
    before = _size(repository, names)
    for folder in ("packs", "manifests", "marks", "locks"):
        for name in store.names(folder):
            if name.endswith(".tmp"):  # of a killed command: nobody else works here now
                store.remove(f"{folder}/{name}")
    moving = sorted(
        (digest for pack in wasteful for digest in packs[pack] if digest in needed),
        key=lambda digest: (index[digest].pack, index[digest].offset),
    )
    written = _rewrite(repository, index, moving, on_event)
    for name in names:
        pack, _, kind = name.rpartition(".")
        without_index = kind == "pack" and f"{pack}.index" not in names
        if pack in written:
            continue  # content names a pack: an unfinished one may have been written again
        if pack in useless | wasteful or without_index:
            store.remove(f"packs/{pack}.index")
            store.remove(f"packs/{pack}.pack")
    return PruneReport(
        verdict=report.verdict,
        repository=report.repository,
        dry_run=False,
        choices=report.choices,
        removed_packs=len(useless),
        rewritten_packs=len(wasteful),
        freed_bytes=before - _size(repository, store.names("packs")),
    )


def _rewrite(
    repository: Repository, index: Index, moving: list[str], on_event: OnEvent
) -> set[str]:
    """Write pieces to new packs; return the names of these."""
    reader = PackReader(repository.store, index)
    fresh: Index = {}
    with PackWriter(repository.store, fresh) as writer:
        for number, digest in enumerate(moving):
            writer.add(reader.piece(digest))
            if number % 256 == 0:
                on_event(Event(message="rewriting packs", done=number, total=len(moving)))
        writer.finish()
    return {place.pack for place in fresh.values()}


def _size(repository: Repository, names: list[str]) -> int:
    return sum(repository.store.size(f"packs/{name}") for name in names)
