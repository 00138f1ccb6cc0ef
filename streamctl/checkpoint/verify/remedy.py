"""The way out of a finding, as commands that can be pasted as they are.

The remedies of `kinds.toml` have fields for commands. They are filled when everything was looked
at: only then it is known what lies beside a file, and how far back one can go. A command names the
checkpoint that was verified, or else it would be done to the job of the project one stands in.
"""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from streamctl.checkpoint.formats import filelog
from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files, Unreadable, local_path
from streamctl.checkpoint.tree.state import Operator, rebuildable
from streamctl.checkpoint.verify.findings import RESTORE, Finding
from streamctl.checkpoint.verify.logs import Logs


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a command has to name so that it acts on what was verified.

    Attributes:
        path: as it was asked for; "" for the job's own location.
        query: which one, where the location has several.
        sink: output of its file sink, where that was named.
        backups: repository of the path's backups; "" for the one of the settings.
        context: named context of the settings; "" for the default.
    """

    path: str = ""
    query: str = ""
    sink: str = ""
    backups: str = ""
    context: str = ""

    def commands(self, *, batch: object = None) -> dict[str, str]:
        """Each field of a remedy that is a command of ours.

        Args:
            batch: to which a rewind would go; without it there is none.
        """
        here, query, sink = [self.path], ["--query", self.query], ["--sink", self.sink]
        new = f"{self.path.rstrip('/')}{self.query and '.'}{self.query}.restored"
        if local_path(new) is None:  # nothing is restored to an object store
            new = new.rpartition("/")[2]
        place = ["--from", self.backups, "--to", new, *query] if self.path else []
        of_place = ["--set", f"checkpoint.location={self.path}"] if self.path else []
        anew = ["clear", *here, *sink] if self.path else ["rotate", "--from", "earliest"]
        found = {
            "backup": self._command("checkpoint", "backup", *here, *query, *sink),
            "restore": self._command("checkpoint", "restore", *place),
            "rotate": self._command("checkpoint", "rotate", *here, *sink),
            "drain": self._command("checkpoint", "rotate", "--drain", *of_place),
            "anew": self._command("checkpoint", *anew),
            "inspect": self._command("checkpoint", "inspect", *here, *query),
            "history": self._command("checkpoint", "history", *here, *query),
            "verify": self._command("checkpoint", "verify", *here, *query),
            "journal": self._command("checkpoint", "journal", *here),
            "lag": self._command("lag", "--checkpoint", *here, *query),
        }
        if batch is not None:
            to_batch = ("--to-batch", str(batch))
            rewind = self._command("checkpoint", "rewind", *here, *to_batch, *query, *sink)
            found["rewind"] = rewind
        return found

    def _command(self, *words: str) -> str:
        """Without what is not given: an empty argument, or an option with an empty value."""
        given = [*words, "--context", self.context]
        kept = []
        for word, value in zip(given, [*given[1:], "-"], strict=True):
            if word and (value or not word.startswith("--")):
                kept.append(word)
        return shlex.join(["streamctl", *kept])


def fill(remedy: str, fields: Mapping[str, str]) -> str:
    """A remedy with its commands. Where none can go back, what is left is to restore."""
    if "{rewind}" in remedy and "rewind" not in fields:
        remedy = RESTORE
    return remedy.format_map(fields)


def in_general(remedy: str) -> str:
    """A remedy of no checkpoint in particular."""
    of_file = {"remove": "rm FILE", "move": "mv FILE ~/", "checkpoint": "PATH"}
    return fill(remedy, Aim().commands(batch="BATCH") | of_file)


def complete(
    found: Sequence[Finding],
    files: Files,
    aim: Callable[[], Aim],
    *,
    output: Files | None,
    newest_sound: Callable[[], int | None],
) -> list[Finding]:
    """Findings whose hints are commands.

    Args:
        found: by `finding`.
        files: the checkpoint's door.
        aim: what was verified.
        output: door to the file sink's output.
        newest_sound: the batch to which a rewind would go; asked where one would help.
    """
    if not found:
        return []
    batch = newest_sound() if any("{rewind}" in item.hint for item in found) else None
    commands = aim().commands(batch=batch) | {"checkpoint": shlex.quote(_full(files, ""))}
    done = []
    for item in found:
        fields = commands
        if "{remove}" in item.hint or "{move}" in item.hint:
            in_sink = output is not None and item.path.startswith(f"{layout.SINK_LOG}/")
            fields = commands | _on_files(output if in_sink and output else files, item.path)
        done.append(replace(item, hint=fill(item.hint, fields)))
    return done


def _on_files(files: Files, path: str) -> dict[str, str]:
    """What takes a file away, with its checksums: Spark takes one without its file for another."""
    folder, _, name = path.rpartition("/")
    try:
        there = {entry.name: entry for entry in files.entries(folder, details=False)}
    except (FileNotFoundError, Unreadable):
        there = {}
    names = [name, *(other for other in layout.sidecars(name) if other in there)]
    paths = [_full(files, layout.join(folder, one)) for one in names]
    is_directory = name in there and there[name].is_directory
    return {
        "remove": shlex.join(["rm", *(["-r"] if is_directory else []), *paths]),
        "move": f"{shlex.join(['mv', *paths])} ~/",
    }


def _full(files: Files, path: str) -> str:
    if files.is_local:
        return files.path(path)
    return layout.join(files.location.rstrip("/"), path)


def newest_sound(logs: Logs, operators: Iterable[Operator], found: Iterable[Finding]) -> int | None:
    """The newest batch that a rewind may go to, by names alone: it verifies what it plans.

    Args:
        logs: of the look.
        operators: likewise; empty without state.
        found: what is damaged.
    """
    damaged = {item.path for item in found if item.code != "commit-behind"}
    batches = {
        batch
        for batch in set(logs.planned) & set(logs.committed)
        if not damaged & {f"{layout.OFFSETS}/{batch}", f"{layout.COMMITS}/{batch}"}
    }
    for store in (store for operator in operators for store in operator.stores):
        whole = tuple(
            file
            for file in store.files
            if file.size_bytes > 0 and layout.join(store.path, file.name) not in damaged
        )
        versions = rebuildable(replace(store, files=whole))
        batches &= {version - 1 for version in versions}
    for item in found:
        if item.code == "sink-behind":
            logged = filelog.log_batch(item.path.rpartition("/")[2])
            batches = {batch for batch in batches if logged and batch <= logged[0]}
    return max(batches, default=None)
