"""From the command to the first committed batch of windows, each time with a new checkpoint."""

import time
from functools import cache, partial

from scripts.benchmarks import bare_job, commits
from scripts.benchmarks.compare import Goal, Result, alternate, tell
from scripts.benchmarks.stage import Stage

WINDOWS = ("data", "checkpoint", "0001", "windows")


def run(stage: Stage, runs: int) -> Result:
    """Ours with and without a class archive against `spark-submit --packages`."""
    warm_up(stage)
    sides = {
        "streamctl start": partial(ours, stage, "streamctl start"),
        "spark-submit --packages": partial(bare, stage),
        "streamctl start --no-archive": partial(
            ours, stage, "streamctl start --no-archive", "--no-archive"
        ),
    }
    other = "spark-submit --packages"
    return Result(
        name="start: to the first commit",
        figures=alternate(sides, runs),
        goals=[Goal(ours=name, other=other) for name in sides if name != other],
        notes=[
            "'answer' is when `streamctl start` returns: both queries have committed a batch.",
            "Ours runs two queries and checks every record; the bare job runs the windows alone.",
        ],
    )


def ours(stage: Stage, name: str, *flags: str) -> dict[str, float]:
    """One start, and a stop that is not measured."""
    with stage.project() as project:
        began = time.perf_counter()
        process = project.spawn("start", "-o", "json", *flags)
        first = commits.await_after(
            project.directory.joinpath(*WINDOWS), -1, alive=commits.lives(process)
        )
        _, stderr = process.communicate()
        answered = time.perf_counter()
        if process.returncode:
            raise RuntimeError(stderr.strip()[-2000:])
        return {name: first - began, f"{name}, answer": answered - began}


def bare(stage: Stage) -> dict[str, float]:
    """One `spark-submit`, killed after its first commit."""
    with stage.place() as place:
        began = time.perf_counter()
        with bare_job.process(stage, place, bare_job.submitted(), {}) as process:
            first = commits.await_after(place / "checkpoint", -1, alive=commits.lives(process))
        return {"spark-submit --packages": first - began}


@cache
def warm_up(stage: Stage) -> None:
    """What is there at any second start: our class archive, their Ivy cache."""
    tell("warming up: class archive")
    with stage.project() as project:
        for verb in ("start", "stop"):  # an orderly stop makes the archive
            answer = project(verb)
            if answer.exit_code:
                raise RuntimeError(answer.stderr.strip()[-2000:])
    tell("warming up: Ivy cache")
    bare(stage)
