"""Head orientation is recovered from projected keypoints."""

from math import cos, pi, radians, sin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privcam_core.types.skeleton import HEAD, Joint
from privcam_perception.head_orientation import head_orientation

# An average head in mm, from the middle between the ears: to the subject's left, up, forward.
HEAD_MM = np.array([[0, -25, 122], [32, 14, 94], [-32, 14, 94], [72, 0, 0], [-72, 0, 0]], float)


def _picture(yaw: float, pitch: float, roll: float, px_per_mm: float = 0.5) -> np.ndarray:
    """Return (17, 3) keypoints of a head turned first by roll, then by pitch, then by yaw, far from the camera."""
    c, s = cos(roll), sin(roll)
    about_forward = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    c, s = cos(pitch), sin(pitch)
    about_left = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    c, s = cos(yaw), sin(yaw)
    about_up = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    turned = HEAD_MM @ (about_up @ about_left @ about_forward).T
    points = np.zeros((17, 3))
    points[list(HEAD), 0] = 300 + px_per_mm * turned[:, 0]
    points[list(HEAD), 1] = 200 - px_per_mm * turned[:, 1]
    points[list(HEAD), 2] = 0.9
    return points


def test_head_that_faces_the_camera_has_no_rotation() -> None:
    found = head_orientation(_picture(0, 0, 0))
    assert found is not None
    np.testing.assert_allclose([found.yaw, found.pitch, found.roll], 0, atol=0.06)


def test_signs_are_those_of_the_contract() -> None:
    right = _picture(0, 0, 0)
    right[Joint.NOSE, 0] += 20  # the nose to the picture's right
    assert head_orientation(right).yaw > 0.1
    up = _picture(0, 0, 0)
    up[[Joint.NOSE, Joint.LEFT_EYE, Joint.RIGHT_EYE], 1] -= 15
    assert head_orientation(up).pitch > 0.1
    tilted = _picture(0, 0, 0)
    tilted[[Joint.LEFT_EYE, Joint.LEFT_EAR], 1] += 10  # the subject's left is at the picture's right: clockwise
    tilted[[Joint.RIGHT_EYE, Joint.RIGHT_EAR], 1] -= 10
    assert head_orientation(tilted).roll > 0.1


@given(yaw=st.floats(-75, 75), pitch=st.floats(-35, 35), roll=st.floats(-60, 60))
def test_orientation_of_a_projected_head_is_recovered(yaw: float, pitch: float, roll: float) -> None:
    found = head_orientation(_picture(radians(yaw), radians(pitch), radians(roll)))
    assert found is not None
    error = np.degrees([found.yaw, found.pitch, found.roll]) - (yaw, pitch, roll)
    assert np.abs(error).max() < 6


@pytest.mark.parametrize("hidden", [Joint.LEFT_EAR, Joint.RIGHT_EAR, Joint.LEFT_EYE])
def test_one_hidden_point_is_no_obstacle(hidden: Joint) -> None:
    keypoints = _picture(radians(30), radians(-10), 0)
    keypoints[hidden] = (0, 0, 0.05)
    found = head_orientation(keypoints)
    assert found is not None
    np.testing.assert_allclose(np.degrees([found.yaw, found.pitch, found.roll]), [30, -10, 0], atol=6)


@pytest.mark.parametrize("hidden", [[Joint.NOSE], [Joint.LEFT_EAR, Joint.RIGHT_EAR], [Joint.LEFT_EYE, Joint.LEFT_EAR]])
def test_head_with_too_few_visible_points_has_no_orientation(hidden: list[Joint]) -> None:
    keypoints = _picture(0, 0, 0)
    keypoints[hidden, 2] = 0.1
    assert head_orientation(keypoints) is None


def test_head_of_a_few_pixels_has_no_orientation() -> None:
    assert head_orientation(_picture(0, 0, 0, px_per_mm=0.02)) is None
    everything_in_one_point = np.tile([5.0, 5.0, 0.9], (17, 1))
    assert head_orientation(everything_in_one_point) is None


def test_any_keypoints_give_angles_in_range_or_nothing() -> None:
    rng = np.random.default_rng(7)
    for _ in range(200):
        found = head_orientation(np.column_stack([rng.uniform(0, 500, (17, 2)), np.ones(17)]))
        assert found is None or abs(found.yaw) <= pi
