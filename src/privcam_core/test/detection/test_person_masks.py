import numpy as np
import pytest

from privcam_core.detection.person_masks import PersonMasks, add_person, body_mask, body_scale, dilate
from privcam_core.models import load
from privcam_core.models.reference import synthetic_picture
from privcam_core.types.skeleton import Joint


def _standing(u: float = 100.0, v: float = 50.0, size: float = 1.0) -> np.ndarray:
    """Return a (17, 3) person who faces the camera: shoulders at v + 30, hips at v + 80, feet at v + 160."""
    points = np.zeros((17, 3))
    heights = {Joint.NOSE: 0, Joint.LEFT_EYE: -4, Joint.RIGHT_EYE: -4, Joint.LEFT_EAR: -2, Joint.RIGHT_EAR: -2}
    sides = {Joint.NOSE: 0, Joint.LEFT_EYE: 4, Joint.RIGHT_EYE: -4, Joint.LEFT_EAR: 8, Joint.RIGHT_EAR: -8}
    pairs = ((Joint.LEFT_SHOULDER, 20, 30), (Joint.LEFT_ELBOW, 26, 55), (Joint.LEFT_WRIST, 28, 80))
    for left, across, down in (
        *pairs,
        (Joint.LEFT_HIP, 13, 80),
        (Joint.LEFT_KNEE, 14, 120),
        (Joint.LEFT_ANKLE, 15, 160),
    ):
        for joint, sign in ((left, 1), (Joint(left + 1), -1)):
            heights[joint], sides[joint] = down, sign * across
    for joint in Joint:
        points[joint] = (u + size * sides[joint], v + size * heights[joint], 0.9)
    return points


def test_capsules_cover_every_joint_and_the_trunk_between_them() -> None:
    person = _standing()
    mask = body_mask((240, 200), person[None])
    for u, v, _ in person:
        assert mask[round(v), round(u)]
    assert mask[50 + 30 : 50 + 80, 95:106].all()


def test_capsules_are_as_wide_as_a_body_and_no_wider() -> None:
    mask = body_mask((240, 200), _standing()[None])
    wrist_row = np.flatnonzero(mask[50 + 65])
    assert wrist_row[0] > 100 - 28 - 14 and wrist_row[-1] < 100 + 28 + 14
    assert 0.1 < mask[:, 60:140].mean() < 0.6 and not mask[:, :50].any()


def test_person_twice_as_large_gets_four_times_the_area() -> None:
    small, large = (body_mask((480, 400), _standing(200, 100, s)[None]).sum() for s in (1.0, 2.0))
    assert large / small == pytest.approx(4, rel=0.05)


def test_limb_with_an_unseen_end_is_left_out() -> None:
    person = _standing()
    person[[Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE], 2] = 0.1
    assert not body_mask((240, 200), person[None])[50 + 140 :].any()
    person[:, 2] = 0
    assert not body_mask((240, 200), person[None]).any()


def test_person_from_the_side_is_measured_by_the_trunk_not_by_the_narrow_shoulders() -> None:
    person = _standing()
    front = body_scale(person)
    person[[Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], 0] = 100
    person[[Joint.LEFT_HIP, Joint.RIGHT_HIP], 0] = 100
    assert body_scale(person) == pytest.approx(50) and front >= 50


def test_keypoints_far_outside_of_the_picture_do_no_harm() -> None:
    assert body_mask((240, 200), _standing(5000, -3000)[None]).sum() == 0


def test_segmented_figure_is_covered_and_the_background_far_from_it_is_not() -> None:
    image = np.full((480, 640, 3), 130, np.uint8)
    image[100:400, 250:550] = synthetic_picture(300, 300)
    box = np.array([340.0, 130, 460, 390])  # the figure reaches from (0.30, 0.13) to (0.72, 0.96) of the square
    mask = PersonMasks().segment(image, box[None], np.zeros((1, 17, 3)))
    assert mask.dtype == np.bool_ and mask.shape == (480, 640)
    assert mask[100 + 120 : 100 + 170, 395:405].all()
    assert not mask[:, :300].any() and not mask[:80].any()


def test_box_in_which_no_person_is_segmented_is_masked_as_a_whole() -> None:
    image = np.full((240, 320, 3), 200, np.uint8)
    mask = PersonMasks(dilation=0).segment(image, np.array([[50.0, 40, 120, 200]]), np.zeros((1, 17, 3)))
    assert mask[40:200, 50:120].all()


def test_box_that_reaches_over_the_border_is_masked_up_to_it() -> None:
    union = np.zeros((240, 320), np.uint8)
    image = np.full((240, 320, 3), 200, np.uint8)
    add_person(union, image, np.array([-40.0, 100, 30, 300]), load("selfie"), 8)
    assert union[100:, :30].all()
    before = union.copy()
    add_person(union, image, np.array([-90.0, 100, -50, 300]), load("selfie"), 8)
    np.testing.assert_array_equal(union, before)


def test_dilation_grows_by_its_radius_in_all_directions() -> None:
    mask = np.zeros((41, 41), np.uint8)
    mask[20, 20] = 1
    grown = dilate(mask, 8)
    y, x = np.nonzero(grown)
    assert (y.min(), y.max(), x.min(), x.max()) == (12, 28, 12, 28)
    assert np.hypot(y - 20, x - 20).max() < 9.5
    np.testing.assert_array_equal(dilate(mask, 0), mask)


def test_frame_without_people_has_an_empty_mask() -> None:
    mask = PersonMasks().segment(np.zeros((48, 64, 3), np.uint8), np.zeros((0, 4)), np.zeros((0, 17, 3)))
    assert mask.shape == (48, 64) and not mask.any()


def test_people_without_matching_keypoints_and_other_pictures_are_refused() -> None:
    masks, image = PersonMasks(), np.zeros((48, 64, 3), np.uint8)
    with pytest.raises(ValueError, match=r"keypoints: have shape \(0, 17, 3\), need \(1, 17, 3\)"):
        masks.segment(image, np.zeros((1, 4)), np.zeros((0, 17, 3)))
    with pytest.raises(ValueError, match="image: "):
        masks.segment(image[..., :2], np.zeros((0, 4)), np.zeros((0, 17, 3)))
    with pytest.raises(ValueError, match="dilation: -1 px"):
        PersonMasks(dilation=-1)
