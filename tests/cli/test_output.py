"""One envelope, one error form, the right stream and exit code."""

import json

import pytest

from streamctl.errors import EXIT_MEANINGS, ExitCode


def test_json_is_one_envelope_wherever_the_flag_stands(streamctl):
    before = streamctl("-o", "json", "config", "show")
    after = streamctl("config", "show", "-o", "json")
    assert before.stdout == after.stdout
    document = json.loads(after.stdout)
    assert list(document) == ["schema", "command", "data", "warnings"]
    assert document["schema"] == "streamctl.config.show/1"
    assert after.stderr == ""


def test_off_a_terminal_rows_are_tab_separated_and_never_cut(streamctl):
    rows = [line.split("\t") for line in streamctl("config", "show").stdout.splitlines()]
    assert all(len(row) == 2 for row in rows)
    assert ["kafka.topic", "device-telemetry"] in rows
    location = dict(rows)["checkpoint.location"]
    assert location.endswith("/data/checkpoint")
    assert "…" not in location


def test_a_table_at_80_columns(streamctl, snapshot):
    result = streamctl("config", "explain", "stream", "-o", "table")
    assert result.stdout == snapshot


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nonsense"], ExitCode.USAGE, "No such command"),
        (["start", "--nonsense"], ExitCode.USAGE, "No such option"),
        (["config", "show", "--set", "kafka.topc=1"], ExitCode.USAGE, "unknown setting"),
        (["config", "explain", "nonsense"], ExitCode.NOT_FOUND, "no setting"),
        (["status"], ExitCode.NOT_FOUND, "no job was ever started"),
        (["stop"], ExitCode.NOT_FOUND, "no job was ever started"),
        (["stop", "--deadline", "0"], ExitCode.USAGE, "above 0"),
        (["logs"], ExitCode.NOT_FOUND, "no log"),
        (["logs", "--level", "LOUD"], ExitCode.USAGE, "no level"),
        (["logs", "--since", "yesterday-ish"], ExitCode.USAGE, "is no time"),
        (["logs", "--grep", "("], ExitCode.USAGE, "not an expression"),
        (["--context", "x", "status"], ExitCode.USAGE, "No such option"),
        (["status", "--context", "x"], ExitCode.USAGE, 'context "x" is not defined'),
    ],
)
def test_errors_go_to_stderr_with_their_code(streamctl, arguments, code, message):
    result = streamctl(*arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_an_error_as_json(streamctl):
    result = streamctl("status", "-o", "json")
    document = json.loads(result.stderr)
    assert document["schema"] == "streamctl.error/1"
    assert document["error"]["kind"] == "JobNotFound"
    assert document["error"]["exit_code"] == 10
    assert document["error"]["hint"]


def test_config_init_writes_a_file_that_is_right_and_never_twice(streamctl, tmp_path):
    assert streamctl("config", "init").exit_code == 0
    text = (tmp_path / "streamctl.toml").read_text()
    commented = [line for line in text.splitlines() if line.startswith("#") and " = " in line]
    settings = "\n".join(line.removeprefix("#") for line in text.splitlines() if "# " not in line)
    (tmp_path / "streamctl.toml").write_text(settings)
    assert len(commented) > 20
    assert streamctl("config", "show").exit_code == 0
    again = streamctl("config", "init")
    assert again.exit_code == ExitCode.REFUSED
    assert "already there" in again.stderr


def test_every_exit_code_has_a_meaning():
    assert set(EXIT_MEANINGS) == set(ExitCode)
