"""`streamctl chaos` and `load`: what needs neither Kafka nor Spark."""

import json
import os
import shlex
import shutil
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from streamctl.chaos.effects import Effects
from streamctl.chaos.evidence import write_evidence
from streamctl.chaos.experiment import Activity, Process, Role
from streamctl.chaos.load.model import LoadReport, Recovery, Step
from streamctl.chaos.verdict import judge
from streamctl.cli import chaos_target
from streamctl.cli.chaos import _again
from streamctl.cli.command import Here
from streamctl.cli.render import Output
from streamctl.reports import Verdict
from streamctl.rundir.directory import RunDirectory
from streamctl.rundir.files import replace_file
from streamctl.rundir.records import Desired, Observed, Status
from tests.planted import planted
from tests.recordings import recorded


@pytest.fixture
def campaign(tmp_path):
    def make(evidence) -> None:
        place = tmp_path / ".streamctl" / "chaos" / "20260101-000000" / "001-kafka-killed"
        place.mkdir(parents=True)
        write_evidence(place / "evidence.json", evidence)

    return make


def test_the_experiments_are_listed(streamctl, snapshot):
    assert streamctl("chaos", "list").stdout == snapshot


def test_the_verbs_are_listed(streamctl, snapshot):
    assert streamctl("chaos", "verbs").stdout == snapshot


WRONG = {
    "title": "a verb that is not there",
    "method": [
        {"type": "action", "name": "a", "provider": {"type": "streamctl", "action": "job.kil"}}
    ],
}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("run",), 2),
        (("run", "kafka-killed", "--all"), 2),
        (("run", "kafka-killed", "--quick"), 2),
        (("run", "no-such-experiment"), 10),
        (("run", "kafka-killed"), 14),  # nobody to ask
        (("run", "kafka-killed", "--dry-run"), 2),  # only a target can be harmed
        (("run", "driver-killed", "--target", "a:B"), 10),
        (("run", "wrong.json", "--yes"), 10),
        (("run", "driver-killed", "--target", "a:B", "--set", "checkpoint.protected=true"), 25),
        (("show",), 10),
        (("report",), 10),
        (("cleanup",), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_exit_codes(streamctl, arguments, code, tmp_path):
    (tmp_path / "wrong.json").write_text(json.dumps(WRONG))
    assert streamctl("chaos", *arguments).exit_code == code


def test_on_a_running_job_too_experiments_are_repeated_in_the_order_of_their_seed(
    streamctl, monkeypatch, tmp_path
):
    running = SimpleNamespace(
        job="a:B", queries=[SimpleNamespace(name="q")], supervisor_pid=1, driver_pid=2,
        standby_pid=None, checkpoint_location="",
    )  # fmt: skip
    monkeypatch.setattr("streamctl.chaos.target.running_job", lambda *_, **__: running)
    done = []

    def one(target, experiment, **_):
        done.append((target.directory.name, experiment.name))
        return judge(replace(recorded(), experiment=experiment.name))

    monkeypatch.setattr("streamctl.chaos.target_trial.run_on_target", one)
    orders = []
    for seed in ("7", "7", "8"):
        shutil.rmtree(tmp_path / ".streamctl", ignore_errors=True)
        names = ("driver-killed", "driver-frozen", "network-reset")
        result = streamctl(
            "chaos", "run", *names, "--target", "a:B", "--yes", "--repeat", "3", "--seed", seed,
            "-o", "json",
        )  # fmt: skip
        assert (result.exit_code, result.data["seed"]) == (0, int(seed))
        orders.append([name for _, name in done])
        assert [place[:3] for place, _ in done] == [f"{n:03d}" for n in range(1, 10)]
        done.clear()
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(3 * ["driver-killed", "driver-frozen", "network-reset"])


@pytest.fixture
def two_jobs(streamctl, monkeypatch, tmp_path):
    """One of the project, and one of the context "other"; where its trial is."""
    del streamctl
    contexts = tmp_path / "config" / "streamctl" / "contexts.toml"
    contexts.parent.mkdir(parents=True)
    contexts.write_text('[other]\nkafka.topic = "theirs"\n')
    monkeypatch.setenv("STREAMCTL_STREAM__WINDOW", "7 minutes")
    now = datetime.now(UTC)
    for context in ("default", "other"):
        RunDirectory(tmp_path / ".streamctl" / context).write(
            Status(
                desired=Desired.RUNNING, observed=Observed.STOPPED, run_id="r", job=context,
                attempt=1, attempts_left=1, supervisor_pid=1, driver_pid=None, started_at=now,
                attempt_started_at=now, updated_at=now, generation="", checkpoint_location="",
            )
        )  # fmt: skip
    return tmp_path / ".streamctl" / "chaos" / "1" / "001-mine"


def test_commands_are_about_the_job_that_was_named_with_the_operator_s_settings(two_jobs):
    given = Here(
        path="chaos run",
        output=Output.JSON,
        context="other",
        assignments=["kafka.timeout_seconds=3"],
    )
    job = chaos_target._target(given, two_jobs, SimpleNamespace(queries=[]))
    assert job.must("status")["job"] == "other"
    values = {each["key"]: each["value"] for each in job.must("config", "explain")["settings"]}
    assert values["kafka.topic"] == "theirs"
    assert values["kafka.timeout_seconds"] == "3.0"
    assert values["stream.window"] == "7 minutes"


def test_nothing_is_changed_back_on_the_job_of_another_context(two_jobs, streamctl, tmp_path):
    mark = tmp_path / "rolled-back"
    replace_file(two_jobs / "target.json", json.dumps(
        {"run_directory": str(tmp_path / ".streamctl" / "other")}
    ))  # fmt: skip
    back = Activity(name="m", role=Role.ACTION, provider=Process(command=("touch", str(mark))))
    Effects(two_jobs / "effects.jsonl").promise(back)
    refused = streamctl("chaos", "cleanup", "-o", "json")
    assert (refused.exit_code, refused.data["campaigns"]) == (3, [])
    assert "was done to the job of" in refused.data["left"][0]
    assert "--context" in refused.data["left"][0]
    assert not mark.exists()
    assert streamctl("chaos", "cleanup", "--context", "other").exit_code == 0
    assert mark.exists()


def test_load_asks_before_it_loads(streamctl):
    assert streamctl("load", "run").exit_code == 14


@pytest.mark.parametrize(
    "flags",
    [
        ("--confirm", "soon"),
        ("--confirm", "-5"),
        ("--late-by", "a:b"),
        ("--late-by", "400:30"),
        ("--late", "1.5"),
        ("--record-bytes", "2000000"),
        ("--partitions", "0"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_sent_is_told_before_anything_is_started(streamctl, tmp_path, flags):
    assert streamctl("load", "run", "--yes", *flags).exit_code == 2
    assert not (tmp_path / ".streamctl").exists()


@pytest.fixture
def load(monkeypatch):
    """What a load run is asked for; it finds a little."""
    asked = []

    def found(plan, *, flow, settings, command, **_):
        asked.append((plan, flow, settings, command))
        return LoadReport(
            verdict=Verdict.PROBLEM, started_at="2026-01-01T00:00:00.000Z", sustained_rate=2000,
            directory=Path("runs/1"), command=command, steps=[_step(2000, True), _step(4000, None)],
            confirmed=_step(1800, False),
            recovery=Recovery(state_store="rocksdb", state_rows=1200, seconds=None),
        )  # fmt: skip

    monkeypatch.setattr("streamctl.chaos.load.run.run_load", found)
    return asked


def _step(rate: float, sustained: bool | None) -> Step:
    return Step(
        rate=rate, sent_rate=rate, sustained=sustained, lag_growth=None if sustained is None else 7,
        committed_rate=rate * 0.99, batch_p50_seconds=0.5, batch_p95_seconds=1.0,
        latency_p50_seconds=0.8, latency_p95_seconds=None, processor_share=0.4,
        memory_bytes=2**29, checkpoint_bytes=2**20, checkpoint_growth_bytes_per_second=2**14,
    )  # fmt: skip


@pytest.mark.parametrize("output", ["table", "tsv"])
def test_a_load_run_is_shown(streamctl, snapshot, load, output):
    result = streamctl("load", "run", "--yes", "-o", output)
    assert (result.exit_code, result.stdout) == (3, snapshot)
    assert load[0][0].confirm_seconds == 0


def test_run_again_with_asks_for_the_same(streamctl, load):
    streamctl(
        "load", "run", "--yes", "--rate", "1500000", "--seconds", "7.5", "--halvings", "3",
        "--confirm", "5m", "--partitions", "6", "--devices", "9", "--record-bytes", "800",
        "--flaws", "0", "--late", "0.2", "--late-by", "1:9", "--state", "5", "--state", "70",
        "--store", "hdfs", "--store", "rocksdb", "--set", "stream.window=5 minutes",
    )  # fmt: skip
    plan, flow, settings, command = load[0]
    assert (plan.confirm_seconds, plan.partitions, plan.states) == (300, 6, (5, 70))
    assert (flow.late_by_seconds, flow.record_bytes) == ((1, 9), 800)
    assert settings == {"stream.window": "5 minutes"}
    streamctl(*shlex.split(command)[1:], "--yes")
    assert load[1] == load[0]


def test_sigterm_ends_a_load_run_in_order_and_says_how_to_go_on(streamctl, monkeypatch):
    ended = []

    def loading(*_, **__):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        finally:
            ended.append("all that was started")
        raise AssertionError("not interrupted")

    monkeypatch.setattr("streamctl.chaos.load.run.run_load", loading)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        result = streamctl("load", "run", "--yes")
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (result.exit_code, ended) == (130, ["all that was started"])
    assert "The same command goes on" in result.stderr


def test_a_sound_campaign_is_shown(streamctl, snapshot, campaign):
    campaign(recorded())
    result = streamctl("chaos", "show", "-o", "table")
    assert (result.exit_code, result.stdout) == (0, snapshot)


def test_a_violated_campaign_exits_with_3_and_names_what_is_wrong(streamctl, campaign):
    campaign(planted("window-dropped"))
    result = streamctl("chaos", "show", "-o", "json")
    assert result.exit_code == 3
    wrong = [
        each["name"]
        for each in result.data["judgements"][0]["invariants"]
        if each["verdict"] != "ok"
    ]
    assert wrong == ["nothing lost"]
    assert "An invariant was violated!" in streamctl("chaos", "show", "-o", "tsv").stdout


def test_a_campaign_without_evidence_is_unknown(streamctl, tmp_path):
    (tmp_path / ".streamctl" / "chaos" / "20260101-000000").mkdir(parents=True)
    result = streamctl("chaos", "show", "-o", "tsv")
    assert result.exit_code == 3
    assert "Not everything could be told." in result.stdout


def test_an_experiment_without_a_verdict_is_named(streamctl, tmp_path, campaign):
    campaign(recorded())
    (tmp_path / ".streamctl" / "chaos" / "20260101-000000" / "002-disk-full").mkdir()
    result = streamctl("chaos", "show", "-o", "tsv")
    assert result.exit_code == 3
    assert "disk-full has no verdict: it left no evidence" in result.stdout
    assert streamctl("chaos", "report", "--to", str(tmp_path / "r.html")).exit_code == 0
    assert "disk-full" in (tmp_path / "r.html").read_text()


def test_it_is_told_how_the_job_was_degraded(streamctl, campaign):
    campaign(recorded())
    told = "kafka-killed: degraded: no commit for "
    assert told in streamctl("chaos", "show", "-o", "tsv").stdout
    (judgement,) = streamctl("chaos", "show", "-o", "json").data["judgements"]
    assert judgement["degraded"].startswith("no commit for ")


@pytest.mark.parametrize(
    ("flags", "command"),
    [
        ({"every": True, "quick": True}, "streamctl chaos run --all --quick --seed 7"),
        (
            {"names": ["a", "my file.json"], "repeat": 3, "target": "a:B"},
            "streamctl chaos run a 'my file.json' --repeat 3 --target a:B --seed 7",
        ),
    ],
)
def test_the_command_that_runs_it_again(flags, command):
    usual = {"names": [], "every": False, "quick": False, "repeat": 1, "seed": 7, "target": ""}
    here = Here(path="chaos run", output=Output.JSON)
    assert _again(here, **(usual | flags)) == command
    here = replace(here, context="prod", assignments=["chaos.toxiproxy=http://x"])
    added = " --context prod --set chaos.toxiproxy=http://x"
    assert sorted(shlex.split(_again(here, **(usual | flags)))) == sorted(
        shlex.split(command + added)
    )


def test_a_report_is_one_file(streamctl, campaign, tmp_path):
    campaign(recorded())
    result = streamctl("chaos", "report", "--to", str(tmp_path / "r.html"))
    assert result.exit_code == 0
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
