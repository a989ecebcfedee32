"""MoveNet keypoints are in picture pixels, and the lighter model is used for many persons."""

import cv2
import numpy as np
import pytest

from privcam_core.detection.crops import Square
from privcam_core.models import ModelError
from privcam_core.models.reference import synthetic_picture
from privcam_core.types.perception import DetectionSource
from privcam_core.types.skeleton import Joint
from privcam_perception.pose_estimator import PoseEstimator, to_picture


def _scene() -> tuple[np.ndarray, np.ndarray]:
    """Return a picture with the synthetic figure somewhere in it, and the square (x0, y0, x1, y1) it is in."""
    image = np.full((480, 640, 3), 130, np.uint8)
    image[100:400, 250:550] = synthetic_picture(300, 300)
    return image, np.array([250.0, 100.0, 550.0, 400.0])


def test_fractions_of_the_square_become_picture_pixels() -> None:
    found = np.zeros((17, 3), np.float32)
    found[Joint.NOSE] = (0.25, 0.5, 1.02)  # y, x, score
    pose = to_picture(found, Square(100, 40, 200))
    np.testing.assert_allclose(pose[Joint.NOSE], [200, 90, 1])
    np.testing.assert_allclose(pose[Joint.LEFT_EYE], [100, 40, 0])


def test_figure_in_the_picture_has_its_head_above_its_shoulders_above_its_feet() -> None:
    image, box = _scene()
    (pose,) = PoseEstimator(fast=False).estimate(image, box[None])
    head, shoulders = pose[Joint.NOSE, 1], pose[[Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], 1].mean()
    feet = pose[[Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE], 1].mean()
    assert 100 < head < shoulders < feet < 400
    # The figure's trunk is drawn from (0.50, 0.38) to (0.50, 0.60) of the square.
    hips = pose[[Joint.LEFT_HIP, Joint.RIGHT_HIP], 0].mean()
    assert abs(hips - 400) < 25


def test_pose_moves_with_the_figure() -> None:
    image, box = _scene()
    shifted = np.roll(image, (30, -90), axis=(0, 1))
    estimator = PoseEstimator(fast=True)
    first, second = (
        estimator.estimate(image, box[None])[0],
        estimator.estimate(shifted, box[None] + (-90, 30, -90, 30))[0],
    )
    np.testing.assert_allclose(second[:, :2], first[:, :2] + (-90, 30), atol=0.1)


def test_each_model_is_used_where_it_is_asked_for() -> None:
    image, box = _scene()
    chosen, accurate, fast = (PoseEstimator(fast=f) for f in (None, False, True))
    close, light = (chosen.estimate(image, box[None], accurate=how) for how in (True, False))
    np.testing.assert_array_equal(close, accurate.estimate(image, box[None], accurate=False))
    np.testing.assert_array_equal(light, fast.estimate(image, box[None], accurate=True))
    assert not np.allclose(close, light)


def test_no_boxes_give_no_poses() -> None:
    poses = PoseEstimator(fast=True).estimate(np.zeros((48, 64, 3), np.uint8), np.zeros((0, 4)))
    assert poses.shape == (0, 17, 3) and poses.dtype == np.float32


def test_box_over_the_border_gives_finite_keypoints_with_confidences() -> None:
    poses = PoseEstimator(fast=True).estimate(_scene()[0], np.array([[-80.0, -60, 90, 200], [630, 470, 900, 900]]))
    assert np.isfinite(poses).all() and poses[..., 2].min() >= 0 and poses[..., 2].max() <= 1


@pytest.mark.parametrize("image", [np.zeros((48, 64, 4), np.uint8), np.zeros((48, 64, 3), np.uint16)])
def test_picture_of_another_kind_is_rejected(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="image: "):
        PoseEstimator(fast=True).estimate(image, np.zeros((0, 4)))


def test_model_that_is_not_in_the_manifest_is_rejected() -> None:
    with pytest.raises(ModelError, match="movenet_multipose"):
        PoseEstimator(accurate_model="movenet_multipose")


@pytest.mark.parametrize(
    ("rotation", "turn"),
    [
        (cv2.ROTATE_90_CLOCKWISE, DetectionSource.TURNED_LEFT),
        (cv2.ROTATE_90_COUNTERCLOCKWISE, DetectionSource.TURNED_RIGHT),
        (cv2.ROTATE_180, DetectionSource.UPSIDE_DOWN),
    ],
)
def test_pose_of_a_turned_figure_is_the_turned_pose_with_the_same_left_and_right(
    rotation: int, turn: DetectionSource
) -> None:
    image, _ = _scene()
    square = np.ascontiguousarray(image[100:400, 250:550])
    box, estimator = np.array([[0.0, 0.0, 300.0, 300.0]]), PoseEstimator(fast=True)
    (upright,) = estimator.estimate(square, box)
    (turned,) = estimator.estimate(np.ascontiguousarray(cv2.rotate(square, rotation)), box, [turn])
    back = {
        DetectionSource.TURNED_LEFT: (300 - upright[:, 1], upright[:, 0]),
        DetectionSource.TURNED_RIGHT: (upright[:, 1], 300 - upright[:, 0]),
        DetectionSource.UPSIDE_DOWN: (300 - upright[:, 0], 300 - upright[:, 1]),
    }[turn]
    np.testing.assert_allclose(turned[:, :2], np.column_stack(back), atol=1.0)
    np.testing.assert_allclose(turned[:, 2], upright[:, 2], atol=0.05)
