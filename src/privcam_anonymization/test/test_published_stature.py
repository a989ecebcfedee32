"""How tall somebody is has no influence on the published poses, however long they are averaged."""

from collections.abc import Callable

import numpy as np
import pytest

from privcam_anonymization.anonymizer import PoseAnonymizer, PoseSettings
from privcam_anonymization.ground_plane import GroundPlane
from privcam_anonymization.random_source import seeded
from privcam_anonymization.standard_body import REST, Posture, hidden_below, place_body
from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import Joint

SHAPE = (480, 640)
ALL = np.ones(17, np.bool_)
START_NS, STEP_NS = 10**18, 10**8
# A camera as in a room: focal length in px, height in m, tilt in radians.
FOCAL_PX, CAMERA_M, TILT = 600.0, 2.5, np.radians(18)
LOWER_BODY = [Joint.LEFT_KNEE, Joint.RIGHT_KNEE, Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE]


def project(aside_m: float, away_m: float, above_m: float) -> tuple[float, float]:
    """Return where a point of the room is in the picture, px."""
    down = (CAMERA_M - above_m) * np.cos(TILT) - away_m * np.sin(TILT)
    depth = (CAMERA_M - above_m) * np.sin(TILT) + away_m * np.cos(TILT)
    return SHAPE[1] / 2 + FOCAL_PX * aside_m / depth, SHAPE[0] / 2 + FOCAL_PX * down / depth


def stature_px(away_m: float, height_m: float) -> float:
    """Return how tall somebody of that height is in the picture."""
    return project(0.0, away_m, 0.0)[1] - project(0.0, away_m, height_m)[1]


def pose_at(aside_m: float, away_m: float, stature: float, tremble: np.ndarray) -> SubjectPose:
    """Return the pose of somebody who stands there. stature: px. tremble: (17, 2) in statures."""
    feet = project(aside_m, away_m, 0.0)
    points = place_body(Posture(np.array(feet), stature, REST.copy(), 1.0, 0.0), ALL) + tremble * stature
    low, high = points.min(axis=0) - 0.07 * stature, points.max(axis=0) + 0.07 * stature
    keypoints = np.column_stack([points, np.full(17, 0.9)]).astype(np.float32)
    return SubjectPose(1, (*low.tolist(), *high.tolist()), keypoints)


def walk(
    height_m: float,
    frames: int,
    seed: int,
    tremble: float = 0.015,
    stature: Callable[[float, float], float] = stature_px,
) -> np.ndarray:
    """Return what leaves of a walk through the room, (frames, 17, 3). The way depends on the seed alone."""
    random = np.random.default_rng(seed)
    anonymizer = PoseAnonymizer(random_bytes=seeded(seed))
    place, goal = np.array([0.0, 5.0]), np.array([0.0, 5.0])
    published = []
    for number in range(frames):
        if np.hypot(*(goal - place)) < 0.2:
            goal = np.array([random.uniform(-1.5, 1.5), random.uniform(3.5, 8.0)])
        place = place + (goal - place) / max(np.hypot(*(goal - place)), 1e-9) * 0.1
        pose = pose_at(*place, stature(place[1], height_m), random.normal(0, tremble, (17, 2)))
        published.append(anonymizer.anonymize([pose], SHAPE, START_NS + number * STEP_NS)[0].keypoints)
    return np.array(published)


def test_two_bodies_of_different_height_on_the_same_way_leave_the_same_poses() -> None:
    def proportional(away_m: float, height_m: float) -> float:
        return stature_px(away_m, 1.7) * height_m / 1.7

    short, tall = (walk(height_m, 300, seed=3, tremble=0.0, stature=proportional) for height_m in (1.5, 1.95))
    np.testing.assert_array_equal(short[..., 2], tall[..., 2])
    # Single-precision keypoints fall on two sides of a rounding now and then: by one pixel, never by a size.
    assert np.abs(short - tall).max() <= 1
    assert (short == tall).mean() > 0.99


def recovered_m(poses: np.ndarray) -> float:
    """Return the mean height that somebody who knows the camera computes from published poses, m."""
    away = np.linspace(2.5, 12.0, 2000)
    feet = np.array([project(0.0, m, 0.0)[1] for m in away])
    px_per_m = (feet - np.array([project(0.0, m, 1.7)[1] for m in away])) / 1.7
    lowest, sizes = poses[..., 1].max(axis=1), np.ptp(poses[..., 1], axis=1)
    return float(np.exp(np.mean(np.log(sizes / np.interp(lowest, feet[::-1], px_per_m[::-1])))))


def test_the_height_that_is_recovered_from_many_poses_does_not_depend_on_the_true_one() -> None:
    heights = np.linspace(1.5, 1.95, 8)
    found = np.array([recovered_m(walk(m, 300, seed=10 + n)) for n, m in enumerate(heights)])
    slope, _ = np.polyfit(heights, found, 1)
    residuals = found - np.polyval(np.polyfit(heights, found, 1), heights)
    error = residuals.std(ddof=2) / (heights.std() * np.sqrt(len(heights)))
    assert abs(slope) < 3 * error + 0.01


def test_size_is_a_function_of_the_published_place() -> None:
    for height_m in (1.5, 1.95):
        poses = walk(height_m, 200, seed=5)
        lowest, sizes = poses[..., 1].max(axis=1), np.ptp(poses[..., 1], axis=1)
        expected = [GroundPlane().stature_at(row / SHAPE[0], 0.0) * SHAPE[0] for row in lowest]
        # A posture may be lower than the upright body, never higher than it but for its steps.
        assert (sizes <= np.array(expected) * 1.05).all()


def test_body_is_smaller_farther_away_and_never_without_a_size() -> None:
    ground = GroundPlane(horizon=0.2, stature=0.8)
    rows = np.linspace(-0.5, 1.5, 81)
    sizes = np.array([ground.stature_at(row, 0.0) for row in rows])
    assert (np.diff(sizes) >= 0).all()
    assert sizes.min() > 0
    assert ground.stature_at(1.0, 0.0) == pytest.approx(0.8)


def test_body_whose_legs_are_hidden_has_the_size_of_its_feet_on_the_floor() -> None:
    ground = GroundPlane()
    for feet in (0.5, 0.8, 1.2):
        stature = ground.stature_at(feet, 0.0)
        visible = ALL.copy()
        visible[LOWER_BODY] = False
        standing = Posture(np.zeros(2), 1.0, REST.copy(), 1.0, 0.0)
        # The hands hang lower than the hips.
        hidden = hidden_below(standing, visible)
        assert hidden == pytest.approx(0.447)
        assert ground.stature_at(feet - hidden * stature, hidden) == pytest.approx(stature)


def test_hidden_legs_of_a_body_that_lies_are_not_below_it() -> None:
    visible = ALL.copy()
    visible[LOWER_BODY] = False
    directions = np.array([(1.0, 0.0)] + [(-1.0, 0.0)] * 6)
    assert hidden_below(Posture(np.zeros(2), 1.0, directions, 1.0, 0.0), visible) == pytest.approx(0.0, abs=0.07)


def test_of_a_head_alone_no_body_below_it_is_assumed() -> None:
    standing = Posture(np.zeros(2), 1.0, REST.copy(), 1.0, 0.0)
    for seen in ([], [Joint.NOSE], [Joint.NOSE, Joint.LEFT_WRIST]):
        visible = np.zeros(17, np.bool_)
        visible[seen] = True
        assert hidden_below(standing, visible) == 0
    visible[Joint.LEFT_SHOULDER] = True
    assert hidden_below(standing, visible) > 0.4


@pytest.mark.parametrize("wrong", [{"horizon": 1.0}, {"horizon": float("nan")}, {"stature": 0.0}, {"stature": 11.0}])
def test_impossible_plane_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"ground_{next(iter(wrong))}"):
        PoseSettings(ground=GroundPlane(**wrong))
