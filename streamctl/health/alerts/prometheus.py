"""Prometheus' alert rules, made from ours: the same metrics, thresholds and words.

A range holds some scrapes at Prometheus' usual interval of a minute: one of 30 seconds, which is
enough for our own looks, would mostly hold none, and an average of none raises no alert.

Source: Prometheus' `scrape_interval`, 1 minute by default; `avg_over_time`.
"""

from typing import Any

from streamctl.health.alerts.rules import RULES, Rule
from streamctl.metrics.definitions import JOB_LABEL
from streamctl.settings.model import Settings

GONE_SECONDS = 300
SHORTEST_RANGE_SECONDS = 300
_JOB = f"{{{{ $labels.{JOB_LABEL} }}}}"


def rules(settings: Settings) -> dict[str, Any]:
    """A rule file as Prometheus reads it, before it is written as YAML.

    Besides ours there is one that only another machine can tell: that the supervisor is gone.
    """
    ours = [_rule(rule, settings) for rule in RULES if rule.is_on(settings)]
    return {"groups": [{"name": "streamctl", "rules": [*ours, _gone()]}]}


def _rule(rule: Rule, settings: Settings) -> dict[str, Any]:
    lasting = 0.0 if rule.at_once else settings.alerts.average_seconds
    side = "<" if rule.below else ">"
    return {
        "alert": _name(rule.name),
        "expr": f"{_value(rule, lasting)} {side} {_threshold(rule, settings)}",
        "for": f"{lasting:g}s",
        "labels": {"severity": "critical" if rule.name == "failed" else "warning"},
        "annotations": {
            "summary": f"{_JOB}: {rule.title}",
            "description": f"{rule.metric} is {{{{ $value }}}}. {rule.hint}",
        },
    }


def _value(rule: Rule, average_seconds: float) -> str:
    """What is compared. Of several supervisors each is summed by itself."""
    value = rule.definition.series_name
    if average_seconds:
        value = f"avg_over_time({value}[{max(average_seconds, SHORTEST_RANGE_SECONDS):g}s])"
    if rule.summed:
        value = f"sum without ({', '.join(rule.definition.labels)}) ({value})"
    return value


def _threshold(rule: Rule, settings: Settings) -> str:
    threshold = f"{rule.threshold(settings):.15g}"
    return f"clamp_min({rule.floor}, {threshold})" if rule.floor else threshold


def _gone() -> dict[str, Any]:
    return {
        "alert": _name("gone"),
        "expr": f"present_over_time(streamctl_up[1h]) unless present_over_time(streamctl_up"
        f"[{GONE_SECONDS}s])",
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": f"{_JOB}: nothing is heard of its supervisor",
            "description": "`streamctl status` on its machine tells whether it was stopped.",
        },
    }


def _name(name: str) -> str:
    return "Streamctl" + "".join(part.capitalize() for part in name.split("_"))
