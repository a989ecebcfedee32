"""Pictures that did not come are counted by the stamps of those that did."""

import numpy as np
import pytest

from privcam_ros.image_topics.stamp_gaps import StampGaps

PERIOD_NS = 66_666_667
START_NS = 10**18


def missing(stamps: list[int]) -> int:
    gaps = StampGaps()
    for stamp in stamps:
        gaps.note(stamp)
    return gaps.missing


@pytest.mark.parametrize("fraction", [0.0, 0.03, 0.2, 0.3])
def test_lost_pictures_are_counted_whatever_the_jitter_of_the_driver(fraction: float) -> None:
    random = np.random.default_rng(3)
    jitter = random.normal(0, 0.1 * PERIOD_NS, 600).astype(int)
    stamps = [START_NS + n * PERIOD_NS + int(jitter[n]) for n in range(600)]
    kept = [stamp for n, stamp in enumerate(stamps) if n < 40 or random.random() >= fraction]
    assert missing(kept) == pytest.approx(len(stamps) - len(kept), abs=max(1, 0.1 * (len(stamps) - len(kept))))


def test_pause_clock_set_back_and_missing_stamps_are_no_losses() -> None:
    stamps = [START_NS + n * PERIOD_NS for n in range(60)]
    paused = [stamp + 3600 * 10**9 for stamp in stamps]
    assert missing([*stamps, *paused, *stamps]) == 0
    assert missing([0] * 100) == 0


def test_driver_that_becomes_slower_is_no_loss_for_long() -> None:
    fast = [START_NS + n * PERIOD_NS for n in range(60)]
    slow = [fast[-1] + 2 * n * PERIOD_NS for n in range(1, 200)]
    assert missing([*fast, *slow]) <= 16
