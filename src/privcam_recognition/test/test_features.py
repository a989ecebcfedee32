import numpy as np
import pytest

from privcam_core.types.arrays import FloatArray
from privcam_core.types.skeleton import Joint
from privcam_recognition.features import (
    Measures,
    body_height,
    ground_speed,
    height_hint,
    measure,
    peak_descent,
    recent,
    vertical_speed,
)

BOX = (0.0, 0.0, 100.0, 200.0)
# A standing body of 200 px, seen from the front.
STANDING = {
    Joint.NOSE: (50, 10),
    Joint.LEFT_SHOULDER: (60, 44.6),
    Joint.RIGHT_SHOULDER: (40, 44.6),
    Joint.LEFT_HIP: (57, 102.2),
    Joint.RIGHT_HIP: (43, 102.2),
    Joint.LEFT_KNEE: (57, 151.2),
    Joint.RIGHT_KNEE: (43, 151.2),
    Joint.LEFT_ANKLE: (57, 200.4),
    Joint.RIGHT_ANKLE: (43, 200.4),
}


def body(points: dict[Joint, tuple[float, float]] = STANDING, rho: float = 0.9) -> FloatArray:
    keypoints = np.zeros((17, 3))
    for joint, (u, v) in points.items():
        keypoints[joint] = u, v, rho
    return keypoints


def turned(keypoints: FloatArray) -> FloatArray:
    """The same body on its side."""
    return keypoints[:, [1, 0, 2]]


def path(*points: tuple[float, float | None]) -> list[Measures]:
    """Measures of a body of 100 px whose torso centre is at (0, y) at time t; y None: not seen."""
    return [Measures(t, 100.0, None if y is None else (0.0, y), None, None, None, None, None, 1.0) for t, y in points]


def test_body_height_comes_out_of_any_segment() -> None:
    assert height_hint(body()) == pytest.approx(200, rel=0.01)
    legs = {j: p for j, p in STANDING.items() if j >= Joint.LEFT_HIP}
    assert height_hint(body(legs)) == pytest.approx(200, rel=0.01)
    torso = {j: p for j, p in STANDING.items() if j <= Joint.RIGHT_HIP}
    assert height_hint(body(torso)) == pytest.approx(200, rel=0.01)


def test_body_height_ignores_foreshortened_poses_and_single_outliers() -> None:
    assert body_height([200] * 50 + [90] * 30 + [900]) == pytest.approx(200)


def test_no_segment_gives_no_height() -> None:
    assert height_hint(body(rho=0.1)) is None


def test_standing_body_is_measured_in_body_heights() -> None:
    measures = measure(0.0, body(), BOX, 200.0)
    assert measures.torso_angle == pytest.approx(0)
    assert measures.hip_height == pytest.approx(0.49, abs=0.01)
    assert measures.thigh_drop == pytest.approx(0.245, abs=0.001)
    assert measures.knee_angle == pytest.approx(180)
    assert measures.extent == pytest.approx(0.95, abs=0.01)
    assert measures.centre == pytest.approx((50, 73.4))


def test_measures_do_not_depend_on_the_size_in_the_picture() -> None:
    small, large = body(), body()
    large[:, :2] *= 7
    near, far = measure(0.0, large, BOX, 1400.0), measure(0.0, small, BOX, 200.0)
    for name in ("torso_angle", "hip_height", "thigh_drop", "knee_angle", "extent", "aspect"):
        assert getattr(near, name) == pytest.approx(getattr(far, name)), name


def test_lying_body_is_horizontal_low_and_wide() -> None:
    measures = measure(0.0, turned(body()), BOX, 200.0)
    assert measures.torso_angle == pytest.approx(90)
    assert measures.hip_height == pytest.approx(0)
    assert measures.extent is not None and measures.extent < 0.15
    assert measures.aspect > 5


def test_torso_angle_has_no_side_and_reaches_head_down() -> None:
    left = measure(0.0, turned(body()), BOX, 200.0)
    mirrored = turned(body())
    mirrored[:, 0] *= -1
    assert measure(0.0, mirrored, BOX, 200.0).torso_angle == pytest.approx(left.torso_angle)
    upside_down = body()
    upside_down[:, 1] *= -1
    assert measure(0.0, upside_down, BOX, 200.0).torso_angle == pytest.approx(180)


def test_a_right_angle_at_the_knee_is_measured_from_the_leg_that_is_seen() -> None:
    keypoints = body()
    keypoints[Joint.LEFT_KNEE, :2] = 106, 102.2
    keypoints[Joint.LEFT_ANKLE, :2] = 106, 151.2
    keypoints[Joint.RIGHT_ANKLE, 2] = 0.0
    assert measure(0.0, keypoints, BOX, 200.0).knee_angle == pytest.approx(90)


@pytest.mark.parametrize(
    ("missing", "names"),
    [
        ((Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER), ("torso_angle", "centre")),
        ((Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE), ("hip_height", "knee_angle", "extent")),
        ((Joint.LEFT_KNEE, Joint.RIGHT_KNEE), ("thigh_drop", "knee_angle")),
        ((Joint.LEFT_HIP, Joint.RIGHT_HIP), ("torso_angle", "hip_height", "thigh_drop", "knee_angle", "centre")),
    ],
)
def test_what_is_not_seen_is_not_measured(missing: tuple[Joint, ...], names: tuple[str, ...]) -> None:
    keypoints = body()
    keypoints[list(missing), 2] = 0.19
    measures = measure(0.0, keypoints, BOX, 200.0)
    whole = measure(0.0, body(), BOX, 200.0)
    for name in ("torso_angle", "hip_height", "thigh_drop", "knee_angle", "extent", "centre"):
        assert (getattr(measures, name) is None) == (name in names), name
        assert getattr(whole, name) is not None


def test_the_box_gives_the_aspect_of_a_body_that_is_seen_in_part() -> None:
    keypoints = body()
    keypoints[Joint.LEFT_ANKLE :, 2] = 0.0
    assert measure(0.0, keypoints, BOX, 200.0).aspect == pytest.approx(0.5)


def test_speed_is_in_body_heights_per_second_at_irregular_times() -> None:
    times = [0.0, 0.03, 0.21, 0.25, 0.5]
    assert vertical_speed(path(*((t, 80 * t) for t in times))) == pytest.approx(0.8)
    assert ground_speed(path(*((t, 80 * t) for t in times))) == pytest.approx(0.8)


def test_one_bad_pose_does_not_make_a_walker() -> None:
    speed = ground_speed(path(*((t / 10, 90.0 if t == 9 else 10.0) for t in range(10))))
    assert speed == pytest.approx(0.0)


def test_speed_needs_two_sights_of_the_torso_at_different_times() -> None:
    assert vertical_speed(path((0.0, 10.0))) is None
    assert vertical_speed(path((0.0, 10.0), (1.0, None))) is None
    assert vertical_speed(path((0.0, 10.0), (0.0, 20.0))) is None


def test_peak_descent_finds_the_fast_part() -> None:
    way = path(*((t / 10, 0.0) for t in range(10)), *((1 + t / 10, 10.0 * t) for t in range(6)), (2.0, 50.0))
    assert peak_descent(way, 0.35, 0.5) == pytest.approx(1.0, abs=0.05)


def test_a_descent_without_poses_counts_as_fast_as_a_fall_takes() -> None:
    assert peak_descent(path((0.0, 0.0), (1.5, None), (2.0, 40.0)), 0.35, 0.5) == pytest.approx(0.8)


def test_a_descent_faster_than_the_gap_limit_is_not_sped_up() -> None:
    assert peak_descent(path((0.0, 0.0), (0.4, 40.0)), 0.35, 0.5) == pytest.approx(1.0)


def test_recent_keeps_the_newest_sample_and_its_span() -> None:
    assert [m.seconds for m in recent(path((0.0, 0.0), (1.0, 0.0), (1.4, 0.0)), 0.5)] == [1.0, 1.4]
