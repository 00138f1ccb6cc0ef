"""What is taken for the truth while the job and its input move on."""

from types import SimpleNamespace

import pytest

from streamctl.chaos.watch import Watch
from streamctl.errors import BrokerUnreachable


@pytest.mark.parametrize(
    ("true", "told", "kept"),
    [
        pytest.param([100, 100], 100, (100, 100), id="nothing moves"),
        pytest.param([20_100, 100], 100, (100, 100), id="a batch was committed before the answer"),
        pytest.param([20_100, 100], 20_000, (20_000, 20_000), id="or after it"),
        pytest.param([100, 200], 5000, (5000, 200), id="an answer that nothing explains"),
        pytest.param([100, 200], 0, (0, 100), id="nor this one"),
        pytest.param([100, 200], None, (None, 200), id="no answer"),
        pytest.param([None], 50, (None, None), id="Kafka is silent"),
        pytest.param([100, None], 50, (50, None), id="Kafka has fallen silent"),
    ],
)
def test_lag_is_held_against_what_was_true_around_it(monkeypatch, true, told, kept):
    def answers(values):
        def answer(*_):
            if (value := values.pop(0)) is None:
                raise BrokerUnreachable("no answer")
            return value

        return answer

    watch = Watch(SimpleNamespace(true_lag=answers(true)))
    monkeypatch.setattr(Watch, "_told_lag", answers([told]))
    assert watch._lags() == kept
