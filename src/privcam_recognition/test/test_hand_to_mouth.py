"""That hands are counted at the mouth as often as they go there."""

import numpy as np
import numpy.typing as npt
import pytest
from stick_figure import HEIGHT, STANDING, draw

from privcam_core.types.skeleton import Joint
from privcam_recognition.interactions.hand_to_mouth import PERIOD_S, HandToMouth


def at_mouth(distance_h: float, rho: float = 0.8) -> npt.NDArray[np.float32]:
    points = draw(STANDING)
    points[Joint.LEFT_WRIST] = points[Joint.NOSE] + np.array([distance_h * HEIGHT, 0.0, 0.0], np.float32)
    points[Joint.LEFT_WRIST, 2] = rho
    return points


def counted(rate: float, cycle_s: float, held_s: float, until: float, distance_h: float = 0.08) -> int:
    hands = HandToMouth()
    for seconds in np.arange(0.0, until, 1.0 / rate):
        up = seconds % cycle_s < held_s
        hands.update(float(seconds), at_mouth(distance_h if up else 0.5), HEIGHT)
    return hands.count(until)


@pytest.mark.parametrize("rate", [5.0, 10.0, 30.0])
def test_each_time_counts_once(rate: float) -> None:
    assert counted(rate, cycle_s=8.0, held_s=1.5, until=40.0) == 5


def test_a_hand_that_goes_by_or_stays_away_does_not_count() -> None:
    assert counted(30.0, cycle_s=4.0, held_s=0.1, until=20.0) == 0
    assert counted(10.0, cycle_s=4.0, held_s=1.0, until=20.0, distance_h=0.17) == 0


def test_what_was_long_ago_is_forgotten() -> None:
    hands = HandToMouth()
    for seconds in np.arange(0.0, 2.0, 0.1):
        hands.update(float(seconds), at_mouth(0.05), HEIGHT)
    assert (hands.count(2.0), hands.count(3.0 + PERIOD_S)) == (1, 0)


def test_hands_that_are_not_seen_did_not_leave() -> None:
    hands = HandToMouth()
    for seconds in np.arange(0.0, 6.0, 0.1):
        points = at_mouth(0.05)
        if 2 < seconds < 4:
            points[[Joint.LEFT_WRIST, Joint.RIGHT_WRIST], 2] = 0.0
        hands.update(float(seconds), points, HEIGHT)
    assert hands.count(6.0) == 1
