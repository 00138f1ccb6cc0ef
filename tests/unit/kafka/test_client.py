"""What the client library says, as an operator reads it."""

import pytest

from streamctl.errors import SettingsInvalid
from streamctl.kafka.client import Broker
from streamctl.settings.model import KafkaSettings


class Said:
    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text

    def name(self) -> str:
        return self._name

    def str(self) -> str:
        return self._text


CONNECT = "127.0.0.1:9/bootstrap: Connect to ipv4#127.0.0.1:9 failed: Connection refused"


@pytest.mark.parametrize(
    "counted",
    [
        "",
        " (after 0ms in state CONNECT)",
        " (after 0ms in state CONNECT, 1 identical error(s) suppressed)",
    ],
)
def test_the_reason_is_told_without_the_client_s_counting(counted):
    broker = Broker("127.0.0.1:9", timeout_seconds=3)
    broker._remember(Said("_TRANSPORT", CONNECT + counted))
    broker._remember(Said("_ALL_BROKERS_DOWN", "1/1 brokers are down"))
    error = broker.unreachable("timed out")
    assert error.message == (
        "no answer from Kafka at 127.0.0.1:9 within 3 s: "
        "Connect to ipv4#127.0.0.1:9 failed: Connection refused"
    )


def test_secrets_of_the_settings_are_resolved(monkeypatch):
    """Every command makes its client so: a reference must never reach Kafka as it stands."""
    monkeypatch.setenv("KAFKA_WORD", "w0rd")
    kafka = KafkaSettings(
        bootstrap_servers="k:9092",
        options={"sasl.username": "me", "sasl.password": "${env:KAFKA_WORD}"},
        timeout_seconds=7,
    )
    broker = Broker.of(kafka)
    assert broker._config["sasl.password"] == "w0rd"
    assert (broker.servers, broker.timeout_seconds) == ("k:9092", 7)
    assert Broker.of(kafka, timeout_seconds=2).timeout_seconds == 2
    monkeypatch.delenv("KAFKA_WORD")
    with pytest.raises(SettingsInvalid, match="KAFKA_WORD"):
        Broker.of(kafka)
