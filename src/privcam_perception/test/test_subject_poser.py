"""Who has a pose, and from which of the two networks."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from privcam_core.models.reference import synthetic_picture
from privcam_core.types.perception import DetectionSource, Track, TrackState
from privcam_perception.pose_estimator import PoseEstimator
from privcam_perception.subject_poser import SubjectPoser

BOX = (250.0, 100.0, 550.0, 400.0)
SEEN = Track(1, BOX, (0.0, 0.0, 0.0, 0.0), 0.8, TrackState.CONFIRMED, 9, 9, 0)
LYING = replace(SEEN, score=0.0, state=TrackState.LOST, source=DetectionSource.TURNED_LEFT)
STANDING = replace(LYING, source=DetectionSource.WHOLE, box=(300.0, 100.0, 500.0, 400.0))
SEEN2 = replace(SEEN, subject_id=2)
NS = 1_000_000_000


def room(*, somebody: bool) -> np.ndarray:
    image = np.full((480, 640, 3), 130, np.uint8)
    if somebody:
        image[100:400, 250:550] = cv2.rotate(synthetic_picture(300, 300), cv2.ROTATE_90_CLOCKWISE)
    return image


def subjects(*tracks: Track, somebody: bool) -> list[int]:
    poser, image = SubjectPoser(), room(somebody=somebody)
    poses = [poser.estimate(image, tracks, NS * (1 + frame)) for frame in range(4)]
    return [pose.subject_id for pose in poses[-1]]


def test_lost_subject_who_is_seen_to_lie_has_a_pose() -> None:
    assert subjects(LYING, somebody=True) == [1]


def test_lost_subject_whom_the_network_does_not_see_has_no_pose() -> None:
    assert subjects(LYING, somebody=False) == []


def test_lost_subject_who_stood_has_no_pose() -> None:
    assert subjects(STANDING, somebody=True) == []


def test_confirmed_subject_has_a_pose_however_little_the_network_sees() -> None:
    assert subjects(SEEN, somebody=False) == [1]


def test_lost_subject_takes_no_time_from_more_than_two_others() -> None:
    others = [replace(SEEN, subject_id=number) for number in (2, 3, 4)]
    assert sorted(subjects(LYING, *others[:2], somebody=True)) == [1, 2, 3]
    assert sorted(subjects(LYING, *others, somebody=True)) == [2, 3, 4]


def test_poser_says_whose_pose_was_estimated_and_whose_moved_along_with_the_box() -> None:
    poser, image = SubjectPoser(), room(somebody=False)
    other = replace(SEEN, subject_id=2, box=(40.0, 100.0, 140.0, 400.0))
    for frame, expected in enumerate([{1, 2}, set(), set(), set(), set(), {1, 2}]):  # both keep still: every 0.5 s
        poses = poser.estimate(image, [SEEN, other], NS + frame * NS // 10)
        assert ({pose.subject_id for pose in poses}, poser.estimated) == ({1, 2}, expected)


def test_lost_subject_without_a_pose_is_not_named_as_estimated() -> None:
    poser = SubjectPoser()
    assert [pose.subject_id for pose in poser.estimate(room(somebody=False), [LYING, SEEN2], NS)] == [2]
    assert poser.estimated == {2}


def test_every_pose_of_every_frame_is_estimated_where_that_was_asked_for() -> None:
    poser, image = SubjectPoser(every_frame=True), room(somebody=False)
    for frame in range(3):
        poser.estimate(image, [SEEN], NS + frame * NS // 10)
        assert poser.estimated == {1}
    poser.estimate(image, [], 2 * NS)
    assert poser.estimated == set()


def test_layers_are_numbered_without_gaps() -> None:
    poser = SubjectPoser()
    tracks = [replace(SEEN, subject_id=1), replace(STANDING, subject_id=2), replace(SEEN, subject_id=3)]
    assert [pose.layer for pose in poser.estimate(room(somebody=True), tracks, NS)] == [0, 1]


@pytest.mark.parametrize(
    ("others", "change", "accurate"),
    [
        ([], {}, False),
        ([(40.0, 100.0, 140.0, 400.0)], {}, False),
        ([(40.0, 100.0, 260.0, 400.0)], {}, True),  # touches
        ([], {"velocity": (0.0, 200.0, 0.0, 0.0)}, True),  # goes down
    ],
)
def test_accurate_network_is_for_those_who_touch_or_may_fall(
    others: list[tuple[float, float, float, float]], change: dict[str, object], accurate: bool
) -> None:
    image = room(somebody=False)
    image[100:400, 250:550] = synthetic_picture(300, 300)
    tracks = [replace(SEEN, **change), *(replace(SEEN, subject_id=2 + at, box=box) for at, box in enumerate(others))]
    poses = {pose.subject_id: pose.keypoints for pose in SubjectPoser().estimate(image, tracks, NS)}
    (expected,) = PoseEstimator().estimate(image, np.array([BOX], np.float32), accurate=accurate)
    np.testing.assert_array_equal(poses[1], expected)


def test_accurate_network_is_asked_where_the_lighter_one_is_not_confident() -> None:
    poser, image = SubjectPoser(), room(somebody=False)
    (pose,) = poser.estimate(image, [SEEN], NS)
    (expected,) = PoseEstimator().estimate(image, np.array([BOX], np.float32), accurate=True)
    np.testing.assert_array_equal(pose.keypoints, expected)
    assert poser.calls == 2
