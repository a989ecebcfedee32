import numpy as np
import pytest

from privcam_core.drawing.body import build_body
from privcam_core.drawing.body_model import Kind
from privcam_core.drawing.geometry import Ellipse, capsule, crop, fixed_point, reach, right_of, unit
from privcam_core.drawing.stature import stature_of
from privcam_core.types.omega import HeadOrientation, SubjectPose
from privcam_core.types.skeleton import Joint

STATURE = 240.0
# A standing figure, front view, in shares of the stature from the point between the feet.
STANDING = (
    (0, -0.92), (0.018, -0.935), (-0.018, -0.935), (0.042, -0.925), (-0.042, -0.925), (0.115, -0.81), (-0.115, -0.81),
    (0.15, -0.63), (-0.15, -0.63), (0.16, -0.48), (-0.16, -0.48), (0.06, -0.52), (-0.06, -0.52), (0.065, -0.28),
    (-0.065, -0.28), (0.07, -0.04), (-0.07, -0.04),
)  # fmt: skip


def standing(invisible=(), head=None):
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[:, :2] = np.array(STANDING) * STATURE + (160, 260)
    keypoints[:, 2] = 0.9
    keypoints[list(invisible), 2] = 0.1
    return SubjectPose(1, (110.0, 20.0, 210.0, 265.0), keypoints, head)


def kinds(pose):
    return [part.kind for part in build_body(pose).parts]


def test_capsule_outline_is_as_wide_as_its_circles_and_grows_by_px():
    shape = capsule(np.array([10.0, 10.0]), 2.0, np.array([30.0, 10.0]), 4.0)
    for grow in (0.0, 3.0):
        outline = shape.outline(grow)
        assert outline[:, 0].min() == pytest.approx(8 - grow, abs=0.01)
        assert outline[:, 0].max() == pytest.approx(34 + grow, abs=0.01)
        assert np.ptp(outline[:, 1]) == pytest.approx(2 * (4 + grow), abs=0.05)


def test_ellipse_turns_clockwise_from_upright():
    lying = Ellipse(np.array([0.0, 0.0]), (2.0, 10.0), np.pi / 2).outline()
    assert np.ptp(lying[:, 0]) == pytest.approx(20, abs=0.01)
    assert np.ptp(lying[:, 1]) == pytest.approx(4, abs=0.01)
    tilted = Ellipse(np.array([0.0, 0.0]), (2.0, 10.0), np.pi / 4).outline()
    top = tilted[tilted[:, 1].argmin()]
    assert top[0] > 0


def test_shape_shrunk_below_nothing_keeps_a_visible_rest():
    assert np.ptp(capsule(np.zeros(2), 1.0, np.array([5.0, 0.0]), 1.0).outline(-10.0)[:, 1]) == pytest.approx(
        1.0, abs=0.02
    )


def test_fixed_point_keeps_a_sixteenth_of_a_pixel():
    assert fixed_point(np.array([[1.0625, 2.0]], np.float32), (1, 0)).tolist() == [[1, 32]]


def test_crop_is_cut_at_the_picture_and_none_outside_of_it():
    assert crop((-5.0, 3.2, 4.5, 99.0), 10, 20) == (slice(3, 20), slice(0, 6))
    assert crop((11.0, 0.0, 20.0, 5.0), 10, 20) is None


def test_reach_ends_at_the_wall_of_the_box():
    box = (0.0, 0.0, 10.0, 10.0)
    assert reach(box, np.array([5.0, 5.0]), np.array([0.0, 1.0]), 20.0).tolist() == [0.0, 5.0]
    assert reach(box, np.array([5.0, 15.0]), np.array([0.0, 1.0]), 20.0).tolist() == [0.0, 0.0]


def test_right_of_an_upright_body_is_the_right_of_the_picture():
    assert right_of(np.array([0.0, -1.0])).tolist() == [1.0, 0.0]
    assert unit(np.zeros(2)).tolist() == [0.0, 0.0]


def test_stature_is_measured_along_the_bones_and_one_wild_keypoint_does_not_change_it():
    assert stature_of(standing()) == pytest.approx(STATURE, rel=0.12)
    wild = standing()
    wild.keypoints[Joint.LEFT_WRIST, :2] = (400, 20)
    assert stature_of(wild) == pytest.approx(STATURE, rel=0.12)


def test_stature_of_a_subject_without_bones_is_the_longer_side_of_the_box():
    assert stature_of(standing(invisible=range(17))) == 245.0


def test_whole_figure_has_head_trunk_arms_and_legs():
    assert {Kind.HEAD, Kind.TRUNK, Kind.NECK, Kind.ARM, Kind.LEG} <= set(kinds(standing()))


def test_unseen_legs_are_left_out_and_the_trunk_ends_at_the_box():
    legs = [joint for joint in Joint if joint >= Joint.LEFT_HIP]
    pose = standing(invisible=legs)
    pose = SubjectPose(1, (110.0, 20.0, 210.0, 100.0), pose.keypoints)
    body = build_body(pose)
    assert Kind.LEG not in kinds(pose)
    trunk = np.concatenate([part.shape.outline() for part in body.parts if part.kind is Kind.TRUNK])
    assert trunk[:, 1].max() < 100 + 0.08 * STATURE


def test_unseen_keypoints_do_not_matter_wherever_they_are():
    here, there = standing(invisible=(Joint.LEFT_WRIST,)), standing(invisible=(Joint.LEFT_WRIST,))
    there.keypoints[Joint.LEFT_WRIST, :2] = (-3000, 9000)
    assert build_body(here).bounds() == build_body(there).bounds()


def test_keypoint_that_is_impossibly_far_is_not_joined():
    wild = standing()
    wild.keypoints[Joint.LEFT_ANKLE, :2] = (900, 100)
    assert build_body(wild).bounds()[2] < 260


def test_unseen_knee_is_bridged_from_hip_to_ankle():
    assert kinds(standing(invisible=(Joint.LEFT_KNEE,))).count(Kind.LEG) == kinds(standing()).count(Kind.LEG) - 1


def test_subject_with_two_keypoints_is_a_marker_in_its_box():
    pose = standing(invisible=range(2, 17))
    body = build_body(pose)
    assert body.is_marker
    x0, y0, x1, y1 = body.bounds()
    assert 110 <= x0 < x1 <= 210
    assert 20 <= y0 < y1 <= 265


def test_marker_of_a_hair_thin_box_still_has_an_area():
    body = build_body(SubjectPose(1, (50.0, 50.0, 50.01, 50.01), np.zeros((17, 3), np.float32)))
    x0, y0, x1, y1 = body.bounds()
    assert x1 - x0 > 5
    assert y1 - y0 > 5


def test_all_keypoints_in_one_point_give_a_finite_body():
    keypoints = np.full((17, 3), 50.0, np.float32)
    keypoints[:, 2] = 1.0
    assert np.isfinite(build_body(SubjectPose(1, (40.0, 40.0, 60.0, 60.0), keypoints)).bounds()).all()


def test_head_turned_to_the_right_shows_a_nose_on_the_right_and_no_face_from_behind():
    aside = build_body(standing(head=HeadOrientation(1.2, 0.0, 0.0)))
    (nose,) = [part for part in aside.parts if part.kind is Kind.NOSE]
    assert nose.shape.outline()[:, 0].max() > 160 + 0.05 * STATURE
    assert Kind.FACE in kinds(standing(head=HeadOrientation(0.0, 0.0, 0.0)))
    assert Kind.FACE not in kinds(standing(head=HeadOrientation(np.pi, 0.0, 0.0)))


def test_back_view_has_no_face_even_if_the_pose_model_guesses_a_nose():
    pose = standing()
    mirrored = pose.keypoints.copy()
    for left in range(Joint.LEFT_EYE, Joint.RIGHT_ANKLE, 2):
        mirrored[[left, left + 1]] = mirrored[[left + 1, left]]
    assert Kind.FACE in kinds(pose)
    assert Kind.FACE not in kinds(SubjectPose(1, pose.box, mirrored))


def test_in_a_side_view_the_limbs_of_the_far_side_come_first():
    pose = standing()
    pose.keypoints[:, 0] = 160 + (pose.keypoints[:, 0] - 160) * 0.1
    pose.keypoints[Joint.NOSE, 0] = 180
    depths = [part.depth for part in build_body(pose).parts if part.kind is Kind.ARM]
    assert depths == sorted(depths)
    assert set(depths) == {-1, 1}


def test_scaled_body_is_the_body_in_finer_pixels():
    body = build_body(standing())
    assert body.scaled(2.0).bounds() == pytest.approx([2 * side for side in body.bounds()], abs=0.01)
