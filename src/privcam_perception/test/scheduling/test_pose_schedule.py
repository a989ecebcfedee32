"""Poses are estimated by need, and move along with their boxes in between."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from privcam_core.types.omega import HeadOrientation
from privcam_core.types.perception import DetectionSource, Track, TrackState
from privcam_perception.scheduling.pose_schedule import PoseSchedule

NS = 1_000_000_000
CALL_S = 0.012
BOX = (100.0, 100.0, 180.0, 300.0)
STANDING = Track(1, BOX, (0.0, 0.0, 0.0, 0.0), 0.8, TrackState.CONFIRMED, 9, 9, 0)
POSE = np.column_stack([np.linspace(110, 170, 17), np.linspace(110, 290, 17), np.ones(17)]).astype(np.float32)
ASIDE = HeadOrientation(yaw=0.9, pitch=0.0, roll=0.1)
ROOM = np.random.default_rng(4).integers(60, 190, (480, 640, 3)).astype(np.uint8)


def moving(frame: int) -> np.ndarray:
    image = ROOM.copy()
    left = 100 + frame * 7 % 40
    image[100:300, left : left + 60] = 20
    return image


def estimates(
    picture: Callable[[int], np.ndarray], seconds: float, *tracks: Track, rate: float = 10.0, call_s: float = CALL_S
) -> Counter[int]:
    """Return how often the pose of each subject was estimated."""
    schedule, found = PoseSchedule(), Counter[int]()
    for frame in range(round(seconds * rate)):
        for at in schedule.choose(picture(frame), tracks, round((1 + frame / rate) * NS), call_s):
            schedule.note(tracks[at], POSE, None, 1, call_s)
            found[tracks[at].subject_id] += 1
    return found


@pytest.mark.parametrize("rate", [10.0, 25.0])
def test_still_subject_has_two_poses_a_second_and_a_moving_one_five_or_six(rate: float) -> None:
    assert 18 <= estimates(lambda _: ROOM, 10.0, STANDING, rate=rate)[1] <= 22
    assert 45 <= estimates(moving, 10.0, STANDING, rate=rate)[1] <= 65


@pytest.mark.parametrize(
    "track",
    [
        replace(STANDING, velocity=(0.0, 150.0, 0.0, 0.0)),
        replace(STANDING, source=DetectionSource.TURNED_LEFT),
        replace(STANDING, box=(80.0, 150.0, 300.0, 300.0)),
    ],
    ids=["falls", "lies", "bent"],
)
def test_who_may_need_help_has_a_pose_in_every_frame(track: Track) -> None:
    assert estimates(moving, 10.0, track)[1] == 100


def test_two_who_touch_have_poses_in_every_frame() -> None:
    found = estimates(moving, 10.0, STANDING, replace(STANDING, subject_id=2))
    assert min(found.values()) >= 99


def test_in_a_crowd_everybody_has_a_turn_within_the_budget() -> None:
    crowd = [replace(STANDING, subject_id=number) for number in range(1, 21)]
    found = estimates(moving, 10.0, *crowd)
    assert sum(found.values()) * CALL_S <= 0.4 * 10.0 + 0.2
    assert min(found.values()) >= 0.8 * max(found.values())


def test_slow_network_estimates_one_pose_a_frame() -> None:
    crowd = [replace(STANDING, subject_id=number) for number in range(1, 6)]
    assert sum(estimates(moving, 5.0, *crowd, call_s=0.2).values()) == 50


def test_pose_moves_and_grows_with_its_box() -> None:
    schedule = PoseSchedule()
    assert schedule.choose(ROOM, [STANDING], NS, CALL_S) == [0]
    schedule.note(STANDING, POSE, ASIDE, 1, CALL_S)
    carried = schedule.carried(replace(STANDING, box=(200.0, 100.0, 360.0, 500.0)))
    assert carried is not None
    moved, head = carried
    assert head == ASIDE
    np.testing.assert_allclose(moved[0], [200 + 20, 100 + 20, 1], atol=1e-3)
    np.testing.assert_allclose(moved[-1], [200 + 140, 100 + 380, 1], atol=1e-3)


def test_subject_without_a_pose_has_none_to_carry_and_one_that_left_is_forgotten() -> None:
    schedule = PoseSchedule()
    assert schedule.carried(STANDING) is None
    schedule.choose(ROOM, [STANDING], NS, CALL_S)
    schedule.note(STANDING, POSE, None, 1, CALL_S)
    schedule.keep([2])
    assert schedule.carried(STANDING) is None
