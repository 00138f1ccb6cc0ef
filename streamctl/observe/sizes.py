"""How large a checkpoint is, by what its files are for."""

from dataclasses import dataclass

from streamctl.checkpoint.tree import layout
from streamctl.checkpoint.tree.files import Files

_KINDS = {layout.OFFSETS, layout.COMMITS, layout.STATE, layout.SOURCES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Files of one kind.

    Attributes:
        kind: offsets, commits, state, sources or other.
        size_bytes: without Hadoop's sidecars, which are 12 bytes and more each.
    """

    kind: str
    files: int
    size_bytes: int


def measure_size(location: str) -> list[Usage]:
    """Count one query's checkpoint, directory by directory. The job may be running.

    Args:
        location: of the query's checkpoint.

    Raises:
        StreamctlError: the store refuses or fails.
    """
    files = Files(location)
    totals: dict[str, list[int]] = {}
    _add(files, "", totals)
    return [
        Usage(kind=kind, files=count, size_bytes=size)
        for kind, (count, size) in sorted(totals.items())
    ]


def _add(files: Files, path: str, totals: dict[str, list[int]]) -> None:
    try:
        entries = files.entries(path)
    except (FileNotFoundError, NotADirectoryError):
        return  # purged while we walked
    top = path.partition("/")[0]
    row = totals.setdefault(top if top in _KINDS else "other", [0, 0])
    for entry in entries:
        if entry.is_directory:
            _add(files, f"{path}/{entry.name}" if path else entry.name, totals)
        else:
            row[0] += 1
            row[1] += entry.size_bytes
