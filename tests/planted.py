"""Jobs and tools that are wrong on purpose: evidence of a real run, with one bug's traces in it.

Each says what the bug is, what it does to the evidence, and which invariant has to catch it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from streamctl.chaos.evidence import Evidence, Letters
from tests.recordings import recorded


@dataclass(frozen=True)
class Planted:
    """One bug.

    Attributes:
        caught: the invariants that it violates, the main one first.
        on: the recording that it is planted in.
    """

    name: str
    what: str
    plant: Callable[[Evidence], Evidence]
    caught: tuple[str, ...]
    on: str = "kafka-killed"

    def evidence(self) -> Evidence:
        return self.plant(recorded(self.on))


def planted(name: str) -> Evidence:
    return next(bug for bug in PLANTED if bug.name == name).evidence()


def _rows(evidence: Evidence, change) -> Evidence:
    return replace(evidence, found=replace(evidence.found, rows=change(evidence.found.rows)))


def _letters(evidence: Evidence, change) -> Evidence:
    return replace(evidence, found=replace(evidence.found, letters=change(evidence.found.letters)))


def _less(rows, by: int):
    """The last window counts fewer."""
    *others, (device, start, count) = rows
    return [*others, (device, start, count - by)]


def commit_before_write(evidence: Evidence) -> Evidence:
    """The batch in flight was committed and its rows were not written: a batch's windows miss."""
    return _rows(evidence, lambda rows: rows[:-7])


def letter_swallowed(evidence: Evidence) -> Evidence:
    place = evidence.found.letters[3][:2]
    return _letters(evidence, lambda letters: [each for each in letters if each[:2] != place])


def sink_repeats(evidence: Evidence) -> Evidence:
    """A sink without idempotence writes the batch again that a crash interrupted."""
    return _rows(evidence, lambda rows: [*rows, *rows[-5:]])


def stop_skips(evidence: Evidence) -> Evidence:
    """A stop that interrupts a batch, and a start that goes on after it."""
    end = replace(evidence.end, planned_batch=evidence.end.true_batch + 2, missing_commits=1)
    return _rows(replace(evidence, end=end), lambda rows: _less(rows, 1))


def stop_untrue(evidence: Evidence) -> Evidence:
    """The stop tells a batch that the commit log does not have."""
    return replace(evidence, end=replace(evidence.end, told_batch=evidence.end.true_batch + 1))


def offsets_advanced_by_one(evidence: Evidence) -> Evidence:
    """A restart begins one record too late: one record is in no window."""
    return _rows(evidence, lambda rows: _less(rows, 1))


def window_dropped(evidence: Evidence) -> Evidence:
    return _rows(evidence, lambda rows: rows[1:])


def row_doubled(evidence: Evidence) -> Evidence:
    return _rows(evidence, lambda rows: [rows[0], *rows])


def record_counted_twice(evidence: Evidence) -> Evidence:
    return _rows(evidence, lambda rows: _less(rows, -1))


def window_emitted_and_kept(evidence: Evidence) -> Evidence:
    """A window is in the output, and still in the state."""
    state = [*evidence.found.state, evidence.found.rows[0]]
    return replace(evidence, found=replace(evidence.found, state=state))


def letter_of_a_good_record(evidence: Evidence) -> Evidence:
    return _letters(evidence, lambda letters: [*letters, (0, 10**9, "invalid_json")])


def letter_with_another_reason(evidence: Evidence) -> Evidence:
    def change(letters):
        (partition, offset, _), *others = letters
        return [(partition, offset, "missing:nothing"), *others]

    return _letters(evidence, change)


def letters_repeated_without_a_crash(evidence: Evidence) -> Evidence:
    return _letters(replace(evidence, crashed=False), lambda letters: [*letters, *letters[:2]])


def late_records_forgotten(evidence: Evidence) -> Evidence:
    return replace(evidence, found=replace(evidence.found, late=evidence.must.late - 1))


def nobody_notices(evidence: Evidence) -> Evidence:
    """For 40 s: the signs are all moved."""
    calm, quiet = _calm(evidence), evidence.began + 40

    def hush(sample):
        if not evidence.began <= sample.at < quiet:
            return sample
        return replace(calm, at=sample.at, driver_lives=sample.driver_lives,
                       committed=sample.committed, true_lag=sample.true_lag)  # fmt: skip

    return replace(evidence, samples=[hush(sample) for sample in evidence.samples])


def alert_too_late(evidence: Evidence) -> Evidence:
    """The alerts that were due open two minutes after the fault."""

    def delay(sample):
        if sample.alerts is None or sample.at >= evidence.began + 120:
            return sample
        return replace(sample, alerts=[])

    return replace(evidence, samples=[delay(sample) for sample in evidence.samples])


def status_frozen(evidence: Evidence) -> Evidence:
    """The status is that of before, while the driver is gone."""
    calm = _calm(evidence)

    def freeze(sample):
        if sample.at < evidence.began:
            return sample
        return replace(sample, observed=calm.observed, verdict=calm.verdict, attempt=calm.attempt,
                       driver_lives=False)  # fmt: skip

    return replace(evidence, samples=[freeze(sample) for sample in evidence.samples])


def health_frozen(evidence: Evidence) -> Evidence:
    """Health answers as before, and all else tells the truth."""
    calm = _calm(evidence)

    def freeze(sample):
        if sample.at < evidence.began:
            return sample
        return replace(sample, health=calm.health, ready=calm.ready)

    return replace(evidence, samples=[freeze(sample) for sample in evidence.samples])


def health_frozen_as_bad(evidence: Evidence) -> Evidence:
    """Health stays as it was before the first batch."""
    samples = [replace(sample, health="unknown", ready=False) for sample in evidence.samples]
    return replace(evidence, samples=samples)


def _calm(evidence: Evidence):
    return next(s for s in reversed(evidence.samples) if s.at < evidence.began)


def restart_hidden(evidence: Evidence) -> Evidence:
    return replace(evidence, end=replace(evidence.end, drivers=evidence.end.drivers + 1))


def lag_stale(evidence: Evidence) -> Evidence:
    """The told lag is that of long ago, whatever arrives."""
    samples = [
        replace(sample, told_lag=0, true_lag=(sample.true_lag or 0) + 20 * n)
        for n, sample in enumerate(evidence.samples)
    ]
    return replace(evidence, samples=samples)


def batch_run_twice(evidence: Evidence) -> Evidence:
    return replace(evidence, crashed=False, batches=[*evidence.batches, evidence.batches[-1]])


def never_recovers(evidence: Evidence) -> Evidence:
    batches = [b for b in evidence.batches if b.at + b.seconds < evidence.ended]
    return replace(evidence, batches=batches)


def records_left_unread(evidence: Evidence) -> Evidence:
    return replace(evidence, must=replace(evidence.must, unread=12))


def loss_untold(evidence: Evidence) -> Evidence:
    """Kafka deleted records under the job, and the job passed over them in silence."""
    deleted = {"windows": 40, "dead_letters": 40}
    return replace(evidence, deleted=deleted, told_deleted={"windows": 40})


def breaker_never_opens(evidence: Evidence) -> Evidence:
    """Nine of ten records are bad, and the job goes on."""
    letters = [replace(each, records=1000, letters=900, rejected=900) for each in evidence.letters]
    return replace(evidence, letters=letters)


def flood_unnoticed(evidence: Evidence) -> Evidence:
    """A flood of bad records that nothing says a word about."""
    expects = {"detected_by": ["rejected"], "detected_within_seconds": 30}
    letters = [Letters(at=each.at - 10**6, rejected=each.rejected) for each in evidence.letters]
    return replace(evidence, expects=expects, letters=letters)


def refusal_missing(evidence: Evidence) -> Evidence:
    """A start on a topic that was made anew, which had to be refused, went through."""
    return replace(evidence, unmet=["job.refuses_to_start: 0"])


PLANTED = [
    Planted("commit-before-write", "rows of a committed batch are not written",
            commit_before_write, ("nothing lost",)),
    Planted("letter-swallowed", "a rejected record is in no dead letter",
            letter_swallowed, ("nothing lost",)),
    Planted("sink-repeats", "a sink without idempotence", sink_repeats,
            ("nothing duplicated", "no window twice")),
    Planted("stop-skips", "a stop that interrupts, a start that skips", stop_skips,
            ("stop is proven", "nothing lost")),
    Planted("stop-untrue", "a stop that tells what is not so", stop_untrue, ("stop is proven",)),
    Planted("offsets-advanced", "a restart begins one record too late",
            offsets_advanced_by_one, ("nothing lost",)),
    Planted("window-dropped", "a window is in no output", window_dropped, ("nothing lost",)),
    Planted("row-doubled", "a row is twice in the output", row_doubled,
            ("nothing duplicated", "no window twice")),
    Planted("record-twice", "a record counts twice", record_counted_twice,
            ("nothing duplicated",)),
    Planted("emitted-and-kept", "a window is in output and state",
            window_emitted_and_kept, ("no window twice", "nothing duplicated")),
    Planted("letter-of-good", "a good record is rejected", letter_of_a_good_record,
            ("dead letters are right",)),
    Planted("letter-reason", "a letter with a wrong reason", letter_with_another_reason,
            ("dead letters are right",)),
    Planted("letters-repeated", "letters are sent twice without a crash",
            letters_repeated_without_a_crash, ("dead letters are right",)),
    Planted("late-forgotten", "a late record is not counted", late_records_forgotten,
            ("late count is true",)),
    Planted("nobody-notices", "nobody notices for 40 s", nobody_notices, ("detected",)),
    Planted("alert-late", "alerts open two minutes after the fault", alert_too_late,
            ("alerts are raised",)),
    Planted("status-frozen", "the status is that of before", status_frozen,
            ("status is honest",)),
    Planted("health-frozen", "health answers as before", health_frozen,
            ("health is true",), on="driver-killed"),
    Planted("health-frozen-as-bad", "health answers as before the first batch",
            health_frozen_as_bad, ("health is true",)),
    Planted("restart-hidden", "a restart that is not counted", restart_hidden,
            ("restarts are told",)),
    Planted("lag-stale", "a lag of long ago", lag_stale, ("lag is true",)),
    Planted("batch-twice", "a batch id is finished twice", batch_run_twice,
            ("batches in order",)),
    Planted("never-recovers", "no batch after the fault", never_recovers, ("recovered",)),
    Planted("unread", "the tail of the topic is not read", records_left_unread,
            ("all was read",)),
    Planted("loss-untold", "records are passed over in silence", loss_untold,
            ("losses are told",)),
    Planted("breaker-never-opens", "nine of ten records are bad, and the job goes on",
            breaker_never_opens, ("breaker opens",)),
    Planted("flood-unnoticed", "a flood of bad records that nobody notices",
            flood_unnoticed, ("detected",)),
    Planted("refusal-missing", "a start that had to be refused goes through",
            refusal_missing, ("answers meanwhile",)),
]  # fmt: skip
