"""`streamctl chaos` and `load`: what needs neither Kafka nor Spark."""

import pytest

from streamctl.chaos.evidence import write_evidence
from tests.planted import PLANTED, recorded


@pytest.fixture
def campaign(tmp_path):
    def make(evidence) -> None:
        place = tmp_path / ".streamctl" / "chaos" / "20260101-000000" / "001-driver-killed"
        place.mkdir(parents=True)
        write_evidence(place / "evidence.json", evidence)

    return make


def test_the_experiments_are_listed(streamctl, snapshot):
    assert streamctl("chaos", "list").stdout == snapshot


def test_the_verbs_are_listed(streamctl, snapshot):
    assert streamctl("chaos", "verbs").stdout == snapshot


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
        (("run", "driver-killed", "--target", "a:B", "--set", "checkpoint.protected=true"), 25),
        (("show",), 10),
        (("report",), 10),
        (("cleanup",), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_exit_codes(streamctl, arguments, code):
    assert streamctl("chaos", *arguments).exit_code == code


def test_load_asks_before_it_loads(streamctl):
    assert streamctl("load", "run").exit_code == 14


def test_a_sound_campaign_is_shown(streamctl, snapshot, campaign):
    campaign(recorded())
    result = streamctl("chaos", "show", "-o", "table")
    assert (result.exit_code, result.stdout) == (0, snapshot)


def test_a_violated_campaign_exits_with_3_and_names_what_is_wrong(streamctl, campaign):
    bug = next(bug for bug in PLANTED if bug.name == "window-dropped")
    campaign(bug.plant(recorded()))
    result = streamctl("chaos", "show", "-o", "json")
    assert result.exit_code == 3
    wrong = [
        each["name"]
        for each in result.data["judgements"][0]["invariants"]
        if each["verdict"] != "ok"
    ]
    assert wrong == ["nothing lost"]
    assert "An invariant was violated!" in streamctl("chaos", "show", "-o", "tsv").stdout


def test_a_report_is_one_file(streamctl, campaign, tmp_path):
    campaign(recorded())
    result = streamctl("chaos", "report", "--to", str(tmp_path / "r.html"))
    assert result.exit_code == 0
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
