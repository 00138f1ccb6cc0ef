"""Find the Java that Spark and Kafka run on.

Spark 4.2 runs on Java 17 and 21 and needs the module `jdk.incubator.vector`, which a full
JDK or JRE has and the small runtimes shipped as Python packages do not.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from streamctl.errors import JavaNotFound

SUPPORTED_MAJORS = (17, 21)
_USUAL_PLACES = (
    "usr/lib/jvm/*",
    "usr/java/*",
    "opt/java/*",
    "opt/jdk*",
    "Library/Java/JavaVirtualMachines/*/Contents/Home",
    "opt/homebrew/opt/openjdk@*/libexec/openjdk.jdk/Contents/Home",
    "usr/local/opt/openjdk@*/libexec/openjdk.jdk/Contents/Home",
)
_USUAL_PLACES_OF_A_USER = (".sdkman/candidates/java/*", ".jdks/*")
_INSTALLERS = (
    ("apt-get", "sudo apt-get install -y openjdk-17-jre-headless"),
    ("dnf", "sudo dnf install -y java-17-openjdk-headless"),
    ("apk", "sudo apk add openjdk17-jre-headless"),
    ("brew", "brew install openjdk@17"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Java:
    """One Java on this machine.

    Attributes:
        home: what JAVA_HOME would be.
        executable: `home/bin/java`.
        version: as Java itself says it, for instance "17.0.15".
        major: 17 of "17.0.15", 8 of "1.8.0_392".
    """

    home: Path
    executable: Path
    version: str
    major: int


def find_java(*, environ: Mapping[str, str] | None = None) -> Java:
    """Return the first Java of a supported version: JAVA_HOME, then PATH, then the usual places.

    Args:
        environ: the environment to read JAVA_HOME, PATH and HOME from; the process's own if None.

    Raises:
        JavaNotFound: there is none, or only others; the message names those that were found.
    """
    environment = os.environ if environ is None else environ
    others: list[Java] = []
    for home in _homes(environment):
        java = describe_java(home)
        if java is None:
            continue
        if java.major in SUPPORTED_MAJORS:
            return java
        others.append(java)
    wanted = " or ".join(str(major) for major in SUPPORTED_MAJORS)
    if not others:
        raise JavaNotFound(f"no Java {wanted} was found", hint=_how_to_install())
    found = ", ".join(f'Java {java.version} in "{java.home}"' for java in others)
    raise JavaNotFound(f"Java {wanted} is needed, and found was {found}", hint=_how_to_install())


def describe_java(home: Path) -> Java | None:
    """Say which Java lies in a directory; None if there is none that can run.

    The file `release` answers without starting anything; a Java without one is asked itself.
    """
    executable = home / "bin" / "java"
    if not os.access(executable, os.X_OK):
        return None
    version = _version_in_release(home / "release") or _version_by_asking(executable)
    if version is None:
        return None
    parts = re.split(r"[._+-]", version)
    major = parts[1] if parts[0] == "1" and len(parts) > 1 else parts[0]
    if not major.isdigit():
        return None
    return Java(home=home, executable=executable, version=version, major=int(major))


def _homes(environ: Mapping[str, str]) -> Iterator[Path]:
    seen: set[Path] = set()
    for candidate in _candidates(environ):
        resolved = candidate.resolve()
        if resolved not in seen:
            seen.add(resolved)
            yield resolved


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("JAVA_HOME"):
        yield Path(environ["JAVA_HOME"])
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    if on_path is not None:
        yield Path(on_path).resolve().parent.parent
    for place in _USUAL_PLACES:
        yield from sorted(Path("/").glob(place))
    for place in _USUAL_PLACES_OF_A_USER if environ.get("HOME") else ():
        yield from sorted(Path(environ["HOME"]).glob(place))


def _version_in_release(release: Path) -> str | None:
    try:
        text = release.read_text("utf-8", errors="replace")
    except OSError:
        return None
    match = re.search(r'^JAVA_VERSION="([^"]+)"', text, re.MULTILINE)
    return match[1] if match else None


def _version_by_asking(executable: Path) -> str | None:
    try:
        answer = subprocess.run(
            [str(executable), "-version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "([^"]+)"', answer.stderr + answer.stdout)
    return match[1] if match else None


def _how_to_install() -> str:
    for program, command in _INSTALLERS:
        if shutil.which(program):
            as_root = command if os.geteuid() else command.removeprefix("sudo ")
            return f"Run `{as_root}`, or set JAVA_HOME to a Java 17 or 21."
    return f"Install a Java 17 or 21 for {sys.platform}, or set JAVA_HOME to one."
