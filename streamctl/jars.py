"""The jars of the Kafka broker and of Spark's Kafka connector, fetched once into a cache.

Ivy, which lies among pyspark's own jars, resolves and downloads: no Maven is needed. Its answer
is written down in a small manifest, so that later calls only look whether the files are still
whole. Ivy downloads beside and renames after the checksum was right, so a half download is
never seen; the manifest is written the same way, last.
"""

import fcntl
import importlib.util
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

from streamctl.errors import ConnectorNotFound, JarsUnavailable, Unsupported
from streamctl.java import Java, find_java
from streamctl.reports import Event, OnEvent, ignore

KAFKA_VERSION = "4.3.1"
_SCALA = "2.13"
_LOG4J_VERSION = "2.25.4"  # the one that this Kafka asks for: its jars bring no slf4j binding
_SETTINGS = """<ivysettings>
  <settings defaultResolver="central"/>
  <resolvers><ibiblio name="central" m2compatible="true"/></resolvers>
</ivysettings>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JarSet:
    """Jars that belong together.

    Attributes:
        name: of the manifest, for instance "kafka-4.3.1".
        coordinates: Maven's `organisation:module:version`, each with all it needs to run; with a
            fourth part, a classifier, that one jar alone.
        without: modules that are there already, of whatever organisation.
    """

    name: str
    coordinates: tuple[str, ...]
    without: tuple[str, ...] = field(default=())


def broker_jars(
    *, cache: Path | None = None, java: Java | None = None, on_event: OnEvent = ignore
) -> list[Path]:
    """Return the class path of an Apache Kafka broker, downloaded on the first call.

    Raises: as `resolve`.
    """
    wanted = JarSet(
        name=f"kafka-{KAFKA_VERSION}",
        coordinates=(
            f"org.apache.kafka:kafka_{_SCALA}:{KAFKA_VERSION}",
            f"org.apache.logging.log4j:log4j-slf4j-impl:{_LOG4J_VERSION}",
        ),
    )
    return resolve(wanted, cache=cache, java=java, on_event=on_event)


def connector_jars(
    *, cache: Path | None = None, java: Java | None = None, on_event: OnEvent = ignore
) -> list[Path]:
    """Return the jars that Spark needs to read Kafka, without those that pyspark brings.

    They go onto the driver's class path, and on a cluster into `spark.jars` too; the version
    follows the installed pyspark.

    Raises:
        ConnectorNotFound: nobody published a connector for this version of Spark.
        (and as `resolve`)
    """
    try:
        return resolve(_connector(), cache=cache, java=java, on_event=on_event)
    except _NotPublished as error:
        raise ConnectorNotFound(
            f"no Kafka connector is published for Spark {spark_version()}",
            hint="Install a version of pyspark that has one: `pip install pyspark==4.2.0`.",
        ) from error


def connector_at_hand(*, cache: Path | None = None) -> list[Path]:
    """Return the same jars where they were fetched before; none otherwise."""
    wanted = _connector()
    return _read_manifest(_manifest(wanted, cache), wanted) or []


def _connector() -> JarSet:
    spark = spark_version()
    return JarSet(
        name=f"connector-{spark}",
        coordinates=(f"org.apache.spark:spark-sql-kafka-0-10_{_SCALA}:{spark}",),
        without=tuple(_modules_of_pyspark()),
    )


def spark_test_jars(
    *, cache: Path | None = None, java: Java | None = None, on_event: OnEvent = ignore
) -> list[Path]:
    """Return the jar of Spark SQL's own tests, which can let writes of a checkpoint fail.

    Raises: as `resolve`.
    """
    spark = spark_version()
    wanted = JarSet(
        name=f"spark-sql-tests-{spark}",
        coordinates=(f"org.apache.spark:spark-sql_{_SCALA}:{spark}:tests",),
    )
    return resolve(wanted, cache=cache, java=java, on_event=on_event)


def resolve(
    wanted: JarSet,
    *,
    cache: Path | None = None,
    java: Java | None = None,
    on_event: OnEvent = ignore,
) -> list[Path]:
    """Return the local paths of a set of jars, sorted by name; download what is missing.

    Safe to call from several processes at once: one downloads, the others wait for it.

    Args:
        wanted: what to fetch.
        cache: directory of the jars and manifests; `cache_directory()` if None.
        java: runs Ivy; looked for only when something must be downloaded.
        on_event: hears of each module found and each jar downloaded.

    Raises:
        JavaNotFound: a download is needed and no Java 17 or 21 is there.
        JarsUnavailable: a download failed, or a coordinate is not published.
        Unsupported: pyspark is not installed, or brings no Ivy.
    """
    manifest = _manifest(wanted, cache)
    folder = manifest.parent
    known = _read_manifest(manifest, wanted)
    if known is not None:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / ".lock", on_event):
        known = _read_manifest(manifest, wanted)
        if known is not None:
            return known
        _remove_damaged(manifest)
        jars = _run_ivy(wanted, folder=folder, java=java or find_java(), on_event=on_event)
        _write_manifest(manifest, wanted, jars)
    return jars


def cache_directory(environ: Mapping[str, str] | None = None) -> Path:
    """Return where this user's downloads lie: STREAMCTL_CACHE, or XDG's cache for `streamctl`."""
    environment = os.environ if environ is None else environ
    if environment.get("STREAMCTL_CACHE"):
        return Path(environment["STREAMCTL_CACHE"]).expanduser().absolute()
    base = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "streamctl"


def pyspark_directory() -> Path:
    """Return the folder of the installed pyspark, without importing it.

    Raises:
        Unsupported: pyspark is not installed in this environment.
    """
    found = importlib.util.find_spec("pyspark")
    if found is None or found.origin is None:
        raise Unsupported("pyspark is not installed", hint="Run `pip install pyspark==4.2.0`.")
    return Path(found.origin).parent


def spark_version() -> str:
    """Return the version of the installed pyspark, from its `version.py`, without importing it.

    Raises:
        Unsupported: pyspark is not installed, or does not tell its version.
    """
    text = (pyspark_directory() / "version.py").read_text("utf-8")
    match = re.search(r"""^__version__[^=]*=\s*["']([^"']+)["']""", text, re.MULTILINE)
    if match is None:
        raise Unsupported("the installed pyspark does not tell its version")
    return match[1]


class _NotPublished(JarsUnavailable):
    """The repositories answered, and do not have it."""


def _modules_of_pyspark() -> Iterator[str]:
    for jar in sorted((pyspark_directory() / "jars").glob("*.jar")):
        match = re.fullmatch(r"(.+)-\d[^-]*\.jar", jar.name)
        if match:
            yield match[1]


def _manifest(wanted: JarSet, cache: Path | None) -> Path:
    return (cache or cache_directory()) / "jars" / f"{wanted.name}.json"


def _read_manifest(manifest: Path, wanted: JarSet) -> list[Path] | None:
    try:
        content = json.loads(manifest.read_bytes())
        entries = [(Path(entry["path"]), entry["size_bytes"]) for entry in content["jars"]]
        whole = all(path.stat().st_size == size for path, size in entries)
        same = content["coordinates"] == list(wanted.coordinates)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return [path for path, _ in entries] if entries and whole and same else None


def _write_manifest(manifest: Path, wanted: JarSet, jars: list[Path]) -> None:
    content = {
        "coordinates": list(wanted.coordinates),
        "jars": [{"path": str(jar), "size_bytes": jar.stat().st_size} for jar in jars],
    }
    beside = manifest.with_suffix(f".{os.getpid()}.tmp")
    beside.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    beside.replace(manifest)


def _remove_damaged(manifest: Path) -> None:
    """Remove the files whose size is not the recorded one: Ivy takes its cache at its word."""
    try:
        entries = json.loads(manifest.read_bytes())["jars"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for entry in entries:
        path = Path(entry["path"])
        if path.exists() and path.stat().st_size != entry["size_bytes"]:
            path.unlink()


@contextmanager
def _alone(lock: Path, on_event: OnEvent) -> Iterator[None]:
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_event(Event(message="another process is downloading jars, waiting for it"))
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _run_ivy(wanted: JarSet, *, folder: Path, java: Java, on_event: OnEvent) -> list[Path]:
    """Let Ivy resolve and download; its standard output is the progress."""
    ivy = sorted((pyspark_directory() / "jars").glob("ivy-*.jar"))
    if not ivy:
        raise Unsupported(f"pyspark {spark_version()} brings no Ivy to download jars with")
    on_event(Event(message=f"resolving {wanted.name}"))
    with tempfile.TemporaryDirectory(dir=folder, prefix=".ivy-") as scratch:
        settings, module, answer = (Path(scratch) / n for n in ("settings.xml", "ivy.xml", "path"))
        settings.write_text(_SETTINGS, "utf-8")
        module.write_text(_module_xml(wanted), "utf-8")
        command = [str(java.executable), "-Xmx256m", "-jar", str(ivy[-1])]
        command += ["-settings", os.environ.get("STREAMCTL_IVY_SETTINGS") or str(settings)]
        command += ["-cache", str(folder / "ivy"), "-ivy", str(module)]
        command += ["-confs", "default", "-cachepath", str(answer)]
        output: list[str] = []
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process:
            for line in process.stdout or ():
                output.append(line)
                _tell(line, output, on_event)
        if process.returncode or not answer.exists():
            raise _why_ivy_failed(wanted, "".join(output))
        jars = [Path(path) for path in answer.read_text("utf-8").strip().split(os.pathsep) if path]
    return sorted(jars, key=lambda jar: jar.name)


def _module_xml(wanted: JarSet) -> str:
    lines = [_dependency_xml(coordinate) for coordinate in wanted.coordinates]
    lines += [f"<exclude module={quoteattr(module)}/>" for module in wanted.without]
    return (
        '<ivy-module version="2.0" xmlns:m="http://ant.apache.org/ivy/maven">\n'
        '<info organisation="streamctl" module="jars"/>\n'
        '<configurations><conf name="default"/></configurations>\n'
        "<dependencies>\n" + "\n".join(lines) + "\n</dependencies></ivy-module>\n"
    )


def _dependency_xml(coordinate: str) -> str:
    organisation, module, revision, *rest = map(quoteattr, coordinate.split(":"))
    head = f"<dependency org={organisation} name={module} rev={revision}"
    if not rest:
        return head + ' conf="default-&gt;master,runtime"/>'
    artifact = f'<artifact name={module} type="jar" ext="jar" m:classifier={rest[0]}/>'
    return f'{head} transitive="false" conf="default-&gt;master">{artifact}</dependency>'


def _tell(line: str, output: list[str], on_event: OnEvent) -> None:
    text = line.strip()
    if text.startswith("found "):
        count = sum(1 for earlier in output if earlier.strip().startswith("found "))
        on_event(Event(message=f"found {text.split()[1].partition('#')[2]}", done=count))
    elif text.startswith("downloading "):
        total = sum(1 for earlier in output if earlier.strip().startswith("found "))
        count = sum(1 for earlier in output if earlier.startswith("downloading "))
        name = text.split()[1].rpartition("/")[2]
        on_event(Event(message=f"downloading {name}", done=count, total=total))


def _why_ivy_failed(wanted: JarSet, output: str) -> JarsUnavailable:
    """Tell "not published" from "could not be fetched" by what Ivy printed."""
    lines = [line.strip() for line in output.splitlines()]
    errors = [
        line
        for line in lines
        if re.match(r"(Server access error|Host .* not found|\[FAILED|impossible|invalid )", line)
    ]
    missing = [line.strip(": ") for line in lines if re.fullmatch(r":: .*: not found", line)]
    if missing and not errors:
        return _NotPublished(
            f"not published: {', '.join(missing)}",
            hint="Set STREAMCTL_IVY_SETTINGS to an Ivy settings file whose repositories have it.",
        )
    reason = errors[0] if errors else next((line for line in reversed(lines) if line), "no answer")
    return JarsUnavailable(
        f'could not download the jars of "{wanted.name}": {reason}',
        hint="Check the network; behind a mirror, set STREAMCTL_IVY_SETTINGS to an Ivy settings "
        "file. The same command goes on from what is already there.",
    )
