"""Experiments from files, ours and Chaos Toolkit's, and what a probe may answer."""

import http.server
import json
import sys
import threading

import pytest

from streamctl.chaos.experiment import (
    Http,
    Process,
    Role,
    Verb,
    as_document,
    parse_activity,
    parse_experiment,
    read_experiment,
)
from streamctl.chaos.providers import request, run_process
from streamctl.chaos.tolerance import is_within
from streamctl.errors import Malformed, NotFound, StreamctlError, Unsupported

# the form of the experiment API reference of Chaos Toolkit 1.x
TOOLKIT = {
    "version": "1.0.0",
    "title": "What happens when the certificate expires?",
    "description": "A service is called through TLS.",
    "tags": ["tls"],
    "configuration": {"host": "localhost", "port": {"type": "env", "key": "PORT", "default": 1}},
    "steady-state-hypothesis": {
        "title": "It answers",
        "probes": [
            {
                "type": "probe",
                "name": "answers",
                "tolerance": 200,
                "provider": {"type": "http", "timeout": [3, 5], "url": "http://${host}:${port}/"},
            }
        ],
    },
    "method": [
        {
            "type": "action",
            "name": "swap",
            "background": True,
            "provider": {"type": "process", "path": "cp", "arguments": "expired.pem cert.pem"},
            "pauses": {"before": 1, "after": 2},
        },
        {
            "type": "probe",
            "name": "count",
            "provider": {"type": "process", "path": "wc", "arguments": {"-l": None, "-w": "x"}},
        },
    ],
    "rollbacks": [
        {
            "type": "action",
            "name": "back",
            "provider": {"type": "process", "path": "cp", "arguments": ["valid.pem", "cert.pem"]},
        }
    ],
}


def test_an_experiment_of_chaos_toolkit_is_read():
    found = parse_experiment(TOOLKIT, name="tls")
    assert found.hypothesis[0].provider == Http(url="http://localhost:1/", timeout_seconds=5.0)
    assert found.hypothesis[0].tolerance == 200
    swap, count = found.method
    assert swap.provider == Process(command=("cp", "expired.pem", "cert.pem"))
    assert (swap.background, swap.pause_before_seconds, swap.pause_after_seconds) == (True, 1, 2)
    assert (count.role, count.provider.command) == (Role.PROBE, ("wc", "-l", "-w", "x"))
    assert found.rollbacks[0].provider.command == ("cp", "valid.pem", "cert.pem")


def test_a_value_from_the_environment_keeps_the_type_of_its_default(monkeypatch):
    document = {**TOOLKIT, "steady-state-hypothesis": None}
    document["method"] = [
        {
            "type": "action",
            "name": "a",
            "provider": {
                "type": "streamctl", "action": "kafka.pause", "arguments": {"n": "${port}"}
            },
        }
    ]  # fmt: skip
    verb = parse_experiment(document, name="x").method[0].provider
    assert verb == Verb(name="kafka.pause", arguments={"n": 1})
    monkeypatch.setenv("PORT", "7")
    verb = parse_experiment(document, name="x").method[0].provider
    assert verb.arguments == {"n": "7"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"method": None}, Malformed),
        ({"title": ...}, Malformed),
        (
            {"method": [{"type": "action", "name": "a", "provider": {"type": "python"}}]},
            Unsupported,
        ),
        ({"method": [{"ref": "a"}]}, NotFound),
        (
            {
                "method": [
                    {
                        "type": "action",
                        "name": "a",
                        "part": "whole",
                        "provider": {"type": "process", "path": "true"},
                    }
                ]
            },
            Malformed,
        ),
        ({"configuration": {"x": {"type": "env", "key": "NOT_THERE"}}}, NotFound),
        ({"streamctl": {"unknown": 1}}, Malformed),
        ({"method": [{"type": "deed", "name": "a", "provider": {"type": "process"}}]}, Malformed),
    ],
)
def test_what_is_not_known_is_refused(change, error):
    document = {k: v for k, v in (TOOLKIT | change).items() if v is not ...}
    with pytest.raises(error):
        parse_experiment(document, name="x")


def test_an_activity_is_referred_to_by_its_name():
    method = [{"ref": "answers"}, *TOOLKIT["method"], {"ref": "swap"}]
    found = parse_experiment({**TOOLKIT, "method": method}, name="x")
    assert found.method[0] == found.hypothesis[0]
    assert found.method[-1] == found.method[1]


@pytest.mark.parametrize(
    ("given", "url", "body"),
    [
        ({"arguments": {"a": 1, "b": ["x", "y z"]}}, "http://h/?a=1&b=x&b=y+z", ""),
        ({"url": "http://h/?q=1", "arguments": {"a": 1}}, "http://h/?q=1&a=1", ""),
        ({"method": "post", "arguments": {"a": 1, "b": "x y"}}, "http://h/", "a=1&b=x+y"),
        ({"method": "PUT", "arguments": "as it is"}, "http://h/", "as it is"),
        (
            {
                "method": "POST",
                "headers": {"content-type": "application/json; charset=utf-8"},
                "arguments": {"a": 1},
            },
            "http://h/",
            '{"a": 1}',
        ),
        ({}, "http://h/", ""),
    ],
)
def test_arguments_are_the_query_of_a_get_and_else_the_body(given, url, body):
    provider = {"type": "http", "url": "http://h/", **given}
    document = {"type": "action", "name": "a", "provider": provider}
    found = parse_activity(document)
    assert (found.provider.url, found.provider.body) == (url, body)
    assert parse_activity(as_document(found)) == found


def test_yaml_and_json_hold_the_same(tmp_path):
    import yaml

    (tmp_path / "e.json").write_text(json.dumps(TOOLKIT))
    (tmp_path / "e.yaml").write_text(yaml.safe_dump(TOOLKIT))
    assert read_experiment(tmp_path / "e.json") == read_experiment(tmp_path / "e.yaml")
    (tmp_path / "e.json").write_text("{")
    with pytest.raises(Malformed, match="cannot read"):
        read_experiment(tmp_path / "e.json")
    with pytest.raises(NotFound):
        read_experiment(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("tolerance", "answer", "expected"),
    [
        (None, "anything", True),
        (True, True, True),
        (True, 1, False),  # a count is no truth
        (1, True, False),
        ("ok", "ok", True),
        (0, {"status": 0, "stdout": "x"}, True),
        ([200, 204], {"status": 204}, True),
        ([200, 204], {"status": 202}, False),  # a status is one of the items, be there two
        ([200, 204], {"body": "no status"}, False),
        ([4, 9], 6, True),  # of any other probe two numbers are bounds
        ([4, 9], 9, True),
        ([4, 9], 9.5, False),
        ([0, 1], True, False),
        ([4, 6, 9], 5, False),
        (["a", "c"], "b", False),
        ({"type": "range", "range": [0, 5]}, 5, True),
        ({"type": "range", "range": [0, 5]}, 5.1, False),
        ({"type": "range", "range": [0, 5]}, None, False),  # not known is not within
        ({"type": "range", "range": [0, 5]}, True, False),
        ({"type": "range", "target": "stdout", "range": [0, 5]}, {"stdout": "4\n"}, True),
        ({"type": "range", "target": "stdout", "range": [0, 5]}, {"stdout": "nan"}, False),
        ({"type": "range", "target": "stdout", "range": [0, 5]}, {"stdout": "many"}, False),
        ({"type": "regex", "target": "body", "pattern": "o"}, {"status": 0}, False),
        ({"type": "regex", "target": "stdout", "pattern": "up$"}, {"stdout": "is up"}, True),
        ({"type": "regex", "target": "stdout", "pattern": "up$"}, {"stdout": "down"}, False),
    ],
)
def test_tolerances(tolerance, answer, expected):
    assert is_within(tolerance, answer) is expected


@pytest.mark.parametrize(
    ("tolerance", "error"),
    [
        ({"type": "jsonpath", "path": "$.a", "expect": [1]}, Unsupported),
        ({"type": "probe", "name": "p", "provider": {"type": "process", "path": "x"}}, Unsupported),
        ({"low": 1}, Unsupported),
        ({"type": "range", "range": [1]}, Malformed),
        ({"type": "range", "range": ["a", "b"]}, Malformed),
        ({"type": "range"}, Malformed),
        ({"type": "regex", "pattern": "("}, Malformed),
        ({"type": "regex"}, Malformed),
    ],
)
@pytest.mark.parametrize("section", ["steady-state-hypothesis", "method"])
def test_a_tolerance_that_cannot_judge_is_refused_before_anything_is_done(
    tolerance, error, section
):
    probe = {**TOOLKIT["steady-state-hypothesis"]["probes"][0], "tolerance": tolerance}
    change = {"method": [probe]} if section == "method" else {section: {"probes": [probe]}}
    with pytest.raises(error):
        parse_experiment({**TOOLKIT, **change}, name="x")


@pytest.mark.parametrize(
    ("tolerance", "error"),
    [
        ({"type": "jsonpath", "path": "$"}, Unsupported),
        ({"type": "range", "range": [1]}, Malformed),
        ({"type": "range", "range": [0, "five"]}, Malformed),
        ({"type": "range"}, Malformed),
        ({"type": "regex", "pattern": "("}, Malformed),
        ({"type": "regex"}, Malformed),
    ],
)
@pytest.mark.parametrize("step", ["probe", "action"])
def test_a_tolerance_that_nothing_can_be_judged_by_is_refused_with_its_file(step, tolerance, error):
    method = [
        {"type": step, "name": "a", "tolerance": tolerance,
         "provider": {"type": "process", "path": "true"}},
    ]  # fmt: skip
    with pytest.raises(error):
        parse_experiment({**TOOLKIT, "method": method}, name="x")


def test_a_process_answers_with_its_exit_code():
    code = "import sys; print('out'); sys.exit(4)"
    answer = run_process(Process(command=(sys.executable, "-c", code)))
    assert (answer["status"], answer["stdout"]) == (4, "out\n")
    with pytest.raises(StreamctlError, match="cannot run"):
        run_process(Process(command=("/no/such/program",)))
    with pytest.raises(StreamctlError, match="did not end"):
        run_process(Process(command=("/bin/sleep", "9"), timeout_seconds=0.05))


def test_a_request_answers_with_its_status():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(503 if self.path == "/down" else 200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_):
            return

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    try:
        assert request(Http(url=base))["body"] == "hello"
        assert request(Http(url=f"{base}/down"))["status"] == 503
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(StreamctlError, match="no answer"):
        request(Http(url=base, timeout_seconds=1))
    with pytest.raises(Unsupported):
        request(Http(url="file:///etc/passwd"))
