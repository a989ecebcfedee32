"""Pose anonymisation: everyone in one body, in coarse steps, and valid whatever comes in."""

from dataclasses import replace
from math import hypot, pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privcam_core.types.omega import HeadOrientation, SubjectPose
from privcam_core.types.skeleton import LIMBS, SEEN, Joint
from privcam_privacy.poses.anonymizer import PoseAnonymizer, PoseSettings
from privcam_privacy.poses.noise import HIGHEST, LOWEST, TOWARDS, Noise, clipped, measure
from privcam_privacy.poses.quantizer import Steps, StepSettings
from privcam_privacy.poses.standard_body import FULL, REST, Posture, stand

SHAPE = (480, 640)
START = 1_700_000_000 * 10**9
ALL = np.ones(17, np.bool_)
FIXED = PoseSettings(seed=7)


def person(
    directions: np.ndarray = REST,
    *,
    stature: float = 300.0,
    place: tuple[float, float] = (320.0, 440.0),
    turn: float = 1.0,
) -> SubjectPose:
    """Return a standard body in a posture."""
    points = stand(Posture(np.array(place), stature, np.asarray(directions, float), turn, 0.0), ALL)
    return pose_of(np.column_stack([points, np.full(17, 0.9)]))


def pose_of(keypoints: np.ndarray, subject_id: int = 1, layer: int = 0) -> SubjectPose:
    low, high = keypoints[:, :2].min(axis=0) - 10, keypoints[:, :2].max(axis=0) + 10
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return SubjectPose(subject_id, box, keypoints.astype(np.float32), None, layer)


def lying() -> np.ndarray:
    return np.array([(1.0, 0.0)] + [(-1.0, 0.0)] * 6)


def settled(anonymize: PoseAnonymizer, pose: SubjectPose, start: int = START, seconds: float = 1.0) -> SubjectPose:
    """Return what is shown of somebody who has stayed in one pose."""
    for n in range(int(seconds * 10)):
        (shown,) = anonymize([pose], SHAPE, start + n * 10**8)
    return shown


def proportions(pose: SubjectPose) -> np.ndarray:
    points = pose.keypoints[:, :2].astype(float)
    lengths = [hypot(*(points[a] - points[b])) for a, b in LIMBS]
    return np.array(lengths) / hypot(*(points[Joint.LEFT_SHOULDER] - points[Joint.LEFT_HIP]))


def test_long_and_short_legs_become_the_same_body() -> None:
    usual = person()
    longer = usual.keypoints.copy()
    longer[[Joint.LEFT_HIP, Joint.RIGHT_HIP], 1] -= 6
    shown = [settled(PoseAnonymizer(FIXED), pose) for pose in (usual, pose_of(longer))]
    np.testing.assert_allclose(proportions(shown[0]), proportions(shown[1]), rtol=1e-3)


def test_statures_that_differ_little_are_shown_as_one() -> None:
    shown = [settled(PoseAnonymizer(FIXED), person(stature=stature)) for stature in (298.0, 306.0)]
    heights = [np.ptp(pose.keypoints[:, 1]) for pose in shown]
    assert heights[0] == pytest.approx(heights[1], rel=1e-4)


@pytest.mark.parametrize("directions", [REST, lying()], ids=["standing", "lying"])
def test_standing_stands_and_lying_lies_on_the_same_ground(directions: np.ndarray) -> None:
    shown = settled(PoseAnonymizer(FIXED), person(directions))
    width, height = np.ptp(shown.keypoints[:, :2], axis=0)
    assert (height > 2 * width) == (directions is REST)
    assert shown.keypoints[:, 1].max() == pytest.approx(440, abs=0.04 * 300 + 8)
    assert (shown.box[3] - shown.box[1] > shown.box[2] - shown.box[0]) == (directions is REST)


def test_raised_hand_is_raised() -> None:
    directions = REST.copy()
    directions[2] = (0.0, -1.0)
    shown = settled(PoseAnonymizer(FIXED), person(directions)).keypoints
    assert shown[Joint.RIGHT_WRIST, 1] < shown[Joint.NOSE, 1] < shown[Joint.LEFT_WRIST, 1]


def test_body_that_falls_towards_the_camera_is_shown_low() -> None:
    squashed = person().keypoints.copy()
    squashed[:, 1] = 440 + (squashed[:, 1] - 440) * 0.25
    anonymize = PoseAnonymizer(FIXED)
    standing = settled(anonymize, person())
    shown = settled(anonymize, pose_of(squashed), START + 2 * 10**9)
    assert np.ptp(shown.keypoints[:, 1]) < 0.45 * np.ptp(standing.keypoints[:, 1])


def test_still_person_is_shown_still_although_the_keypoints_tremble() -> None:
    tremble = np.random.default_rng(3)
    anonymize, shown = PoseAnonymizer(replace(FIXED, noise=Noise(directions=0.03, place=0.001, size=0.01))), []
    for n in range(60):
        keypoints = person().keypoints.copy()
        keypoints[:, :2] += tremble.normal(size=(17, 2)) * 2
        shown.append(anonymize([pose_of(keypoints)], SHAPE, START + n * 5 * 10**7)[0].keypoints)
    moved = np.abs(np.diff([keypoints[:, :2] for keypoints in shown[10:]], axis=0))
    assert moved.max() < 3


def test_between_key_postures_the_body_moves_evenly_and_nothing_new_is_told() -> None:
    anonymize = PoseAnonymizer(replace(FIXED, period_s=1.0))
    settled(anonymize, person(), seconds=3)
    raised = REST.copy()
    raised[1] = raised[2] = (0.0, -1.0)
    wrists = []
    for n in range(10):
        (shown,) = anonymize([person(raised if n == 0 else REST)], SHAPE, START + 3 * 10**9 + n * 10**8)
        assert anonymize.released == (n == 0)
        wrists.append(shown.keypoints[Joint.LEFT_WRIST, 1])
    # Poses that come in after the key posture change nothing until the next one.
    other = PoseAnonymizer(replace(FIXED, period_s=1.0))
    settled(other, person(), seconds=3)
    again = [other([person(raised)], SHAPE, START + 3 * 10**9 + n * 10**8)[0].keypoints[9, 1] for n in range(10)]
    assert wrists == again


def test_number_layer_and_order_stay() -> None:
    poses = [pose_of(person().keypoints, 5, 1), pose_of(person(lying()).keypoints, 2, 0)]
    shown = PoseAnonymizer(FIXED)(poses, SHAPE, START)
    assert [(pose.subject_id, pose.layer) for pose in shown] == [(5, 1), (2, 0)]


def test_unseen_keypoint_stays_unseen_and_its_coordinates_tell_nothing() -> None:
    shown = []
    for stray in (0.0, 555.0):
        keypoints = person().keypoints.copy()
        keypoints[Joint.LEFT_WRIST] = (stray, stray, 0.1)
        # The stray point is in no box: what the box tells is not in question here.
        pose = replace(person(), keypoints=keypoints)
        shown.append(PoseAnonymizer(FIXED)([pose], SHAPE, START)[0].keypoints)
    np.testing.assert_array_equal(shown[0], shown[1])
    assert shown[0][Joint.LEFT_WRIST, 2] == 0 < shown[0][Joint.RIGHT_WRIST, 2]


def test_confidence_has_few_values() -> None:
    keypoints = person().keypoints.copy()
    keypoints[:, 2] = np.linspace(0, 1, 17)
    (shown,) = PoseAnonymizer(FIXED)([replace(person(), keypoints=keypoints)], SHAPE, START)
    assert len(np.unique(shown.keypoints[:, 2])) == 3
    np.testing.assert_array_equal(shown.keypoints[:, 2] >= SEEN, keypoints[:, 2] >= SEEN)


def test_head_orientation_is_coarse_and_missing_stays_missing() -> None:
    seen = {
        round(
            PoseAnonymizer(FIXED)([replace(person(), head=HeadOrientation(yaw, 0.2, 0.1))], SHAPE, START)[0].head.yaw, 4
        )
        for yaw in np.linspace(-pi / 2, pi / 2, 40)
    }
    assert len(seen) == 3
    assert PoseAnonymizer(FIXED)([person()], SHAPE, START)[0].head is None


def test_raw_mode_changes_nothing() -> None:
    poses = [person()]
    assert PoseAnonymizer(PoseSettings(mode="raw"))(poses, SHAPE, START) == poses


def test_same_seed_same_poses_and_no_seed_other_noise() -> None:
    def run(seed: int | None) -> np.ndarray:
        return PoseAnonymizer(replace(FIXED, seed=seed))([person()], SHAPE, START)[0].keypoints

    np.testing.assert_array_equal(run(1), run(1))
    assert (run(None) != run(None)).any()


def test_time_that_goes_back_begins_anew() -> None:
    anonymize = PoseAnonymizer(FIXED)
    settled(anonymize, person(lying()))
    (shown,) = anonymize([person()], SHAPE, START - 10**9)
    assert np.ptp(shown.keypoints[:, 1]) > 200


coordinate = st.floats(-3e4, 3e4, width=32)


@st.composite
def any_pose(draw: st.DrawFn) -> SubjectPose:
    keypoints = np.array(
        draw(st.lists(st.tuples(coordinate, coordinate, st.floats(0, 1, width=32)), min_size=17, max_size=17))
    )
    x, y = draw(coordinate), draw(coordinate)
    return SubjectPose(
        1, (x, y, x + draw(st.floats(0.1, 500)), y + draw(st.floats(0.1, 500))), keypoints.astype(np.float32)
    )


@settings(deadline=None, max_examples=60)
@given(st.lists(any_pose(), min_size=1, max_size=4), st.booleans())
def test_output_is_valid_whatever_comes_in(poses: list[SubjectPose], hidden: bool) -> None:
    anonymize = PoseAnonymizer()
    for n, pose in enumerate(poses):
        keypoints = pose.keypoints * (1, 1, 0) if hidden else pose.keypoints
        # SubjectPose checks itself; nothing may raise.
        (shown,) = anonymize([replace(pose, keypoints=keypoints.astype(np.float32))], SHAPE, START + n * 3 * 10**8)
        assert not hidden or (shown.keypoints[:, 2] == 0).all()


@given(st.lists(st.floats(-1e6, 1e6), min_size=TOWARDS.stop, max_size=TOWARDS.stop))
def test_two_clipped_poses_are_never_farther_apart_than_the_sensitivity(values: list[float]) -> None:
    noise = Noise()
    one = clipped(np.array(values))
    other = clipped(np.concatenate([LOWEST + HIGHEST - one[: TOWARDS.start], -one[TOWARDS]]))
    assert np.linalg.norm((one - other) / noise.sigmas()) <= noise.sensitivity() * (1 + 1e-9)


def test_sensitivity_is_reached_by_opposite_poses() -> None:
    noise, ends = Noise(), np.array([1.0, 0.0] * 7)
    one, other = (clipped(np.concatenate([limit, sign * ends])) for limit, sign in ((LOWEST, -1), (HIGHEST, 1)))
    assert np.linalg.norm((one - other) / noise.sigmas()) == pytest.approx(noise.sensitivity())


def test_what_is_measured_is_clipped() -> None:
    wild = person().keypoints * (50, 50, 1)
    values, _ = measure(pose_of(wild), ALL, 40.0, FULL * 40, SHAPE)
    np.testing.assert_array_equal(values, clipped(values))


def test_steps_are_left_only_beyond_their_border() -> None:
    steps = Steps(StepSettings(hysteresis=0.2, arm_sectors=4))
    known = np.ones(7, np.bool_)

    def arm(degrees: float) -> np.ndarray:
        directions = REST.copy()
        directions[1] = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
        values = np.concatenate([[0.5, 0.9, -0.5, -0.5, -1.0, 1.0, 0.0], directions.ravel()])
        return steps(values, known, SHAPE)[0].directions[1]

    np.testing.assert_allclose(arm(0), (0, 1), atol=1e-9)
    np.testing.assert_allclose(arm(60), (0, 1), atol=1e-9)
    np.testing.assert_allclose(arm(66), (1, 0), atol=1e-9)
    np.testing.assert_allclose(arm(40), (1, 0), atol=1e-9)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: PoseSettings(mode="blurred"), "neither 'canonical' nor 'raw'"),
        (lambda: PoseSettings(period_s=0), "period_s"),
        (lambda: Noise(directions=0), "noise.directions"),
        (lambda: StepSettings(arm_sectors=3), "steps.arm_sectors"),
    ],
)
def test_wrong_setting_is_named(make: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()
