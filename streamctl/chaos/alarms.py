"""Whether alarms were raised when they had to be: alerts, and the circuit breaker. Pure.

When that is, their own rules say, with the job's own settings: `health/alerts` and
`resilience/breaker`. Here they are applied to what was seen from outside.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from streamctl.chaos.evidence import Evidence
from streamctl.chaos.invariant import Invariant, does_not_apply, found, unknown
from streamctl.chaos.moments import BLIND_SECONDS, Moment, longest, moments
from streamctl.resilience.breaker import Window

if TYPE_CHECKING:  # pydantic is not for `chaos list`
    from streamctl.health.alerts.rules import Rule
    from streamctl.settings.model import Settings

_CIRCUITS = {"closed": 0.0, "half_open": 1.0, "open": 2.0}


def _lag(evidence: Evidence, moment: Moment) -> float | None:
    """The job can know it while Kafka answers it, and nothing slows the way."""
    hampered = (evidence.began or 0.0) <= moment.at < (evidence.ended or 0.0)
    return None if hampered or moment.sample.health != "ok" else moment.sample.true_lag


_VALUES: dict[str, Callable[[Evidence, Moment], float | None]] = {
    "not_processing": lambda _, moment: moment.silent_seconds,
    "lag": _lag,
    "breaker": lambda _, moment: _CIRCUITS.get(moment.sample.breaker),
}
"""Alert -> its value, as it is seen from outside."""


def alerts_are_raised(evidence: Evidence) -> Invariant:
    """What has to raise an alert does so by the alerter's next look."""
    from streamctl.health.alerts.rules import RULES
    from streamctl.settings.model import Settings

    name = "alerts are raised"
    if not evidence.set_to:
        return unknown(name, "not known when they have to be")
    seen = [moment for moment in moments(evidence) if moment.sample.alerts is not None]
    if not seen:
        return unknown(name, "nobody looked")
    settings = Settings.model_validate(evidence.set_to)
    raised: list[str] = []
    for rule in (rule for rule in RULES if rule.name in _VALUES and rule.is_on(settings)):
        due = _due(rule, evidence, seen, settings)
        late = longest(seen, partial(_is_closed, rule.name, due))
        grace = BLIND_SECONDS + settings.observe.every_seconds + _averaged(rule, settings)
        if late > grace:
            return found(name, f"{rule.name} was due, and closed for {late:.1f} s", wrong=True)
        raised += [rule.name] if due else []
    if not raised:
        return does_not_apply(name, "none was due")
    return found(name, f"in time: {', '.join(raised)}", wrong=False)


def _is_closed(name: str, due: set[float], moment: Moment) -> bool:
    return moment.at in due and name not in (moment.sample.alerts or ())


def _due(rule: "Rule", evidence: Evidence, seen: list[Moment], settings: "Settings") -> set[float]:
    """When the alert would open, were it closed."""
    from streamctl.health.alerts.states import Average, fresh, step

    average = Average(_averaged(rule, settings))
    due = set()
    for moment in seen:
        now = datetime.fromtimestamp(moment.at, UTC)
        value = average.add(_VALUES[rule.name](evidence, moment), now)
        floor = moment.stall_seconds if rule.floor else 0.0
        closed = replace(fresh(rule, settings), threshold=max(rule.threshold(settings), floor))
        state, _ = step(
            closed, value=value, where="", settings=settings.alerts, silenced_until=None, now=now
        )
        if state.open_since is not None:
            due.add(moment.at)
    return due


def _averaged(rule: "Rule", settings: "Settings") -> float:
    """Over how many seconds its value is."""
    return 0.0 if rule.at_once else settings.alerts.average_seconds


def breaker_opens(evidence: Evidence) -> Invariant:
    """When too many records are rejected, the circuit breaker opens soon."""
    from streamctl.settings.model import BreakerSettings

    name = "breaker opens"
    if not evidence.set_to:
        return unknown(name, "not known when it has to")
    settings = BreakerSettings(**evidence.set_to["breaker"])
    if not settings.enabled:
        return does_not_apply(name, "it is switched off")
    window, opened = Window(settings), ""
    for batch in sorted(evidence.letters, key=lambda each: each.done or 0.0):
        if batch.done is None or batch.records is None or batch.letters is None:
            return unknown(name, "the batches were not counted")
        now = datetime.fromtimestamp(batch.done, UTC)
        window.batch(batch.query, records=batch.records, rejected=batch.letters, at=now)
        if why := window.trouble(now):
            if _stays_closed(evidence, batch.done):
                return found(name, f"{why}, and it stays closed", wrong=True)
            window.clear()  # as it does itself when it moves
            opened = why
    if not opened:
        return does_not_apply(name, "never were too many records rejected")
    return found(name, opened, wrong=False)


def _stays_closed(evidence: Evidence, since: float) -> bool:
    """Whether it was looked at long enough after that moment, and never found open."""
    later = [s for s in evidence.samples if since - BLIND_SECONDS <= s.at and s.breaker]
    soon = [s for s in later if s.at <= since + 2 * BLIND_SECONDS]
    looked = bool(soon) and later[-1].at > since + BLIND_SECONDS
    return looked and all(sample.breaker == "closed" for sample in soon)
