"""The experiments that ship, each one line of a table or a few.

All share one hypothesis: the job commits batches, is well, and not far behind. What a fault must be
noticed by, and how long recovery may take, stands with each.
"""

from collections.abc import Iterator
from typing import Any

from streamctl.chaos import damage
from streamctl.chaos.experiment import Activity, Experiment, Role, Verb
from streamctl.chaos.verbs.checkpoint import FLAVOUR
from streamctl.errors import ExitCode

BEHIND_RECORDS = 3000
"""How far a steady job may be behind: some batches of the feed."""


def action(name: str, *, after: float = 0.0, **arguments: Any) -> Activity:
    """One of our actions; `after` seconds are waited."""
    return Activity(
        name=name,
        role=Role.ACTION,
        provider=Verb(name=name, arguments=arguments),
        pause_after_seconds=after,
    )


def probe(name: str, tolerance: Any, **arguments: Any) -> Activity:
    """One of our probes."""
    return Activity(
        name=name,
        role=Role.PROBE,
        provider=Verb(name=name, arguments=arguments),
        tolerance=tolerance,
    )


STEADY = (
    probe("job.commits", True, batches=2),
    probe("job.status", "ok"),
    probe("job.lag", {"type": "range", "range": [0, BEHIND_RECORDS]}),
)
STEADY_WITH_A_LOSS = (
    probe("job.commits", True, batches=2),
    probe("job.lag", {"type": "range", "range": [0, BEHIND_RECORDS]}),
)
"""The status calls a loss a problem until the job is started anew, and rightly so."""
_NOTICED = {"detected_by": ["status", "health", "alert", "lag", "restart"]}
_RESTARTED = {"detected_by": ["status", "restart"]}
_AIMED = _RESTARTED | {"hits_phase": True}
_MAY_PASS: dict[str, Any] = {}
_BY_HAND = {"recovered_within_seconds": 240}
"""Commands of an operator are part of the way back."""


def _made(
    name: str, title: str, group: str, *method: Activity, expects: dict[str, Any], **more: Any
) -> Experiment:
    return Experiment(
        name=name,
        title=title,
        tags=(group, *more.pop("tags", ())),
        hypothesis=more.pop("hypothesis", STEADY),
        method=method,
        expects=expects,
        **more,
    )


def _kafka() -> Iterator[Experiment]:
    def made(name: str, title: str, *method: Activity, **more: Any) -> Experiment:
        return _made(name, title, "kafka", *method, **({"expects": _NOTICED} | more))

    yield made(
        "kafka-killed", "The broker is killed and comes back",
        action("kafka.kill", after=8), action("kafka.start"), tags=("quick",),
    )  # fmt: skip
    yield made(
        "kafka-stopped", "The broker is stopped in order and comes back",
        action("kafka.stop", after=15), action("kafka.start"),
    )  # fmt: skip
    yield made(
        "kafka-paused", "The broker is frozen: connections stay and nobody answers",
        action("kafka.pause", after=20), action("kafka.resume"),
    )  # fmt: skip
    yield made(
        "kafka-slow", "The broker has a fifth of its time",
        action("kafka.slow", share=0.2, after=20), action("kafka.resume"), expects=_MAY_PASS,
    )  # fmt: skip
    yield made(
        "kafka-restarted", "The broker is restarted", action("kafka.restart"), expects=_MAY_PASS,
        tags=("more",),
    )  # fmt: skip
    yield made(
        "kafka-moved", "The broker is stopped and comes back at the second address of the list",
        action("kafka.move"), before=(action("kafka.two_addresses"),),
        # Kafka's clients ask at the old address until their calls have timed out
        recovery_seconds=240, expects={"recovered_within_seconds": 240},
    )  # fmt: skip
    anew = (
        action("kafka.make_topic"), action("data.resume"),
        probe("job.refuses_to_start", int(ExitCode.TOPIC_MADE_ANEW)),
        action("checkpoint.begin_anew"), action("job.start"),
    )  # fmt: skip
    yield made(
        "topic-deleted", "The topic is deleted under the running job, and made again",
        action("data.pause"), action("kafka.delete_topic"), action("job.await_end", seconds=120),
        *anew, expects=_NOTICED | _BY_HAND,
    )  # fmt: skip
    yield made(
        "topic-made-anew", "The topic is made anew while the job is stopped",
        action("data.pause"), action("job.stop"), action("kafka.delete_topic"), *anew,
        expects=_BY_HAND,
    )  # fmt: skip
    yield made(
        "partitions-added", "The topic gets more partitions, and records in them",
        action("kafka.add_partitions", total=4, after=2), action("data.burst", records=4000),
        expects=_MAY_PASS,
    )  # fmt: skip
    yield made(
        "retention-passed", "Kafka deletes records that the stopped job has not read",
        action("job.stop"), action("kafka.await_backlog", records=1000),
        action("kafka.truncate", share=0.5), action("job.start"),
        hypothesis=STEADY_WITH_A_LOSS, expects={"detected_by": ["status", "alert"]} | _BY_HAND,
    )  # fmt: skip
    yield made(
        "retention-overtakes", "Kafka deletes records that the running job has not read",
        # it has read all and is held up, or some of them might be in its hands already
        action("data.pause"), action("job.pause"), action("data.burst", records=4000),
        action("kafka.truncate", share=0.5), action("job.resume"), action("data.resume"),
        hypothesis=STEADY_WITH_A_LOSS, expects={"detected_by": ["status", "alert"]},
    )  # fmt: skip


def _network() -> Iterator[Experiment]:
    def made(
        name: str, title: str, seconds: float, expects: dict[str, Any], *tags: str, **fault: Any
    ) -> Experiment:
        method = (action("network.fault", after=seconds, **fault), action("network.clear"))
        return _made(name, title, "network", *method, expects=expects, tags=tags)

    yield made(
        "network-partition", "Packets are dropped both ways", 15, _NOTICED, "quick",
        kind="black_hole",
    )  # fmt: skip
    yield made(
        "network-one-way-down", "Requests arrive, answers do not", 15, _NOTICED,
        kind="black_hole", direction="down",
    )  # fmt: skip
    yield made(
        "network-one-way-up", "Requests do not arrive", 15, _NOTICED, "more",
        kind="black_hole", direction="up",
    )  # fmt: skip
    yield _made(
        "network-silent", "The link to the broker is down: nothing arrives, nothing is refused",
        "network", action("network.cut", after=15), action("network.join"),
        before=(action("network.namespace"),), expects=_NOTICED,
    )  # fmt: skip
    yield made("network-reset", "Connections are reset", 15, _NOTICED, kind="reset")
    yield made(
        "network-half-open", "The broker's side of each connection is gone", 10, _MAY_PASS,
        kind="half_open",
    )  # fmt: skip
    yield made(
        "network-latency", "Each way takes 300 ms more, give or take 200", 20, _MAY_PASS,
        latency_ms=300, jitter_ms=200,
    )  # fmt: skip
    yield made(
        "network-narrow", "The line carries 20 kB/s", 20, _MAY_PASS,
        bandwidth_bytes_per_second=20_000,
    )  # fmt: skip
    yield made(
        "network-flapping", "The line comes and goes every 2 s", 20, _MAY_PASS,
        kind="black_hole", flap_seconds=2,
    )  # fmt: skip


def _data() -> Iterator[Experiment]:
    def made(name: str, title: str, *method: Activity, **more: Any) -> Experiment:
        return _made(name, title, "data", *method, **({"expects": _MAY_PASS} | more))

    yield made(
        "data-invalid", "Many records are invalid, and some are stranger than that",
        action("data.burst", records=4000, flaws={"all": 0.4}), action("data.strange"),
        expects={"detected_by": ["rejected"]}, tags=("quick",),
    )  # fmt: skip
    yield made(
        "data-poison", "A record fails every batch that it is in, until it is set aside",
        action("data.poison", after=5),
        job={"job.entry": "jobs.fragile_telemetry:FragileTelemetryJob", "poison.quarantine": True},
        expects={"detected_by": ["status", "restart"], "recovered_within_seconds": 300},
        recovery_seconds=300, tags=("more",),
    )  # fmt: skip
    yield made(
        "data-mostly-invalid", "Invalid records flood in: the circuit breaker opens, then closes",
        action("data.burst", records=6000, flaws={"all": 0.9}),
        expects={"detected_by": ["status", "alert"]} | _BY_HAND, recovery_seconds=240,
        job={"breaker.threshold": 0.3, "breaker.cool_down_seconds": 10}, tags=("more",),
    )  # fmt: skip
    yield made(
        "data-late", "A third of the records come late",
        action("data.burst", records=4000, late_share=0.33),
    )  # fmt: skip
    yield made(
        "data-skewed", "All records are of one device",
        action("data.burst", records=8000, devices=1),
    )  # fmt: skip
    yield made(
        "high-volume", "40 000 records come at once", action("data.burst", records=40_000),
        expects={"detected_by": ["lag"]}, tags=("quick",),
    )  # fmt: skip


def _process() -> Iterator[Experiment]:
    def made(name: str, title: str, *method: Activity, **more: Any) -> Experiment:
        return _made(name, title, "process", *method, **({"expects": _RESTARTED} | more))

    yield made("driver-killed", "The driver and its JVM are killed", action("job.kill"))
    phases = {
        "offsets": "once a batch is planned",
        "state": "while state is written",
        "sink": "while the sink commits",
        "commit": "before the commit log is written",
    }
    for phase, when in phases.items():
        yield made(
            f"driver-killed-at-{phase}", f"The driver is killed {when}",
            action("job.kill_at", phase=phase), expects=_AIMED, tags=("more",),
        )  # fmt: skip
    again = action("job.await_commit")
    yield made(
        "driver-killed-at-phases", "The driver is killed at each phase of a batch in turn",
        *(step for phase in phases for step in (action("job.kill_at", phase=phase), again)),
        expects=_AIMED,
    )  # fmt: skip
    yield made(
        "executor-killed", "One of two executors is killed", action("job.kill_executor"),
        expects=_MAY_PASS,
        job={"spark.master": "local-cluster[2,1,768]", "spark.executor_memory": "640m"},
    )  # fmt: skip
    yield made(
        "python-worker-killed", "A Python worker of Spark's is killed",
        action("job.kill_python_worker"), expects=_MAY_PASS,
        job={"job.entry": "jobs.python_telemetry:PythonTelemetryJob"},
    )  # fmt: skip
    yield made(
        "driver-terminated", "The driver is told to end behind the supervisor's back",
        action("job.terminate"), action("job.await_end"), action("job.start"),
        expects=_BY_HAND,
    )  # fmt: skip
    yield made(
        "driver-frozen", "The driver is frozen for a while",
        action("job.pause", after=15), action("job.resume"),
        expects={"detected_by": ["health", "lag"]},
    )  # fmt: skip
    yield made(
        "supervisor-killed", "The supervisor is killed; the job is started again",
        action("job.kill_supervisor"), action("job.start"),
        expects={"detected_by": ["status"]} | _BY_HAND,
    )  # fmt: skip
    yield made(
        "two-starts", "The job is stopped, and started twice at once",
        action("job.start_twice"), expects=_MAY_PASS,
    )  # fmt: skip


def _checkpoint() -> Iterator[Experiment]:
    """The damages of the corpus that fit the job; a few of them are run with `--all`."""
    for kind in damage.CORPUS:
        if not damage.fits(kind, FLAVOUR):
            continue
        tags = ("quick",) if kind.name == "offsets-last-cut" else ()
        often = () if kind.name in _OFTEN else ("more",)
        yield _made(
            f"checkpoint-{kind.name}", f"The checkpoint is damaged: {kind.what}", "checkpoint",
            action("job.stop"), action("checkpoint.backup"),
            action("checkpoint.damage", kind=kind.name), probe("checkpoint.verify", None),
            action("checkpoint.remedy"), action("job.start"),
            expects=_BY_HAND | ({} if often else {"detected_by": ["verify"]}),
            tags=(*tags, *often),
        )  # fmt: skip


_OFTEN = {"offsets-last-cut", "state-deleted", "metadata-deleted"}


def _writes() -> Iterator[Experiment]:
    """Single writes of the running job fail; what fails once is tried again by the supervisor."""
    cases = {
        "commits-fail": ("no batch can be committed", "create", ".*/commits/[0-9]+"),
        "offsets-torn": ("the plan of a batch stays half written", "close", ".*/offsets/[0-9]+"),
        "state-fails": ("no state can be written", "create", ".*/state/.*"),
    }
    for name, (what, when, paths) in cases.items():
        yield _made(
            f"writes-{name}", f"Writes of the running job fail: {what}", "checkpoint",
            action("writes.fail", paths=paths, when=when, after=10), action("writes.heal"),
            before=(action("writes.hook"),), expects=_RESTARTED,
            tags=("more",) if name == "state-fails" else (),
        )  # fmt: skip


def _resources() -> Iterator[Experiment]:
    def made(name: str, title: str, *method: Activity, **more: Any) -> Experiment:
        return _made(name, title, "resources", *method, **({"expects": _RESTARTED} | more))

    yield made(
        "disk-full", "The disk of checkpoint and output is full for a while",
        action("disk.fill", after=10), action("disk.free"), tags=("quick",),
        before=(action("disk.small", megabytes=96, or_hook=True),),
        job={"limits.disk_floor_bytes": 0},
    )  # fmt: skip
    yield made(
        "logs-full", "The disk of the logs is full for a while",
        action("disk.fill", place="logs", after=15), action("disk.free", place="logs"),
        before=(action("disk.small", megabytes=4, place="logs"),), expects=_MAY_PASS,
    )  # fmt: skip
    yield made(
        "disk-slow", "The disk of checkpoint and output does 60 writes a second for a while",
        action("disk.slow", per_second=60, after=20), action("disk.fast"),
        before=(action("disk.device"),), expects=_MAY_PASS,
    )  # fmt: skip
    yield made(
        "disk-nearly-full", "The disk comes below the floor: the job stops in order",
        action("disk.fill", leave_kilobytes=24_000), action("job.await_end"),
        action("disk.free"), action("job.start"),
        before=(action("disk.small", megabytes=96),),
        job={"limits.disk_floor_bytes": 32 << 20}, expects=_BY_HAND,
    )  # fmt: skip
    yield made(
        "files-exhausted", "The driver may open no more files",
        action("limit.set", what="files", after=15), action("limit.free", what="files"),
        expects=_MAY_PASS,
    )  # fmt: skip
    yield made(
        "memory-exhausted", "The driver may take no more memory",
        action("limit.set", what="memory", more=1 << 20, after=15),
        action("limit.free", what="memory"), expects=_MAY_PASS,
    )  # fmt: skip
    yield made(
        "processors-limited", "The driver may use half a processor",
        action("cpu.limit", processors=0.5, after=20), action("cpu.free"), expects=_MAY_PASS,
    )  # fmt: skip
    yield made(
        "processors-busy", "Other work takes the processors",
        action("cpu.burn", seconds=20.0, processes=4), expects=_MAY_PASS,
    )  # fmt: skip


def _storage() -> Iterator[Experiment]:
    """The backups' object store is in trouble: they come late or not, and none is half."""

    def made(name: str, title: str, trouble: Activity, taken: object) -> Experiment:
        return _made(
            name, title, "storage", trouble, probe("backup.take", taken), action("store.clear"),
            probe("backup.take", 0), probe("backup.verify", 0),
            before=(action("store.start"),), expects=_MAY_PASS, tags=("more",),
        )  # fmt: skip

    late, told = 0, [0, int(ExitCode.FAILED)]
    yield made(
        "store-errors", "The object store of the backups answers every third request with 500",
        action("store.errors", status=500, share=0.33), told,
    )  # fmt: skip
    yield made(
        "store-throttles", "The object store of the backups answers half of all requests SlowDown",
        action("store.errors", status=503, share=0.5), told,
    )  # fmt: skip
    yield made(
        "store-slow", "The object store of the backups is slow and its line narrow",
        action("store.fault", latency_ms=200, jitter_ms=100, bandwidth_bytes_per_second=200_000),
        late,
    )  # fmt: skip
    yield made(
        "store-down", "The object store of the backups resets every connection",
        action("store.fault", kind="reset"), int(ExitCode.FAILED),
    )  # fmt: skip


def catalogue() -> dict[str, Experiment]:
    """Every experiment that ships, by name."""
    groups = (
        _kafka(), _network(), _data(), _process(), _checkpoint(), _writes(), _resources(),
        _storage(),
    )  # fmt: skip
    return {experiment.name: experiment for group in groups for experiment in group}


_BY_NAME, _BY_QUICK = "more", "quick"


def selected(*, quick: bool) -> list[Experiment]:
    """What `--all` runs: some of each kind; or of that the six scenarios of `--quick`."""
    found = catalogue().values()
    if quick:
        return [experiment for experiment in found if _BY_QUICK in experiment.tags]
    return [experiment for experiment in found if _BY_NAME not in experiment.tags]


def run_by(experiment: Experiment) -> str:
    """The shortest flag that runs it too; `name` where only its name does."""
    if _BY_QUICK in experiment.tags:
        return "--all --quick"
    return "name" if _BY_NAME in experiment.tags else "--all"
