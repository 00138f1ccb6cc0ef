"""Prometheus' alert rules, made from ours: the same metrics, thresholds and words."""

from typing import Any

from streamctl.health.alerts.rules import RULES, Rule
from streamctl.settings.model import AlertSettings

GONE_SECONDS = 300


def rules(settings: AlertSettings) -> dict[str, Any]:
    """A rule file as Prometheus reads it, before it is written as YAML.

    Besides ours there is one that only another machine can tell: that the supervisor is gone.
    """
    ours = [_rule(rule, settings) for rule in RULES if rule.is_on(settings)]
    return {"groups": [{"name": "streamctl", "rules": [*ours, _gone()]}]}


def _rule(rule: Rule, settings: AlertSettings) -> dict[str, Any]:
    metric = rule.definition
    if rule.setting:
        compared = f"{'<' if rule.below else '>'} {rule.threshold(settings):g}"
    else:
        compared = "> 0"
    value = metric.series_name
    if settings.average_seconds and not rule.at_once:
        value = f"avg_over_time({value}[{settings.average_seconds:g}s])"
    if rule.summed:
        value = f"sum by (job) ({value})"
    return {
        "alert": _name(rule.name),
        "expr": f"{value} {compared}",
        "for": "0s" if rule.at_once else f"{settings.average_seconds:g}s",
        "labels": {"severity": "critical" if rule.name == "failed" else "warning"},
        "annotations": {
            "summary": "{{ $labels.job }}: " + rule.title,
            "description": f"{rule.metric} is {{{{ $value }}}}. {rule.hint}",
        },
    }


def _gone() -> dict[str, Any]:
    return {
        "alert": _name("gone"),
        "expr": f"present_over_time(streamctl_up[1h]) unless present_over_time(streamctl_up"
        f"[{GONE_SECONDS}s])",
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": "{{ $labels.job }}: nothing is heard of its supervisor",
            "description": "`streamctl status` on its machine tells whether it was stopped.",
        },
    }


def _name(name: str) -> str:
    return "Streamctl" + "".join(part.capitalize() for part in name.split("_"))
