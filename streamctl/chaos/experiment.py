"""What an experiment is: a steady-state hypothesis, a method, and rollbacks. Typed and immutable.

The vocabulary and the file format are those of Chaos Toolkit (experiment API reference,
chaostoolkit.org), so its experiments with `process` and `http` providers run here too. Ours
add the provider type `streamctl`, whose `action` or `probe` names one of our own (`verbs.py`).
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from streamctl.chaos.tolerance import check_tolerance
from streamctl.errors import Malformed, NotFound, Unsupported


class Role(StrEnum):
    """A probe reads, an action changes."""

    PROBE = "probe"
    ACTION = "action"


class Part(StrEnum):
    """What an action is to the fault, which lasts from the first one's begin to the last one's end.

    | part | the action |
    |---|---|
    | `fault` | breaks something, from its begin on |
    | `strike` | waits for its moment, and breaks something at its end |
    | `lift` | ends the fault: it lasts until this is done |
    | `aside` | prepares, waits, or is the way back: no part of the fault |
    """

    FAULT = "fault"
    STRIKE = "strike"
    LIFT = "lift"
    ASIDE = "aside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One of our own probes or actions, by its name."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A program of the operator's; its answer is exit status and output."""

    command: tuple[str, ...]
    timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """A request; its answer is status, headers and body."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    timeout_seconds: float = 10.0


Provider = Verb | Process | Http


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One step.

    Attributes:
        tolerance: what it must answer, see `tolerance.py`. None: of a probe, anything; of an
            action, that it was done: a process ends with 0, a request is answered below 400.
        part: what an action is to the fault; None: as its verb says, else the fault itself.
        pause_before_seconds, pause_after_seconds: waited around it.
        background: the next step begins at once; its end is awaited after the method.
    """

    name: str
    role: Role
    provider: Provider
    tolerance: Any = None
    part: Part | None = None
    pause_before_seconds: float = 0.0
    pause_after_seconds: float = 0.0
    background: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A question to a running system, with a way back.

    Attributes:
        name: how it is called for; of a file, its name without the suffix.
        hypothesis: must hold before the method, or it is not begun; and again in time after it.
        rollbacks: done in any case, in order.
        recovery_seconds: how long the hypothesis may take to hold again.
        job: settings of the job that it is run on, over those of the stage; flat keys.
        before: done before that job is started, and taken back after all is accounted for.
        expects: what the verdict holds it to, beside that no record is lost; see `verdict.py`.
    """

    name: str
    title: str
    description: str = ""
    tags: tuple[str, ...] = ()
    hypothesis: tuple[Activity, ...] = ()
    method: tuple[Activity, ...] = ()
    rollbacks: tuple[Activity, ...] = ()
    recovery_seconds: float = 120.0
    job: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[Activity, ...] = ()
    expects: Mapping[str, Any] = field(default_factory=dict)


def read_experiment(path: Path) -> Experiment:
    """Read a file: JSON, or YAML by its suffix.

    Raises:
        NotFound: no such file.
        Malformed: not JSON or YAML, or not an experiment.
        Unsupported: a provider or tolerance that this release does not know.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise NotFound(
            f'no experiment and no file "{path}"', hint="`streamctl chaos list` lists them."
        ) from None
    try:
        document = json.loads(text) if path.suffix == ".json" else _yaml(text)
    except ValueError as error:
        raise Malformed(f'cannot read "{path}": {error}') from error
    return parse_experiment(document, name=path.stem)


def parse_experiment(document: Any, *, name: str) -> Experiment:
    """Build an experiment from what JSON or YAML holds.

    Raises:
        Malformed, NotFound, Unsupported: as `read_experiment`.
    """
    try:
        values = _configuration(document)
        filled = _with_references(_fill(document, values))
        steady = filled.get("steady-state-hypothesis") or {}
        return Experiment(
            name=name,
            title=str(filled["title"]),
            description=str(filled.get("description", "")),
            tags=tuple(filled.get("tags", ())),
            hypothesis=tuple(parse_activity(each, Role.PROBE) for each in steady.get("probes", ())),
            method=tuple(parse_activity(each) for each in filled["method"]),
            rollbacks=tuple(
                parse_activity(each, Role.ACTION) for each in filled.get("rollbacks", ())
            ),
            **_ours(filled.get("streamctl") or {}),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(
            f'experiment "{name}" is not of the known form: {type(error).__name__}: {error}',
            hint="It needs a title and a method; see the experiment format of Chaos Toolkit.",
        ) from error


def as_document(activity: Activity) -> dict[str, Any]:
    """An activity as its file has it; `parse_activity` brings it back."""
    provider: dict[str, Any]
    match activity.provider:
        case Verb(name=name, arguments=arguments):
            provider = {"type": "streamctl", activity.role.value: name, "arguments": arguments}
        case Process(command=(path, *words), timeout_seconds=seconds):
            provider = {"type": "process", "path": path, "arguments": words, "timeout": seconds}
        case Http() as http:
            provider = {
                "type": "http", "url": http.url, "method": http.method, "headers": http.headers,
                "arguments": http.body, "timeout": http.timeout_seconds,
            }  # fmt: skip
    part = {} if activity.part is None else {"part": activity.part.value}
    pauses = {"before": activity.pause_before_seconds, "after": activity.pause_after_seconds}
    return {
        "type": activity.role.value, "name": activity.name, **part, "provider": provider,
        "tolerance": activity.tolerance, "pauses": pauses, "background": activity.background,
    }  # fmt: skip


def _with_references(document: Mapping[str, Any]) -> dict[str, Any]:
    """Put the activity of a name in place of each `{"ref": name}`.

    Raises:
        NotFound: none is declared under that name.
    """
    steady = document.get("steady-state-hypothesis") or {}
    sections = steady.get("probes", ()), document["method"], document.get("rollbacks", ())
    declared = {each["name"]: each for section in sections for each in section if "name" in each}

    def resolved(section: Any) -> list[Any]:
        return [_declared(each["ref"], declared) if "ref" in each else each for each in section]

    probes, method, rollbacks = map(resolved, sections)
    return {
        **document,
        "steady-state-hypothesis": {**steady, "probes": probes},
        "method": method,
        "rollbacks": rollbacks,
    }


def _declared(name: str, declared: Mapping[str, Any]) -> Any:
    if name not in declared:
        raise NotFound(
            f'no activity "{name}" in the experiment', hint=f"Declared are: {', '.join(declared)}."
        )
    return declared[name]


def _ours(given: Mapping[str, Any]) -> dict[str, Any]:
    """What Chaos Toolkit does not have, under a name of its own."""
    before = tuple(parse_activity(each, Role.ACTION) for each in given.get("before", ()))
    return {**given, "before": before}


def parse_activity(given: Mapping[str, Any], default: Role | None = None) -> Activity:
    """Build an activity from what its file holds.

    Raises:
        Malformed, Unsupported: as `read_experiment`.
    """
    pauses = given.get("pauses") or {}
    role = Role(given["type"]) if "type" in given or default is None else default
    check_tolerance(given.get("tolerance"))
    return Activity(
        name=str(given["name"]),
        role=role,
        provider=_provider(given["provider"], role),
        tolerance=given.get("tolerance"),
        part=Part(given["part"]) if "part" in given else None,
        pause_before_seconds=float(pauses.get("before", 0)),
        pause_after_seconds=float(pauses.get("after", 0)),
        background=bool(given.get("background", False)),
    )


def _provider(given: Mapping[str, Any], role: Role) -> Provider:
    match given["type"]:
        case "streamctl":
            return Verb(name=str(given[role.value]), arguments=given.get("arguments", {}))
        case "process":
            return Process(
                command=(str(given["path"]), *_words(given.get("arguments", ()))),
                timeout_seconds=_timeout(given, 60.0),
            )
        case "http":
            return _http(given)
        case other:
            raise Unsupported(
                f'no provider of type "{other}"', hint="There are streamctl, process and http."
            )


def _words(arguments: Any) -> list[str]:
    """Arguments of a process: text, a list, or names with values (`None` for a bare flag)."""
    if isinstance(arguments, str):
        import shlex

        return shlex.split(arguments)
    if isinstance(arguments, Mapping):
        pairs = ((str(k), v) for k, v in arguments.items())
        return [word for k, v in pairs for word in ((k,) if v in {None, ""} else (k, str(v)))]
    return [str(word) for word in arguments]


def _http(given: Mapping[str, Any]) -> Http:
    """A request: arguments are the query of a GET, else the body, written as its type wants."""
    url, method = str(given["url"]), str(given.get("method", "GET")).upper()
    headers, arguments = given.get("headers") or {}, given.get("arguments") or ""
    types = [str(value) for name, value in headers.items() if name.lower() == "content-type"]
    if isinstance(arguments, str):
        text = arguments
    elif method != "GET" and types and types[0].partition(";")[0].strip() == "application/json":
        text = json.dumps(arguments)
    else:
        text = urlencode(arguments, doseq=True)
    if method == "GET" and text:
        url, text = f"{url}{'&' if '?' in url else '?'}{text}", ""
    return Http(
        url=url, method=method, headers=headers, body=text, timeout_seconds=_timeout(given, 10.0)
    )


def _timeout(given: Mapping[str, Any], default: float) -> float:
    timeout = given.get("timeout", default)
    return float(timeout[-1] if isinstance(timeout, list) else timeout)


_NAME = re.compile(r"\$\{(\w+)\}")


def _configuration(document: Mapping[str, Any]) -> dict[str, Any]:
    """Values by name: given as such, or the name of a variable of the environment."""
    values = {}
    for section in ("configuration", "secrets"):
        for name, given in (document.get(section) or {}).items():
            if isinstance(given, Mapping) and given.get("type") == "env":
                found = os.environ.get(given["key"], given.get("default"))
                if found is None:
                    raise NotFound(f'the experiment needs the variable "{given["key"]}"')
                values[name] = found
            else:
                values[name] = given
    return values


def _fill(value: Any, names: Mapping[str, Any]) -> Any:
    """Replace `${name}`; a text that is nothing else takes the value's own type."""
    if isinstance(value, Mapping):
        return {key: _fill(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, names) for item in value]
    if not isinstance(value, str):
        return value
    if (whole := _NAME.fullmatch(value)) and whole[1] in names:
        return names[whole[1]]
    return _NAME.sub(lambda found: str(names.get(found[1], found[0])), value)


def _yaml(text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise Unsupported(
            "experiments in YAML need the package PyYAML",
            hint="Run `pip install 'streamctl[chaos]'`, or write the experiment as JSON.",
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error).replace("\n", " ")) from error
