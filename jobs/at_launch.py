"""What Spark's launcher must know before the JVM lives: its classes and temporary files.

The connector stands on the class path proper, not in `spark.jars` alone, because only classes
from there get into a class-data archive; and an archive serves a JVM with the class path of the
one that made it. All of it is seen in the machine's list of processes: no secret may be among it.
"""

import os
import shlex
from collections.abc import Mapping, Sequence

from jobs import temporary

_OPTIONS, _PATH = "spark.driver.extraJavaOptions", "spark.driver.extraClassPath"
AT_LAUNCH = frozenset({_OPTIONS, _PATH})


def launch_options(
    given: Mapping[str, str],
    *,
    jars: Sequence[str],
    archive: str = "",
    make_archive: str = "",
    flags: Sequence[str] = (),
) -> dict[str, str]:
    """Options of the launcher.

    Args:
        given: the user's `spark.*` options; their class path and JVM options come last.
        jars: of the connector, in the order in which an archive was made with them.
        archive: of an earlier JVM; the JVM goes on without one that does not fit.
        make_archive: where the JVM writes one at its end, unless there is one.
        flags: more of the JVM's.
    """
    own = [*temporary.jvm_flags(), *flags]
    if archive:
        own += [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", "-Xlog:cds=off"]
    elif make_archive:
        own += [f"-XX:ArchiveClassesAtExit={make_archive}", "-Xlog:cds=off"]
    words = " ".join(_quoted(flag) for flag in own)
    return {
        _OPTIONS: f"{words} {given.get(_OPTIONS, '')}".strip(),
        _PATH: ":".join([*jars, *filter(None, [given.get(_PATH)])]),
    }


def as_the_driver(given: Mapping[str, str]) -> dict[str, str]:
    """The same for a child that answers a question: what `streamctl.job.child` hands over.

    Not with the user's JVM options: the ports that they may open are those of the job that runs.
    """
    jars = os.environ.get("STREAMCTL_CLASS_PATH", "")
    return launch_options(
        {_PATH: given.get(_PATH, "")},
        jars=jars.split(":") if jars else (),
        archive=os.environ.get("STREAMCTL_CLASS_ARCHIVE", ""),
    )


def _quoted(flag: str) -> str:
    """Quote for Spark's launcher, which splits like a shell; paths may hold spaces."""
    return shlex.quote(flag) if "'" not in flag else '"' + flag.replace('"', '\\"') + '"'
