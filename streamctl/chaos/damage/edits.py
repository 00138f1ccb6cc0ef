"""What damage is made of: files that are dropped, overwritten, cut, and edited.

Edits drop the file's Hadoop checksum, as an operator's editor on another host would, unless told
that it stays.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamctl.chaos.damage.model import Place
from streamctl.checkpoint.tree import layout

TEMPORARY = "0f0e0d0c-0000-1111-2222-333344445555.tmp"
"""End of the name of a file that a writer did not finish."""


def drop(path: Path, *, keep_sidecar: bool = False) -> None:
    if path.is_dir():
        shutil.rmtree(path)
        return
    path.unlink(missing_ok=True)  # a list may name a file and its sidecar
    for name in () if keep_sidecar else layout.sidecars(path.name):
        path.with_name(name).unlink(missing_ok=True)


def write(path: Path, data: bytes, *, keep_sidecar: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if not keep_sidecar:
        path.with_name(layout.hadoop_sidecar(path.name)).unlink(missing_ok=True)


def edit(path: Path, change: Callable[[bytes], bytes], *, keep_sidecar: bool = False) -> None:
    write(path, change(path.read_bytes()), keep_sidecar=keep_sidecar)


def metadata_of(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    def lines(data: bytes) -> bytes:
        rows = data.split(b"\n")
        fields = json.loads(rows[1])
        change(fields)
        rows[1] = json.dumps(fields, separators=(",", ":")).encode()
        return b"\n".join(rows)

    edit(path, lines)


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip(data: bytes, at: float = 0.5) -> bytes:
    n = int(len(data) * at)
    return data[:n] + bytes([data[n] ^ 0x10]) + data[n + 1 :]


def last_line(data: bytes, line: bytes | None) -> bytes:
    rows = data.split(b"\n")[:-1]
    return b"\n".join(rows if line is None else [*rows, line])


def renumber(data: bytes, add: int) -> bytes:
    """Move the last source's offset, whichever number it is; of Kafka's, the first partition's."""
    text = data.split(b"\n")[-1]
    value = json.loads(text)
    if isinstance(value, dict) and all(isinstance(part, dict) for part in value.values()):
        partitions = next(iter(value.values()))
        partitions["0"] = max(0, partitions["0"] + add)
        return last_line(data, json.dumps(value, separators=(",", ":")).encode())
    key = next((k for k in ("offset", "logOffset") if isinstance(value, dict) and k in value), None)
    if key is None:
        return last_line(data, str(value + add).encode())
    value[key] = max(0, value[key] + add)
    return last_line(data, json.dumps(value, separators=(",", ":")).encode())


def without_partition(data: bytes) -> bytes:
    """Forget the first partition of a Kafka source."""
    value = json.loads(data.split(b"\n")[-1])
    next(iter(value.values())).pop("0")
    return last_line(data, json.dumps(value, separators=(",", ":")).encode())


def rewind(at: Place, by: int, *, state: bool) -> None:
    for batch in range(at.committed - by + 1, at.planned + 1):
        drop(at.offsets(batch))
        if at.commits(batch).exists():
            drop(at.commits(batch))
    for path in [p for s in at.stores() for p in s.iterdir()] if state else []:
        found = layout.state_file(path.name)
        if found and found[0] > at.committed - by + 1:
            drop(path)


def each(paths: list[Path]) -> None:
    for path in paths:
        drop(path)
