"""Holds each sample against the rules, keeps the states, and makes the notices."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from streamctl.health.alerts.book import AlertBook, Notice, Silence, silenced_until
from streamctl.health.alerts.rules import RULES, Rule
from streamctl.health.alerts.states import AlertState, Average, Told, fresh, step
from streamctl.observe.model import Sample
from streamctl.settings.model import Settings

_MOST_FINDINGS = 5


class Alerter:
    """Looks at samples, one after the other.

    Args:
        book: states and silences.
        settings: thresholds and times, and what bounds them.
        put: takes a notice for delivery.
        tell: (level, message) -> writes to the log.

    Attributes:
        states: each alert that is on, as it stands.
    """

    def __init__(
        self,
        book: AlertBook,
        settings: Settings,
        *,
        put: Callable[[Notice], None],
        tell: Callable[[str, str], None],
    ) -> None:
        self._book = book
        self._settings = settings
        self._put = put
        self._tell = tell
        self._rules = [rule for rule in RULES if rule.is_on(settings)]
        before = {state.name: state for state in book.states()}
        self.states = [before.get(rule.name, fresh(rule, settings)) for rule in self._rules]
        self._averages = {
            rule.name: Average(0 if rule.at_once else settings.alerts.average_seconds)
            for rule in self._rules
        }
        self._beat_at: datetime | None = None

    def look(self, sample: Sample) -> None:
        """Take in a sample: open, remind, close."""
        silences = self._book.silences(now=sample.at)
        self.states = [
            self._step(rule, state, sample, silences)
            for rule, state in zip(self._rules, self.states, strict=True)
        ]
        self._book.write_states(self.states)
        self._heartbeat(sample)

    def _step(
        self, rule: Rule, before: AlertState, sample: Sample, silences: list[Silence]
    ) -> AlertState:
        reading, settings = rule.read(sample, self._settings), self._settings
        threshold = reading.threshold if reading else rule.threshold(settings)
        value = reading.value if reading else None
        after, told = step(
            replace(before, threshold=threshold, closes_at=rule.closes_at(threshold, settings)),
            value=self._averages[rule.name].add(value, sample.at),
            where=reading.where if reading else "",
            settings=settings.alerts,
            silenced_until=silenced_until(silences, rule.name),
            now=sample.at,
        )
        if told:
            self._notice(told, rule, after if told is not Told.CLOSE else before, sample)
        return after

    def _notice(self, told: Told, rule: Rule, state: AlertState, sample: Sample) -> None:
        notice = notice_of(told, rule, state, sample)
        level = "INFO" if told is Told.CLOSE else "ERROR"
        self._tell(level, f"alert {told}: {rule.name}: {notice.body.splitlines()[0]}")
        self._put(notice)

    def _heartbeat(self, sample: Sample) -> None:
        every = timedelta(seconds=self._settings.alerts.heartbeat_seconds)
        if self._beat_at and sample.at - self._beat_at < every:
            return
        self._beat_at = sample.at
        open_alerts = [state.name for state in self.states if state.open_since]
        body = f"alerts open: {', '.join(open_alerts) or 'none'}"
        title = f"{sample.status.job}: the alerter lives"
        self._put(Notice(at=sample.at, told=Told.HEARTBEAT, alert="", title=title, body=body))


def notice_of(told: Told, rule: Rule, state: AlertState, sample: Sample) -> Notice:
    """The notice's text: value and threshold, evidence, the next command."""
    job = sample.status.job.rpartition(":")[2]
    now = "over" if told is Told.CLOSE else told.value
    return Notice(
        at=sample.at,
        told=told,
        alert=rule.name,
        title=f"[{now}] {job}: {rule.title}",
        body="\n".join(_body(told, rule, state, sample)),
    )


def _body(told: Told, rule: Rule, state: AlertState, sample: Sample) -> list[str]:
    where = f" ({state.where})" if state.where else ""
    lines = [f"{rule.metric} is {_number(state.value)}{where}{_threshold(rule, state)}"]
    if state.open_since:
        lines.append(f"open since {state.open_since:%Y-%m-%d %H:%M:%S} UTC")
    lines.append(f"job {sample.status.job} is {sample.status.observed}, run {sample.status.run_id}")
    lines += [
        f"query {query.name}: batch {query.status.committed_batch_id} committed"
        for query in sample.queries
    ]
    lines += [f"{finding.code}: {finding.detail}" for finding in sample.findings[:_MOST_FINDINGS]]
    if failure := sample.status.failure:
        lines.append(f"last failure: {failure.condition}: {failure.message}")
    return lines if told is Told.CLOSE else [*lines, rule.hint]


def _threshold(rule: Rule, state: AlertState) -> str:
    if not rule.setting:
        return ""
    side = "below" if rule.below else "above"
    floor = f", or {rule.floor} where that is more" if rule.floor else ""
    return f", {side} {_number(state.threshold)}: alerts.{rule.setting}{floor}"


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:,.4g}" if value < 1 else f"{value:,.0f}"
