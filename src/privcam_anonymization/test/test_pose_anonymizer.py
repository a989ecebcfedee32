"""Pose anonymisation: everyone in one body, in coarse steps, and valid for any input."""

from dataclasses import replace
from math import hypot, pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privcam_anonymization.anonymizer import PoseAnonymizer, PoseSettings
from privcam_anonymization.features import MAX_FEATURES, MIN_FEATURES, TOWARDS, clip_features, extract_features
from privcam_anonymization.ground_plane import GroundPlane
from privcam_anonymization.noise import Noise
from privcam_anonymization.quantizer import PostureQuantizer, QuantizerSettings
from privcam_anonymization.random_source import SYSTEM, seeded
from privcam_anonymization.standard_body import FULL, REST, Posture, place_body
from privcam_core.types.omega import HeadOrientation, SubjectPose
from privcam_core.types.skeleton import LIMBS, SEEN, Joint

SHAPE = (480, 640)
START = 1_700_000_000 * 10**9
ALL = np.ones(17, np.bool_)


def fixed(**changes: object) -> PoseAnonymizer:
    """Return an anonymizer whose noise is the same in every run."""
    return PoseAnonymizer(PoseSettings(**changes), seeded(7))


def person(
    directions: np.ndarray = REST,
    *,
    stature: float = 300.0,
    place: tuple[float, float] = (320.0, 440.0),
    turn: float = 1.0,
) -> SubjectPose:
    """Return a standard body in a posture."""
    points = place_body(Posture(np.array(place), stature, np.asarray(directions, float), turn, 0.0), ALL)
    return pose_of(np.column_stack([points, np.full(17, 0.9)]))


def pose_of(keypoints: np.ndarray, subject_id: int = 1, layer: int = 0) -> SubjectPose:
    low, high = keypoints[:, :2].min(axis=0) - 10, keypoints[:, :2].max(axis=0) + 10
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return SubjectPose(subject_id, box, keypoints.astype(np.float32), None, layer)


def lying() -> np.ndarray:
    return np.array([(1.0, 0.0)] + [(-1.0, 0.0)] * 6)


def settled(anonymizer: PoseAnonymizer, pose: SubjectPose, start: int = START, seconds: float = 1.0) -> SubjectPose:
    """Return the published pose of a person who has stayed in one pose."""
    for n in range(int(seconds * 10)):
        (published,) = anonymizer.anonymize([pose], SHAPE, start + n * 10**8)
    return published


def proportions(pose: SubjectPose) -> np.ndarray:
    points = pose.keypoints[:, :2].astype(float)
    lengths = [hypot(*(points[a] - points[b])) for a, b in LIMBS]
    return np.array(lengths) / hypot(*(points[Joint.LEFT_SHOULDER] - points[Joint.LEFT_HIP]))


def test_long_and_short_legs_become_the_same_body() -> None:
    usual = person()
    longer = usual.keypoints.copy()
    longer[[Joint.LEFT_HIP, Joint.RIGHT_HIP], 1] -= 6
    published = [settled(fixed(), pose) for pose in (usual, pose_of(longer))]
    np.testing.assert_allclose(proportions(published[0]), proportions(published[1]), rtol=1e-3)


@pytest.mark.parametrize("directions", [REST, lying()], ids=["standing", "lying"])
def test_standing_stands_and_lying_lies_on_the_same_ground(directions: np.ndarray) -> None:
    published = settled(fixed(), person(directions))
    width, height = np.ptp(published.keypoints[:, :2], axis=0)
    assert (height > 2 * width) == (directions is REST)
    assert published.keypoints[:, 1].max() == pytest.approx(440, abs=0.04 * 300 + 8)
    assert (published.box[3] - published.box[1] > published.box[2] - published.box[0]) == (directions is REST)


def test_raised_hand_is_raised() -> None:
    directions = REST.copy()
    directions[2] = (0.0, -1.0)
    published = settled(fixed(), person(directions)).keypoints
    assert published[Joint.RIGHT_WRIST, 1] < published[Joint.NOSE, 1] < published[Joint.LEFT_WRIST, 1]


def test_body_that_falls_towards_the_camera_is_published_low() -> None:
    squashed = person().keypoints.copy()
    squashed[:, 1] = 440 + (squashed[:, 1] - 440) * 0.25
    anonymizer = fixed()
    standing = settled(anonymizer, person())
    published = settled(anonymizer, pose_of(squashed), START + 2 * 10**9)
    assert np.ptp(published.keypoints[:, 1]) < 0.45 * np.ptp(standing.keypoints[:, 1])


def test_still_person_is_published_still_although_the_keypoints_tremble() -> None:
    tremble = np.random.default_rng(3)
    anonymizer, published = fixed(noise=Noise(directions=0.03, place=0.001, size=0.01)), []
    for n in range(60):
        keypoints = person().keypoints.copy()
        keypoints[:, :2] += tremble.normal(size=(17, 2)) * 2
        published.append(anonymizer.anonymize([pose_of(keypoints)], SHAPE, START + n * 5 * 10**7)[0].keypoints)
    moved = np.abs(np.diff([keypoints[:, :2] for keypoints in published[10:]], axis=0))
    assert moved.max() < 3


def test_between_keyframes_the_body_moves_evenly_and_gives_nothing_new_away() -> None:
    anonymizer = fixed(period_s=1.0)
    settled(anonymizer, person(), seconds=3)
    raised = REST.copy()
    raised[1] = raised[2] = (0.0, -1.0)
    wrists = []
    for n in range(10):
        (published,) = anonymizer.anonymize([person(raised if n == 0 else REST)], SHAPE, START + 3 * 10**9 + n * 10**8)
        assert anonymizer.released == (n == 0)
        wrists.append(published.keypoints[Joint.LEFT_WRIST, 1])
    # Poses that come in after the keyframe change nothing until the next one.
    other = fixed(period_s=1.0)
    settled(other, person(), seconds=3)
    again = [
        other.anonymize([person(raised)], SHAPE, START + 3 * 10**9 + n * 10**8)[0].keypoints[9, 1] for n in range(10)
    ]
    assert wrists == again


def test_number_layer_and_order_stay() -> None:
    poses = [pose_of(person().keypoints, 5, 1), pose_of(person(lying()).keypoints, 2, 0)]
    published = fixed().anonymize(poses, SHAPE, START)
    assert [(pose.subject_id, pose.layer) for pose in published] == [(5, 1), (2, 0)]


def test_invisible_keypoint_stays_invisible_and_its_coordinates_have_no_influence() -> None:
    published = []
    for stray in (0.0, 555.0):
        keypoints = person().keypoints.copy()
        keypoints[Joint.LEFT_WRIST] = (stray, stray, 0.1)
        # The stray point is in no box: the box is not in question here.
        pose = replace(person(), keypoints=keypoints)
        published.append(fixed().anonymize([pose], SHAPE, START)[0].keypoints)
    np.testing.assert_array_equal(published[0], published[1])
    assert published[0][Joint.LEFT_WRIST, 2] == 0 < published[0][Joint.RIGHT_WRIST, 2]


def test_confidence_has_few_values() -> None:
    keypoints = person().keypoints.copy()
    keypoints[:, 2] = np.linspace(0, 1, 17)
    (published,) = fixed().anonymize([replace(person(), keypoints=keypoints)], SHAPE, START)
    assert len(np.unique(published.keypoints[:, 2])) == 3
    np.testing.assert_array_equal(published.keypoints[:, 2] >= SEEN, keypoints[:, 2] >= SEEN)


def test_head_orientation_is_coarse_and_missing_stays_missing() -> None:
    seen = {
        round(
            fixed().anonymize([replace(person(), head=HeadOrientation(yaw, 0.2, 0.1))], SHAPE, START)[0].head.yaw,
            4,
        )
        for yaw in np.linspace(-pi / 2, pi / 2, 40)
    }
    assert len(seen) == 3
    assert fixed().anonymize([person()], SHAPE, START)[0].head is None


def test_raw_mode_changes_nothing() -> None:
    poses = [person()]
    assert PoseAnonymizer(PoseSettings(mode="raw")).anonymize(poses, SHAPE, START) == poses


def test_same_seed_same_poses_and_no_seed_other_noise() -> None:
    def run(seed: int | None) -> np.ndarray:
        source = SYSTEM if seed is None else seeded(seed)
        return PoseAnonymizer(random_bytes=source).anonymize([person()], SHAPE, START)[0].keypoints

    np.testing.assert_array_equal(run(1), run(1))
    assert (run(None) != run(None)).any()


def test_time_that_goes_back_begins_anew() -> None:
    anonymizer = fixed()
    settled(anonymizer, person(lying()))
    (published,) = anonymizer.anonymize([person()], SHAPE, START - 10**9)
    assert np.ptp(published.keypoints[:, 1]) > 200


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
    anonymizer = PoseAnonymizer()
    for n, pose in enumerate(poses):
        keypoints = pose.keypoints * (1, 1, 0) if hidden else pose.keypoints
        # SubjectPose checks itself; nothing may raise.
        (published,) = anonymizer.anonymize(
            [replace(pose, keypoints=keypoints.astype(np.float32))], SHAPE, START + n * 3 * 10**8
        )
        assert not hidden or (published.keypoints[:, 2] == 0).all()


@given(st.lists(st.floats(-1e6, 1e6), min_size=TOWARDS.stop, max_size=TOWARDS.stop))
def test_two_clipped_poses_are_never_farther_apart_than_the_sensitivity(values: list[float]) -> None:
    noise = Noise()
    one = clip_features(np.array(values))
    other = clip_features(np.concatenate([MIN_FEATURES + MAX_FEATURES - one[: TOWARDS.start], -one[TOWARDS]]))
    assert np.linalg.norm((one - other) / noise.sigmas()) <= noise.sensitivity() * (1 + 1e-9)


def test_sensitivity_is_reached_by_opposite_poses() -> None:
    noise, ends = Noise(), np.array([1.0, 0.0] * 7)
    one, other = (
        clip_features(np.concatenate([limit, sign * ends])) for limit, sign in ((MIN_FEATURES, -1), (MAX_FEATURES, 1))
    )
    # Beyond it is only what the rounding to the grid of the noise may add.
    farthest = float(np.linalg.norm((one - other) / noise.sigmas()))
    assert farthest < noise.sensitivity() < farthest * (1 + 1e-5)


def test_extracted_features_are_clipped() -> None:
    wild = person().keypoints * (50, 50, 1)
    features, _ = extract_features(pose_of(wild), ALL, 40.0, FULL * 40, SHAPE)
    np.testing.assert_array_equal(features, clip_features(features))


def test_steps_are_left_only_beyond_their_border() -> None:
    quantizer = PostureQuantizer(QuantizerSettings(hysteresis=0.2, arm_sectors=4), GroundPlane())
    known = np.ones(11, np.bool_)

    def arm(degrees: float) -> np.ndarray:
        directions = REST.copy()
        directions[1] = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
        features = np.concatenate([[0.5, 0.9, 0.0, -1.0, 1.0, 0.0], directions.ravel()])
        return quantizer.quantize(features, known, ALL, SHAPE)[0].directions[1]

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
        (lambda: QuantizerSettings(arm_sectors=3), "quantizer.arm_sectors"),
    ],
)
def test_wrong_setting_is_named(make: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()
