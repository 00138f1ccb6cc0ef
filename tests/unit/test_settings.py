"""Which source wins, what is refused, and how it is explained."""

from pathlib import Path

import pytest

from streamctl.errors import ExitCode, SettingsInvalid
from streamctl.settings.resolve import explain, known_keys, resolve
from streamctl.settings.secrets import is_secret
from streamctl.settings.secrets import resolve as resolve_secret
from streamctl.settings.sources import Layers, collect, parse_assignments


def layers(tmp_path: Path, *, toml="", flags=None, environ=None, contexts="", **more) -> Layers:
    if toml:
        (tmp_path / "streamctl.toml").write_text(toml)
    home = tmp_path / "config"
    (home / "streamctl").mkdir(parents=True, exist_ok=True)
    if contexts:
        (home / "streamctl" / "contexts.toml").write_text(contexts)
    return collect(
        flags=flags or {},
        environ={"XDG_CONFIG_HOME": str(home)} | (environ or {}),
        directory=tmp_path,
        **more,
    )


SOURCES = {
    "flags": {"flags": {"kafka.topic": "from-flag"}},
    "environ": {"environ": {"KAFKA_TOPIC": "from-environment"}},
    "toml": {"toml": '[kafka]\ntopic = "from-project"\n'},
    "contexts": {"contexts": '[prod.kafka]\ntopic = "from-context"\n', "context": "prod"},
}


@pytest.mark.parametrize(
    ("sources", "topic"),
    [
        ("flags environ toml contexts", "from-flag"),
        ("environ toml contexts", "from-environment"),
        ("toml contexts", "from-project"),
        ("contexts", "from-context"),
        ("", "device-telemetry"),
    ],
)
def test_order_of_sources(tmp_path, sources, topic):
    given = {key: value for name in sources.split() for key, value in SOURCES[name].items()}
    assert resolve(layers(tmp_path, **given)).kafka.topic == topic


def test_explain_names_the_origin_and_what_it_overrode(tmp_path):
    given = {key: value for source in SOURCES.values() for key, value in source.items()}
    (row,) = [row for row in explain(layers(tmp_path, **given)) if row.key == "kafka.topic"]
    assert (row.value, row.origin) == ("from-flag", "flag")
    assert row.overrode == [
        "environment: from-environment",
        f"{tmp_path / 'streamctl.toml'}: from-project",
        "context prod: from-context",
        "default: device-telemetry",
    ]


def test_explain_has_a_description_of_every_setting(tmp_path):
    rows = explain(layers(tmp_path))
    assert all(row.description for row in rows)
    holding_entries = {"job.options", "kafka.options", "spark.options", "log.levels"}
    assert {row.key for row in rows} == set(known_keys()) - holding_entries


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"flags": {"kafka.topc": "x"}}, 'unknown setting "kafka.topc" (flag)'),
        ({"flags": {"nothing.topic": "x"}}, 'unknown setting "nothing.topic" (flag)'),
        ({"environ": {"STREAMCTL_KAFKA__TOPC": "x"}}, 'unknown setting "kafka.topc" (environment)'),
        ({"environ": {"STREAMCTL_NONSENSE": "x"}}, 'unknown setting "nonsense." (environment)'),
        ({"toml": "[kafka]\ntopic = 5\n"}, '"5" is not valid'),
        ({"toml": "topic = 5\n"}, 'unknown setting "topic"'),
        ({"toml": "[kafka\n"}, "cannot read"),
        ({"flags": {"kafka.max_offsets_per_trigger": "many"}}, "kafka.max_offsets_per_trigger"),
        ({"flags": {"kafka.max_offsets_per_trigger": "0"}}, "greater than 0"),
        ({"context": "prod"}, 'context "prod" is not defined; known: none'),
        ({"environ": {"STREAMCTL_SPARK__OPTIONS": "{"}}, "not a JSON object"),
        (
            {"flags": {"kafka.options.sasl.password": "hunter2"}},
            "kafka.options.sasl.password (flag) holds a secret in plain text",
        ),
    ],
)
def test_bad_settings_are_one_clear_line(tmp_path, given, message):
    with pytest.raises(SettingsInvalid) as caught:
        resolve(layers(tmp_path, **given))
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint.endswith((".", "?", "}"))
    assert caught.value.exit_code is ExitCode.USAGE
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_unreadable_project_file_is_an_error(tmp_path):
    (tmp_path / "streamctl.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsInvalid, match="cannot read"):
        collect(flags={}, environ={}, directory=tmp_path)


def test_options_keep_their_dots_and_booleans(tmp_path):
    settings = resolve(
        layers(
            tmp_path,
            toml='[spark.options]\n"spark.ui.enabled" = true\n',
            flags={"spark.options.spark.sql.ansi.enabled": "false"},
            environ={"STREAMCTL_KAFKA__OPTIONS": '{"security.protocol": "SASL_SSL"}'},
        )
    )
    assert settings.spark.options == {
        "spark.ui.enabled": "true",
        "spark.sql.ansi.enabled": "false",
    }
    assert settings.kafka.options == {"security.protocol": "SASL_SSL"}


def test_relative_locations_are_taken_from_where_they_are_written(tmp_path):
    below = tmp_path / "deep" / "er"
    below.mkdir(parents=True)
    (tmp_path / "streamctl.toml").write_text('[checkpoint]\nlocation = "state"\n')
    found = collect(flags={"output.location": "out"}, environ={}, directory=below)
    settings = resolve(found)
    assert settings.checkpoint.location == str(tmp_path / "state")
    assert settings.output.location == str(below / "out")
    assert found.root == tmp_path
    remote = collect(flags={"checkpoint.location": "s3://b/c"}, environ={}, directory=below)
    assert resolve(remote).checkpoint.location == "s3://b/c"


def test_each_context_has_a_run_directory_of_its_own(tmp_path):
    assert layers(tmp_path).run_directory == tmp_path / ".streamctl" / "default"
    assert layers(tmp_path, **SOURCES["contexts"]).run_directory == tmp_path / ".streamctl" / "prod"


def test_secrets_are_references(tmp_path, monkeypatch):
    monkeypatch.setenv("THE_PASSWORD", "hunter2")
    (tmp_path / "token").write_text("abc\n")
    text = f"user=u password=${{env:THE_PASSWORD}} token=${{file:{tmp_path / 'token'}}}"
    assert resolve_secret(text) == "user=u password=hunter2 token=abc"
    with pytest.raises(SettingsInvalid, match="NOT_THERE"):
        resolve_secret("${env:NOT_THERE}")
    with pytest.raises(SettingsInvalid, match="cannot be resolved"):
        resolve_secret("${file:/not/there}")
    assert is_secret("kafka.options.ssl.keystore.password")
    assert not is_secret("kafka.options.security.protocol")


@pytest.mark.parametrize("text", ["novalue", "nodot=1", "=x"])
def test_set_wants_a_section_and_a_value(text):
    with pytest.raises(SettingsInvalid, match="cannot read --set"):
        parse_assignments([text])
