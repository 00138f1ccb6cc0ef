"""Names, types and units; dashboards and rules can only name what there is."""

import json
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client.parser import text_string_to_metric_families

from streamctl.health.alerts.prometheus import rules
from streamctl.health.alerts.rules import RULES
from streamctl.metrics.dashboard import dashboard
from streamctl.metrics.definitions import JOB_LABEL, METRICS, Kind
from streamctl.metrics.exposition import exposition
from streamctl.metrics.otel import exporting, provider
from streamctl.settings.model import AlertSettings, Settings, SuperviseSettings
from tests.samples import lag, sample

PROMTOOL = shutil.which("promtool") or ""
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")
NAME = re.compile(r"streamctl_[a-z_]+")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_name_is_as_prometheus_wants_it(metric):
    assert NAME.fullmatch(metric.name)
    assert metric.name.endswith(f"_{metric.unit}") or not metric.unit
    assert not metric.name.endswith("_total")
    assert metric.help.endswith(".")
    assert "topic" not in metric.labels or metric.partitions


def test_names_are_told_once():
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_the_exposition_is_what_prometheus_parses():
    text = exposition(sample(lag=lag(5, seconds=2.5)))
    found = {family.name: family for family in text_string_to_metric_families(text)}
    assert found["streamctl_consumer_lag_records"].samples[0].value == 5
    assert found["streamctl_consumer_lag_records"].type == "gauge"
    assert found["streamctl_rejected_records"].type == "counter"
    assert found["streamctl_rejected_records"].samples[0].labels == {
        "job_name": "jobs.telemetry:TelemetryJob",
        "query": "windows",
        "reason": "bad",
    }
    assert "streamctl_partition_lag_records" not in found


def test_what_is_not_known_has_no_series():
    text = exposition(sample(lag=None))
    assert "streamctl_consumer_lag_records{" not in text
    assert "NaN" not in text


def test_partitions_are_asked_for():
    assert 'partition="0"' in exposition(sample(), partitions=True)


def test_a_dashboard_names_only_metrics_that_there_are():
    series = {metric.series_name for metric in METRICS}
    panels = [panel for panel in dashboard()["panels"] if panel["type"] == "timeseries"]
    named = {name for panel in panels for name in NAME.findall(panel["targets"][0]["expr"])}
    assert named <= series
    assert named == {metric.series_name for metric in METRICS if metric.panel}
    counters = [metric.series_name for metric in METRICS if metric.kind is Kind.COUNTER]
    for panel in panels:
        expression = panel["targets"][0]["expr"]
        assert expression.startswith("rate(") == any(name in expression for name in counters)


def test_panels_do_not_lie_over_each_other():
    taken = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken
        taken |= cells


def test_prometheus_rules_name_only_metrics_that_there_are():
    series = {metric.series_name for metric in METRICS}
    made = rules(Settings())["groups"][0]["rules"]
    assert len(made) == len(RULES) + 1
    for rule in made:
        assert set(NAME.findall(rule["expr"])) <= series, rule


def test_an_alert_that_is_off_makes_no_rule():
    made = rules(Settings(alerts=AlertSettings(lag_records=0)))["groups"][0]["rules"]
    assert "StreamctlLag" not in {rule["alert"] for rule in made}


def test_no_series_has_a_label_that_prometheus_gives_itself():
    text = exposition(sample(), partitions=True)
    names = {
        label
        for family in text_string_to_metric_families(text)
        for found in family.samples
        for label in found.labels
    }
    assert JOB_LABEL in names
    assert not names & {"job", "instance"}
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            assert f'{{{JOB_LABEL}=~"${JOB_LABEL}"}}' in target["expr"]


def test_thresholds_are_told_to_the_last_digit():
    settings = Settings(alerts=AlertSettings(disk_free_bytes=1_234_567_891_011))
    exprs = [rule["expr"] for rule in rules(settings)["groups"][0]["rules"]]
    assert any(expr.endswith("< 1234567891011") for expr in exprs)


def test_without_restarts_none_can_be_used_up():
    made = rules(Settings(supervise=SuperviseSettings(attempts=0)))["groups"][0]["rules"]
    assert "StreamctlRestarts" not in {rule["alert"] for rule in made}


BAD_SERIES = {
    "StreamctlFailed": ("streamctl_failed{%s}", 1),
    "StreamctlBreaker": ("streamctl_breaker_state{%s}", 2),
    "StreamctlLag": ('streamctl_consumer_lag_records{%s, query="q"}', 200_000),
    "StreamctlTimeLag": ('streamctl_time_lag_seconds{%s, query="q"}', 700),
    "StreamctlRetention": ('streamctl_retention_left_seconds{%s, query="q"}', 60),
    "StreamctlKafka": ('streamctl_kafka_findings{%s, query="q"}', 1),
    "StreamctlLoss": ('streamctl_loss_ranges_last_hour{%s, query="q"}', 1),
    "StreamctlErrors": ('streamctl_rejected_records_per_minute{%s, query="q", reason="a"}', 1001),
    "StreamctlRejectedShare": ('streamctl_rejected_ratio{%s, query="q"}', 0.5),
    "StreamctlRepairedState": ('streamctl_repaired_snapshots_last_hour{%s, query="q"}', 1),
    "StreamctlCheckpointSize": ('streamctl_checkpoint_bytes{%s, query="q", kind="state"}', 6e10),
    "StreamctlDisk": ('streamctl_disk_free_bytes{%s, place="output"}', 5),
    "StreamctlBackup": ("streamctl_backup_failed{%s}", 1),
    "StreamctlRestarts": ("streamctl_attempts_left{%s}", 0),
}
FINE = {
    'streamctl_rejected_records_per_minute{%s, query="q", reason="a"}': 600,
    'streamctl_rejected_records_per_minute{%s, query="q", reason="b"}': 300,
}
"""Of each of two jobs: below the threshold, and above it if they were added up."""


def promtool_tests(tmp_path, series, asked):
    """Series scraped each minute, and which alerts are there after ten.

    Rules are looked at between two scrapes too: it would be chance if they fell together.
    """
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules(Settings())))
    tests = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "20s",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": f"{value}x20"} for name, value in series.items()
                ],
                "alert_rule_test": [
                    {"eval_time": "10m", "alertname": name, "exp_alerts": expected}
                    for name, expected in asked.items()
                ],
            }
        ],
    }
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump(tests))
    return subprocess.run(
        [PROMTOOL, "test", "rules", str(file)], capture_output=True, text=True, check=False
    )


def firing(checked):
    """Alert -> the jobs that promtool found it to name, which it did not expect."""
    said = checked.stdout + checked.stderr
    told = re.findall(r'Labels:{alertname="(\w+)".*\n.*summary="(.*?): ', said)
    return {name: [job for known, job in told if known == name] for name, _ in told}


def scraped(job_name):
    """Labels as they are after a scrape: two supervisors under one scrape job."""
    return f'job="spark", instance="{job_name}:1", job_name="{job_name}"'


@needs_promtool
def test_each_rule_fires_at_one_scrape_a_minute_and_names_its_job(tmp_path):
    series = {name % scraped("bad"): value for name, value in BAD_SERIES.values()}
    series |= {name % scraped(job): value for job in ("one", "two") for name, value in FINE.items()}
    found = firing(promtool_tests(tmp_path, series, {name: [] for name in BAD_SERIES}))
    assert found == {name: ["bad"] for name in BAD_SERIES}


@needs_promtool
@pytest.mark.parametrize(
    ("silent", "window", "fires", "why"),
    [
        (200, 60, False, "not yet as long as it is set"),
        (400, 60, True, "longer than it is set"),
        (400, 1800, False, "the trigger is rare: the window of health is longer"),
        (1900, 1800, True, "longer than that too"),
    ],
)
def test_the_rule_of_a_standstill_goes_with_the_window_of_health(
    tmp_path, silent, window, fires, why
):
    series = {
        f'streamctl_not_processing_seconds{{{scraped("j")}, query="q"}}': silent,
        f'streamctl_stall_window_seconds{{{scraped("j")}, query="q"}}': window,
    }
    checked = promtool_tests(tmp_path, series, {"StreamctlNotProcessing": []})
    assert bool(firing(checked)) == fires, why


def test_every_rule_is_tried():
    tried = BAD_SERIES.keys() | {"StreamctlNotProcessing", "StreamctlGone"}
    assert tried == {rule["alert"] for rule in rules(Settings())["groups"][0]["rules"]}


@needs_promtool
def test_promtool_takes_the_rules(tmp_path):
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump(rules(Settings())))
    checked = subprocess.run(
        [PROMTOOL, "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_promtool
def test_promtool_finds_nothing_to_blame_in_the_metrics():
    checked = subprocess.run(
        [PROMTOOL, "check", "metrics"],
        input=exposition(sample(), partitions=True),
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_dashboard_is_json():
    assert json.loads(json.dumps(dashboard()))["uid"] == "streamctl"


def test_opentelemetry_is_given_the_same():
    reader = InMemoryMetricReader()
    provider(reader, lambda: sample(lag=lag(5)), partitions=False)
    data = reader.get_metrics_data()
    assert data is not None
    found = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    assert found.keys() <= {metric.name for metric in METRICS}
    point = found["streamctl_consumer_lag_records"].data.data_points[0]
    assert point.value == 5
    assert point.attributes == {"job_name": "jobs.telemetry:TelemetryJob", "query": "windows"}
    assert found["streamctl_checkpoint_bytes"].unit == "By"
    assert found["streamctl_rejected_records"].data.is_monotonic


def test_a_collector_is_sent_to():
    got = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        sending = exporting(endpoint, sample, every_seconds=60, partitions=False)
        sending.shutdown()
        server.shutdown()
    path, body = got[0]
    assert path == "/v1/metrics"
    assert b"streamctl_consumer_lag_records" in body
