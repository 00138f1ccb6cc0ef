"""What to do when the driver has ended. Pure: time and chance are arguments.

Only a failure of the infrastructure is worth another attempt: code, data and configuration fail
the same way again. A driver that was killed, or that died without saying why, counts as
infrastructure. The budget of restarts refills after a stable run.
"""

from dataclasses import dataclass

from streamctl.rundir.records import Failure, FailureClass, Observed
from streamctl.settings.model import SuperviseSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How one attempt ended.

    Attributes:
        code: exit code, negative for a signal.
        failure: what the driver said of it, None when it said nothing.
        ran_seconds: how long it had run.
        stop_requested: whether it had been asked to end.
    """

    code: int
    failure: Failure | None
    ran_seconds: float
    stop_requested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """Start the driver again after a wait."""

    wait_seconds: float
    attempts_left: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Start no more."""

    observed: Observed
    why: str


def after_exit(
    ended: Exit, *, attempts_left: int, settings: SuperviseSettings, chance: float
) -> Restart | End:
    """Decide, by the first rule that holds.

    Args:
        ended: the attempt.
        attempts_left: restarts left before this one.
        settings: attempts, backoff and what counts as a stable run.
        chance: uniform in [0, 1), for the jitter.
    """
    if ended.stop_requested:
        return End(observed=Observed.STOPPED, why="stopped as asked")
    if ended.code == 0:
        return End(observed=Observed.FINISHED, why="the job came to its end")
    if ended.failure and ended.failure.failure_class is not FailureClass.INFRASTRUCTURE:
        why = f"a failure of {ended.failure.failure_class} would repeat itself"
        return End(observed=Observed.FAILED, why=why)
    attempts_left = refilled(attempts_left, ran_seconds=ended.ran_seconds, settings=settings)
    if attempts_left == 0:
        why = f"no restart is left of {settings.attempts}"
        return End(observed=Observed.FAILED, why=why)
    wait = backoff_seconds(settings.attempts - attempts_left, settings=settings, chance=chance)
    return Restart(wait_seconds=wait, attempts_left=attempts_left - 1, why=describe(ended))


def refilled(attempts_left: int, *, ran_seconds: float, settings: SuperviseSettings) -> int:
    """Restarts left after an attempt has run for so long: all of them when it was stable."""
    return settings.attempts if ran_seconds >= settings.stable_seconds else attempts_left


def backoff_seconds(restarts_used: int, *, settings: SuperviseSettings, chance: float) -> float:
    """Exponential backoff with a cap and added jitter, in seconds."""
    wait = settings.initial_backoff_seconds * settings.backoff_factor**restarts_used
    return min(wait, settings.max_backoff_seconds) * (1 + settings.jitter * chance)


def describe(ended: Exit) -> str:
    """The end of an attempt in one phrase."""
    if ended.failure:
        return f"{ended.failure.condition}: {ended.failure.message}"
    if ended.code < 0:
        return f"the driver was killed by signal {-ended.code}"
    return f"the driver ended with exit code {ended.code} and gave no reason"
