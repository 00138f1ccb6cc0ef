"""Spark's `kafka.*` options, which are Kafka's Java names, in the words of librdkafka.

Only what decides how to reach a broker and prove who one is is carried over: addresses, security,
identity, connection times. What tunes Spark's own consumer (`max.poll.records` and its like) says
nothing about a client that asks for offsets, and is left out. A security option that has no
counterpart is an error: connecting without it would mean something else.

Sources: Kafka's `SaslConfigs`, `SslConfigs` and `JaasContext`; librdkafka's CONFIGURATION.md.
"""

import re
from collections.abc import Mapping
from pathlib import PurePath

from streamctl.errors import SettingsInvalid

_SAME = frozenset(
    {
        "bootstrap.servers", "client.id", "client.rack", "client.dns.lookup",
        "security.protocol", "sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password",
        "sasl.kerberos.service.name", "sasl.kerberos.principal", "sasl.kerberos.keytab",
        "sasl.kerberos.kinit.cmd", "sasl.kerberos.min.time.before.relogin",
        "sasl.oauthbearer.token.endpoint.url", "sasl.oauthbearer.method", "sasl.oauthbearer.scope",
        "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config",
        "ssl.ca.location", "ssl.ca.pem", "ssl.certificate.location", "ssl.certificate.pem",
        "ssl.key.location", "ssl.key.pem", "ssl.key.password", "ssl.crl.location",
        "ssl.cipher.suites", "ssl.curves.list", "ssl.sigalgs.list",
        "connections.max.idle.ms", "metadata.max.age.ms", "reconnect.backoff.ms",
        "reconnect.backoff.max.ms", "socket.connection.setup.timeout.ms", "isolation.level",
        "broker.address.family", "socket.keepalive.enable",
    }
)  # fmt: skip
_WITHOUT_MEANING_HERE = frozenset(
    {
        "ssl.truststore.type", "ssl.keystore.type", "ssl.truststore.password", "ssl.protocol",
        "ssl.enabled.protocols", "ssl.provider", "ssl.secure.random.implementation",
        "ssl.keymanager.algorithm", "ssl.trustmanager.algorithm", "security.providers",
        "sasl.kerberos.ticket.renew.jitter", "sasl.kerberos.ticket.renew.window.factor",
    }
)  # fmt: skip
_SECURITY = ("sasl.", "ssl.", "security.")
_OWN_OAUTH_HANDLER = ".OAuthBearerLoginCallbackHandler"


def to_librdkafka(options: Mapping[str, str]) -> dict[str, str]:
    """Translate connection and security options.

    Args:
        options: Kafka's Java names, with or without Spark's prefix `kafka.`; names of librdkafka
            pass as they are.

    Raises:
        SettingsInvalid: a security option that librdkafka has no counterpart for.
    """
    given = {name.removeprefix("kafka."): str(value) for name, value in options.items()}
    translated: dict[str, str] = {}
    for name, value in given.items():
        if name in _SAME:
            translated[name] = value
        elif name == "sasl.jaas.config":
            translated |= _from_jaas(value)
        elif name == "sasl.login.callback.handler.class":
            _only_own_oauth_handler(value)
        elif name == "ssl.endpoint.identification.algorithm":
            translated[name] = value or "none"
        elif name.startswith("ssl.") and name not in _WITHOUT_MEANING_HERE:
            translated |= _from_ssl(name, value, given)
        elif name.startswith(_SECURITY) and name not in _WITHOUT_MEANING_HERE:
            raise _cannot(name, "has no counterpart in librdkafka")
    return translated


def _from_jaas(jaas: str) -> dict[str, str]:
    """Read one login module: `class required key="value" ...;`."""
    head = re.match(r"\s*([\w.]+)\s+(required|requisite|sufficient|optional)\b", jaas)
    if head is None:
        raise _cannot("sasl.jaas.config", "is not of the form `module required name=value ...;`")
    module = head[1].rpartition(".")[2]
    pairs = re.findall(r"""([\w.]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s;]+))""", jaas)
    values = {key: re.sub(r"\\(.)", r"\1", dq) or sq or bare for key, dq, sq, bare in pairs}
    names = _JAAS_MODULES.get(module)
    if names is None:
        raise _cannot("sasl.jaas.config", f'names the login module "{module}"')
    translated = {theirs: values[ours] for ours, theirs in names.items() if ours in values}
    if module == "OAuthBearerLoginModule":
        translated["sasl.oauthbearer.method"] = "oidc"
    return translated


_JAAS_MODULES = {
    "PlainLoginModule": {"username": "sasl.username", "password": "sasl.password"},
    "ScramLoginModule": {"username": "sasl.username", "password": "sasl.password"},
    "Krb5LoginModule": {
        "principal": "sasl.kerberos.principal",
        "keyTab": "sasl.kerberos.keytab",
        "serviceName": "sasl.kerberos.service.name",
    },
    "OAuthBearerLoginModule": {
        "clientId": "sasl.oauthbearer.client.id",
        "clientSecret": "sasl.oauthbearer.client.secret",
        "scope": "sasl.oauthbearer.scope",
    },
}
_INLINE_PEM = {
    "ssl.truststore.certificates": "ssl.ca.pem",
    "ssl.keystore.certificate.chain": "ssl.certificate.pem",
    "ssl.keystore.key": "ssl.key.pem",
}


def _from_ssl(name: str, value: str, given: Mapping[str, str]) -> dict[str, str]:
    if name in _INLINE_PEM:
        return {_INLINE_PEM[name]: value}
    if name == "ssl.truststore.location":
        if _store_type(value, given.get("ssl.truststore.type")) == "PEM":
            return {"ssl.ca.location": value}
        raise _cannot(name, f'is not PEM: "{value}"')
    if name == "ssl.keystore.password":
        return {"ssl.keystore.password": value}
    if name == "ssl.keystore.location":
        kind = _store_type(value, given.get("ssl.keystore.type"))
        if kind == "PEM":
            return {"ssl.certificate.location": value, "ssl.key.location": value}
        if kind == "PKCS12":
            return {"ssl.keystore.location": value}
        raise _cannot(name, f'is neither PEM nor PKCS12: "{value}"')
    raise _cannot(name, "has no counterpart in librdkafka")


def _store_type(location: str, declared: str | None) -> str:
    if declared:
        return declared.upper()
    suffix = PurePath(location).suffix.lower()
    return {".pem": "PEM", ".crt": "PEM", ".p12": "PKCS12", ".pfx": "PKCS12"}.get(suffix, "JKS")


def _only_own_oauth_handler(handler: str) -> None:
    if not handler.endswith(_OWN_OAUTH_HANDLER):
        raise _cannot("sasl.login.callback.handler.class", f'names the Java class "{handler}"')


def _cannot(name: str, why: str) -> SettingsInvalid:
    return SettingsInvalid(
        f'the option "kafka.{name}" {why}, so streamctl itself cannot connect with it',
        hint="Give streamctl's own client PEM files or a user name and a password.",
    )
