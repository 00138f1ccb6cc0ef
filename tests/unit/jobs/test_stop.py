"""When the state may be set, and what each kind of end is called."""
# ruff: noqa: E501  (a stack is one line)

import pytest

from jobs.spark_query import may_refuse
from jobs.stop import PATIENCE_SECONDS, How, Refusal, stop_after_batch

LOOP = (
    "\tat x.TriggerExecutor.runOneBatch(T.scala)\n\tat x.ProcessingTimeExecutor.execute(T.scala)\n"
)
BATCH = "\tat x.MicroBatchExecution.executeOneBatch(M.scala)\n" + LOOP
RUN = "\tat x.MicroBatchExecution.runBatch(M.scala)\n" + BATCH


@pytest.mark.parametrize(
    ("stack", "answer"),
    [
        pytest.param("\tat x.StreamExecution.runStream(S.scala)", True, id="it only starts"),
        pytest.param("\tat x.SystemClock.waitTillTime(C.scala)\n" + LOOP, True, id="it sleeps"),
        pytest.param(LOOP, True, id="before Spark's first look"),
        pytest.param(BATCH, False, id="after the first look, before planning"),
        pytest.param("\tat x.MicroBatchExecution.constructNextBatch(M)\n" + BATCH, False, id="it plans"),
        pytest.param("\tat x.SQLExecution$.f(S)\n\tat x.MicroBatchExecution.constructNextBatch(M)\n" + BATCH, False, id="a source runs SQL while it plans"),
        pytest.param("\tat x.IncrementalExecution.executedPlan(I)\n" + RUN, False, id="before the second look"),
        pytest.param("\tat x.SQLExecution$.withNewExecutionId(S)\n" + RUN, True, id="the sink runs"),
        pytest.param("\tat x.MicroBatchExecution.markMicroBatchEnd(M)\n" + RUN, True, id="it commits"),
    ],
)  # fmt: skip
def test_may_refuse(stack, answer):
    assert may_refuse(stack) is answer


class FakeExecution:
    """A query of so many steps: refuses after some, then runs its batch, then sleeps or ends."""

    def __init__(self, *, refuses_after=0, batch=3, sleeps=False, reachable=True):
        self.refuses_after, self.batch = refuses_after, batch
        self.sleeps, self.reachable = sleeps, reachable
        self.refused = self.stopped = self.forced = self.interrupted = False

    def refuse_batches(self, *, force):
        if not self.reachable:
            return Refusal.IMPOSSIBLE
        self.refuses_after -= 1
        if self.refuses_after >= 0 and not force:
            return Refusal.NOT_YET
        self.forced = self.forced or (force and self.refuses_after >= 0)
        self.refused = True
        return Refusal.DONE

    def ended(self):
        if self.refused and self.batch > 0:
            self.batch -= 1
        return self.stopped or (self.refused and self.batch == 0 and not self.sleeps)

    def asleep(self):
        return (self.batch == 0 and self.sleeps) or not self.reachable

    def stop(self):
        self.interrupted = self.interrupted or (self.reachable and self.batch > 0)
        self.stopped = True


class FakeTime:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def stop(*executions, now=lambda: False):
    time = FakeTime()
    return stop_after_batch(executions, stop_now=now, clock=time, sleep=time.sleep), time


def test_each_ends_after_its_batch_and_none_is_interrupted():
    executions = [
        FakeExecution(),
        FakeExecution(refuses_after=5, batch=9),
        FakeExecution(sleeps=True),
    ]
    assert stop(*executions)[0] == [How.AFTER_BATCH] * 3
    assert [execution.interrupted for execution in executions] == [False] * 3
    assert [execution.stopped for execution in executions] == [False, False, True]


def test_a_query_that_plans_for_ever_is_forced_and_it_is_said():
    stuck = FakeExecution(refuses_after=10**9)
    how, time = stop(stuck)
    assert how == [How.PERHAPS_PLANNED]
    assert stuck.forced
    assert time.now >= PATIENCE_SECONDS


def test_now_interrupts():
    execution = FakeExecution(batch=10**9)
    asked = iter([False, False, True])
    assert stop(execution, now=lambda: next(asked))[0] == [How.INTERRUPTED]
    assert execution.interrupted


def test_without_a_way_in_it_stops_between_triggers():
    assert stop(FakeExecution(reachable=False))[0] == [How.BETWEEN_TRIGGERS]


def test_nothing_to_stop():
    assert stop()[0] == []
