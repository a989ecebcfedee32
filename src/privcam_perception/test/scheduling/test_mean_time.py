"""The time of a call is measured where a schedule may depend on the machine, and only there."""

import pytest

from privcam_perception.scheduling import mean_time
from privcam_perception.scheduling.mean_time import MeanTime


@pytest.mark.parametrize(("measured", "low", "high"), [(True, 0.09, 0.1), (False, 0.01, 0.01)])
def test_mean_follows_the_calls_of_a_machine_that_is_measured(
    monkeypatch: pytest.MonkeyPatch, measured: bool, low: float, high: float
) -> None:
    clock = iter([0.1 * number for number in range(40)])
    monkeypatch.setattr(mean_time.time, "perf_counter", lambda: next(clock))
    mean = MeanTime(0.01, measured=measured)
    for _ in range(20 if measured else 3):
        with mean.take():
            pass
    assert low <= mean.seconds <= high
