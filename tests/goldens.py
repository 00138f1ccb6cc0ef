"""The golden checkpoints: made by real Spark (`scripts/golden`), unpacked once a run."""

import functools
import json
import tarfile
import tempfile
from pathlib import Path

DATA = Path(__file__).parent / "data" / "golden"
VERSIONS = sorted(path.name[6:-7] for path in DATA.glob("spark-*.tar.xz"))
_HELD: list[tempfile.TemporaryDirectory[str]] = []


@functools.cache
def unpacked(version: str) -> Path:
    """The directory of one Spark version's checkpoints, as if they had been written there."""
    place = _unpack(version)
    for root in place.iterdir():
        relocate(root, was=made_at(version, root.name))
    return place


def _unpack(version: str) -> Path:
    place = tempfile.TemporaryDirectory(prefix="golden-")
    _HELD.append(place)
    with tarfile.open(DATA / f"spark-{version}.tar.xz") as archive:
        archive.extractall(place.name, **_SAFE)  # noqa: S202 - our own archive
    return Path(place.name)


@functools.cache
def pristine(version: str) -> Path:
    """The same, byte for byte: some files name the place where they were made."""
    return _unpack(version)


def made_at(version: str, name: str) -> Path:
    """Where `scripts/golden` had the checkpoint."""
    return Path("/tmp/streamctl-golden") / version.removesuffix("-kafka") / name  # noqa: S108


def relocate(root: Path, *, was: Path) -> None:
    """Let operator metadata of version 2 name the schema files here."""
    for path in root.glob("state/*/_metadata/v2/*"):
        if path.is_file() and f"file:{was}/".encode() in (data := path.read_bytes()):
            path.write_bytes(data.replace(f"file:{was}/".encode(), f"file:{root}/".encode()))
            path.with_name(f".{path.name}.crc").unlink(missing_ok=True)


@functools.cache
def expected(version: str) -> dict[str, dict]:
    """What Spark itself said of each checkpoint."""
    with tarfile.open(DATA / f"spark-{version}.tar.xz") as archive:
        return json.load(archive.extractfile("expected.json"))


def cases() -> list[tuple[str, str]]:
    """Every (Spark version, flavour)."""
    return [(version, name) for version in VERSIONS for name in expected(version)]


# Python 3.11.2, which some distributions ship, has no filters yet; the archive is our own.
_SAFE = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


def golden(version: str, name: str) -> Path:
    """One checkpoint. Do not change it: copy it first."""
    return unpacked(version) / name
