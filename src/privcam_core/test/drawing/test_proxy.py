import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privcam_core.drawing.body import build_body
from privcam_core.drawing.palette import color
from privcam_core.drawing.proxy import overlay, render_subject
from privcam_core.types.omega import SubjectPose

GREY = np.full((280, 320, 3), 128, np.uint8)
# A standing figure: u, v in shares of the stature from the point between the feet, COCO-17 order.
HALF = ((0.018, -0.935), (0.042, -0.925), (0.115, -0.81), (0.15, -0.63), (0.16, -0.48), (0.06, -0.52), (0.065, -0.28),
        (0.07, -0.04))  # fmt: skip
STANDING = np.array([(0, -0.92), *[(sign * u, v) for u, v in HALF for sign in (1, -1)]])


def standing(subject_id=1, u=160, layer=0, rho=0.9):
    keypoints = np.full((17, 3), rho, np.float32)
    keypoints[:, :2] = STANDING * 240 + (u, 265)
    return SubjectPose(subject_id, (u - 50.0, 20.0, u + 50.0, 270.0), keypoints, None, layer)


def chest(picture, u):
    return picture[110, u].astype(int)


def near(pixel, bgr):
    return np.abs(pixel - np.array(bgr)).max() < 70


def test_subject_in_front_hides_the_one_behind_and_swapped_layers_swap_them():
    front, back = standing(1, 160, layer=1), standing(2, 170, layer=0)
    picture = overlay(GREY, [front, back])
    alone = overlay(GREY, [front])
    # Pixels on an edge are mixed with what lies behind, also in the narrow slits between arm and trunk.
    body = cv2.erode(np.any(alone != GREY, axis=2).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert (picture[body] == alone[body]).all(axis=1).mean() > 0.99
    swapped = overlay(GREY, [standing(1, 160, layer=0), standing(2, 170, layer=1)])
    assert near(chest(picture, 165), color(1))
    assert near(chest(swapped, 165), color(2))


def test_order_of_the_list_does_not_matter_only_the_layers():
    poses = [standing(1, 150, layer=2), standing(2, 165, layer=0), standing(3, 180, layer=1)]
    assert (overlay(GREY, poses) == overlay(GREY, poses[::-1])).all()


def test_background_is_not_changed_and_the_same_input_gives_the_same_picture():
    background = GREY.copy()
    first = overlay(background, [standing()])
    assert (background == GREY).all()
    assert (overlay(background, [standing()]) == first).all()


def test_nobody_leaves_the_background_as_it_is():
    assert (overlay(GREY, []) == GREY).all()


def test_nothing_is_drawn_farther_than_a_rim_from_the_body():
    pose = standing()
    x0, y0, x1, y1 = build_body(pose).bounds(grow=6.0)
    changed = np.argwhere(np.any(overlay(GREY, [pose]) != GREY, axis=2))
    (v0, u0), (v1, u1) = changed.min(axis=0), changed.max(axis=0)
    assert x0 <= u0 < u1 <= x1
    assert y0 <= v0 < v1 <= y1


def test_colour_of_a_proxy_depends_on_the_subject_id_and_not_on_place_or_posture():
    fills = {render_subject(standing(7, u))[-1].fill for u in (40, 160)}
    assert len(fills) == 1
    assert render_subject(standing(8))[-1].fill not in fills


def test_subject_of_whom_nothing_is_seen_is_still_visible():
    picture = overlay(GREY, [standing(rho=0.0)])
    assert np.any(picture != GREY, axis=2).sum() > 1000


def test_half_of_a_subject_beyond_the_border_is_drawn_up_to_the_border():
    picture = overlay(GREY, [standing(u=0)])
    assert np.any(picture[:, 0] != GREY[:, 0], axis=1).sum() > 50


def test_background_that_is_not_bgr8_is_refused():
    with pytest.raises(ValueError, match="background"):
        overlay(np.zeros((10, 10), np.uint8), [])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-30_000, 30_000, width=32), min_size=34, max_size=34), st.floats(0, 1), st.integers(0, 2**17))
def test_any_valid_pose_is_drawn_with_finite_outlines(coordinates, rho, which):
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[:, :2] = np.reshape(coordinates, (17, 2))
    keypoints[:, 2] = [rho if which >> joint & 1 else 0.9 for joint in range(17)]
    pose = SubjectPose(1, (10.0, 10.0, 60.0, 150.0), keypoints)
    assert all(np.isfinite(shape.outline).all() for shape in render_subject(pose))
    overlay(GREY, [pose])
