"""Spark's Kafka options in the words of librdkafka."""

import pytest

from streamctl.errors import SettingsInvalid
from streamctl.kafka.options import to_librdkafka

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
OAUTH = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"kafka.security.protocol": "SASL_SSL"}, {"security.protocol": "SASL_SSL"}),
        ({"sasl.mechanism": "PLAIN"}, {"sasl.mechanism": "PLAIN"}),
        (
            {"sasl.jaas.config": f'{PLAIN} required username="a" password="p=w;\\"x";'},
            {"sasl.username": "a", "sasl.password": 'p=w;"x'},
        ),
        (
            {"sasl.jaas.config": f"{SCRAM} required\n username='a' password=b;"},
            {"sasl.username": "a", "sasl.password": "b"},
        ),
        (
            {
                "sasl.jaas.config": f'{OAUTH} required clientId="c" clientSecret="s" scope="x";',
                "sasl.login.callback.handler.class": "a.b.OAuthBearerLoginCallbackHandler",
                "sasl.oauthbearer.token.endpoint.url": "https://id.example/token",
            },
            {
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.client.id": "c",
                "sasl.oauthbearer.client.secret": "s",
                "sasl.oauthbearer.scope": "x",
                "sasl.oauthbearer.token.endpoint.url": "https://id.example/token",
            },
        ),
        (
            {"ssl.truststore.location": "/x/ca", "ssl.truststore.type": "PEM"},
            {"ssl.ca.location": "/x/ca"},
        ),
        ({"ssl.truststore.location": "/x/ca.pem"}, {"ssl.ca.location": "/x/ca.pem"}),
        ({"ssl.truststore.certificates": "---"}, {"ssl.ca.pem": "---"}),
        (
            {"ssl.keystore.location": "/x/me.p12", "ssl.keystore.password": "p"},
            {"ssl.keystore.location": "/x/me.p12", "ssl.keystore.password": "p"},
        ),
        (
            {"ssl.keystore.location": "/x/me.pem"},
            {"ssl.certificate.location": "/x/me.pem", "ssl.key.location": "/x/me.pem"},
        ),
        (
            {"ssl.endpoint.identification.algorithm": ""},
            {"ssl.endpoint.identification.algorithm": "none"},
        ),
        ({"max.poll.records": "10", "fetch.min.bytes": "1"}, {}),  # tunes Spark's consumer only
    ],
)
def test_translated(given: dict[str, str], expected: dict[str, str]) -> None:
    assert to_librdkafka(given) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ssl.truststore.location": "/x/trust.jks"}, "not PEM"),
        ({"ssl.keystore.location": "/x/me.jks"}, "neither PEM nor PKCS12"),
        ({"sasl.jaas.config": "nonsense"}, "form"),
        (
            {"sasl.jaas.config": 'software.amazon.msk.auth.iam.IAMLoginModule required a="b";'},
            "IAM",
        ),
        ({"sasl.login.callback.handler.class": "com.example.Own"}, "com.example.Own"),
        ({"sasl.client.callback.handler.class": "com.example.Own"}, "no counterpart"),
        ({"ssl.engine.factory.class": "com.example.Own"}, "no counterpart"),
    ],
)
def test_what_cannot_be_translated_is_said(given: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsInvalid, match=words):
        to_librdkafka(given)


def test_a_password_is_not_in_the_message() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        to_librdkafka({"sasl.jaas.config": 'a.b.OtherModule required password="hunter2";'})
    assert "hunter2" not in caught.value.message
