"""Whose head the upper border of the picture cuts off does not depend on how tall they are."""

from collections.abc import Callable

import numpy as np
import pytest

from privcam_anonymization.anonymizer import PoseAnonymizer, PoseSettings
from privcam_anonymization.ground_plane import GroundPlane
from privcam_anonymization.random_source import seeded
from privcam_anonymization.standard_body import REST, Posture, place_body
from privcam_core.types.omega import HeadOrientation, SubjectPose
from privcam_core.types.skeleton import HEAD, Joint

SHAPE = (480, 640)
ALL = np.ones(17, np.bool_)
START_NS, STEP_NS = 10**18, 10**8
FACE = [Joint.NOSE, Joint.LEFT_EYE, Joint.RIGHT_EYE]
# Whoever stands at the lower border fills the picture from the feet to the upper border, and more.
NEAR = GroundPlane(horizon=0.4, stature=1.3)
Turn = Callable[[int], float]


def pose_at(feet: float, height: float, turn: float, gaze: float) -> SubjectPose:
    """Return the pose of somebody of whom the picture shows a part. feet: row, px. height: of the standard body."""
    stature = NEAR.stature_at(feet / SHAPE[0], 0.0) * SHAPE[0] * height
    points = place_body(Posture(np.array([320.0, feet]), stature, REST.copy(), turn, gaze), ALL)
    seen = points[:, 1] >= 0
    if turn < 0:
        seen[FACE] = False
    low, high = points.min(axis=0) - 0.07 * stature, points.max(axis=0) + 0.07 * stature
    keypoints = np.column_stack([points, np.full(17, 0.9)]) * seen[:, None]
    head = HeadOrientation(gaze, 0.0, 0.0) if seen[Joint.NOSE] else None
    box = (float(low[0]), max(0.0, float(low[1])), float(high[0]), float(high[1]))
    return SubjectPose(1, box, keypoints.astype(np.float32), head)


def walk(height: float, turn: Turn = lambda _: 1.0, gaze: float = 0.0) -> list[SubjectPose]:
    """Return what leaves of somebody who comes nearer, until the picture shows only a part of them, and goes back."""
    anonymizer = PoseAnonymizer(PoseSettings(ground=NEAR), random_bytes=seeded(7))
    rows = np.concatenate([np.linspace(250, 470, 100), np.linspace(470, 250, 100)])
    return [
        anonymizer.anonymize([pose_at(row, height, turn(number), gaze)], SHAPE, START_NS + number * STEP_NS)[0]
        for number, row in enumerate(rows)
    ]


@pytest.mark.parametrize("gaze", [0.0, 0.8])
@pytest.mark.parametrize("turn", [1.0, -1.0, 0.0])
def test_bodies_of_any_height_leave_the_same_poses_where_the_border_cuts_them_off(turn: float, gaze: float) -> None:
    short, standard, tall = (walk(height, lambda _: turn, gaze) for height in (0.88, 1.0, 1.15))
    for one, other in ((short, standard), (tall, standard)):
        for ours, theirs in zip(one, other, strict=True):
            np.testing.assert_array_equal(ours.keypoints[:, 2], theirs.keypoints[:, 2])
            assert np.abs(ours.keypoints - theirs.keypoints).max() <= 1
            assert np.abs(np.subtract(ours.box, theirs.box)).max() <= 1
            assert (ours.head is None) == (theirs.head is None)


def test_what_the_standard_body_would_not_show_is_not_published() -> None:
    for pose in walk(0.88):
        visible = pose.keypoints[:, 2] > 0
        assert visible[Joint.LEFT_ANKLE]
        # Between two keyframes the body moves on.
        assert (pose.keypoints[visible, 1] >= -10).all()
    heads = [bool((pose.keypoints[list(HEAD), 2] > 0).any()) for pose in walk(1.0)]
    assert any(heads) and not all(heads)


def test_whoever_turns_the_back_shows_no_face_at_the_border() -> None:
    for pose in walk(1.15, lambda _: -1.0):
        assert not (pose.keypoints[FACE, 2] > 0).any()
        assert pose.head is None
