"""A real job is watched: page, health, alerts, published position, and a driver that hangs."""

import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request

import pytest

from streamctl.job.launcher import session_members
from streamctl.rundir.records import Observed
from tests import kafka_tools
from tests.browser import CHROMIUM, page_in_a_browser
from tests.harness import until
from tests.receiver import Receiver

pytestmark = pytest.mark.integration
STALL_SECONDS = 12


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def signal_driver(project, number):
    for pid in session_members(project.status().driver_pid):
        os.kill(pid, number)


def check_page(project, url):
    """Numbers on the page are those of `status`, once no batch ends between the two looks."""

    def agree():
        status = project.json("status").data
        document, said = page_in_a_browser(url)
        assert said == []
        assert document.count('class="main-svg"') >= 5, "five plots are drawn"
        return numbers_on(document) == numbers_of(status) and (document, status)

    document, status = until(agree)
    text = re.sub(r"<[^>]+>", "\t", document)
    assert status["run_id"] in text
    assert status["generation"] in text


def numbers_on(document):
    """Committed batch, rows and rejected rows of each query on the page."""
    rows = re.findall(r'<tr><td class="">(.*?)</td>(.*?)</tr>', document)
    cells = {name: re.findall(r"<td[^>]*>(.*?)</td>", rest) for name, rest in rows}
    return {name: (told[0], told[2], told[8]) for name, told in cells.items() if len(told) > 8}


def numbers_of(status):
    return {
        query["name"]: (
            str(query["committed_batch_id"]),
            f"{query['total_rows']:,}",
            f"{sum(query['rejected_rows'].values()):,}",
        )
        for query in status["queries"]
    }


def test_a_job_is_watched(project, broker, topic):
    with Receiver().listening() as receiver:
        flags = {
            "observe.every_seconds": "1",
            "observe.stall_seconds": str(STALL_SECONDS),
            "observe.publish_group": f"g-{topic}",
            "alerts.receivers": receiver.url,
            "alerts.lag_records": "100",
            "alerts.average_seconds": "0",
            "alerts.settle_seconds": "1",
        }
        sent = project("produce", "--count", "3000", "--flaw", "all=0.2")
        assert sent.exit_code == 0, sent.stderr
        given = [text for key, value in flags.items() for text in ("--set", f"{key}={value}")]
        assert project("start", *given).exit_code == 0
        url = until(lambda: project.json("status").data["url"])

        assert get(url + "livez") == (200, "ok\n")
        until(lambda: get(url + "readyz")[0] == 200)
        project.drain()
        metrics = get(url + "metrics")[1]
        rejected = re.findall(r"streamctl_dead_letters_total{.*dead_letters.*} (\S+)", metrics)
        letters = sum(high - low for low, high in broker.watermarks(f"{topic}.dlq").values())
        assert 500 < letters < 700
        assert rejected == [f"{letters}.0"]

        until(lambda: any("lag is high" in notice["title"] for notice in receiver.got))
        listed = project.json("alerts", "list")
        assert listed.data["watched"]
        until(lambda: any(n["title"].startswith("[over") for n in receiver.got))
        if CHROMIUM:
            check_page(project, url)

        command = kafka_tools.describe_group(broker.servers, f"g-{topic}")
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        published = kafka_tools.described(told, f"g-{topic}")
        assert sum(committed for committed, _, _ in published.values()) == 3000

        signal_driver(project, signal.SIGSTOP)
        try:
            until(lambda: get(url + "readyz")[0] == 503, seconds=STALL_SECONDS + 3)
            assert get(url + "livez")[0] == 200
            assert json.loads(get(url + "health")[1])["verdict"] == "problem"
            until(lambda: "stopped by a signal" in str(project.json("status").data["reasons"]))
        finally:
            signal_driver(project, signal.SIGCONT)
        until(lambda: get(url + "readyz")[0] == 200)
        until(lambda: project.json("status").data["verdict"] == "ok")
        assert project("stop").exit_code == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url + "livez", timeout=5)  # noqa: S310
    assert project("metrics").stdout.count("streamctl_consumer_lag_records{") == 2


def test_a_driver_that_hangs_amid_its_records_is_killed_and_started_again(project):
    sent = project("produce", "--count", "20000")
    assert sent.exit_code == 0, sent.stderr
    flags = {"supervise.hung_seconds": "45", "kafka.max_offsets_per_trigger": "200"}
    given = [text for key, value in flags.items() for text in ("--set", f"{key}={value}")]
    assert project("start", *given).exit_code == 0
    before = project.status()
    signal_driver(project, signal.SIGSTOP)
    until(lambda: project.status().driver_pid != before.driver_pid)
    assert not session_members(before.driver_pid)
    assert "has said nothing for" in project("logs", "--grep", "is killed").stdout
    until(lambda: project.status().observed is Observed.RUNNING)
    after = project.status()
    assert (after.run_id, after.attempt) == (before.run_id, before.attempt + 1)
    assert project("stop").exit_code == 0
