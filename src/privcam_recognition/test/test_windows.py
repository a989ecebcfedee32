"""What the temporal model is shown of a subject: the same at any size, place and frame rate, and nothing invented."""

import numpy as np
import numpy.typing as npt
import pytest

from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import KEYPOINT_COUNT, Joint
from privcam_recognition.temporal.windows import (
    FEATURES,
    FRESH_S,
    SCALARS,
    SPAN_S,
    STEP_S,
    STEPS,
    TrackBuffer,
    window,
)

UPRIGHT = np.zeros((KEYPOINT_COUNT, 2))
for joint, at in {
    Joint.NOSE: (0.0, -0.95), Joint.LEFT_SHOULDER: (0.1, -0.8), Joint.RIGHT_SHOULDER: (-0.1, -0.8),
    Joint.LEFT_WRIST: (0.15, -0.45), Joint.RIGHT_WRIST: (-0.15, -0.45),
    Joint.LEFT_HIP: (0.06, -0.5), Joint.RIGHT_HIP: (-0.06, -0.5), Joint.LEFT_KNEE: (0.06, -0.25),
    Joint.RIGHT_KNEE: (-0.06, -0.25), Joint.LEFT_ANKLE: (0.06, 0.0), Joint.RIGHT_ANKLE: (-0.06, 0.0),
}.items():  # fmt: skip
    UPRIGHT[joint] = at


def pose(height: float, x: float = 0.0, y: float = 0.0, rho: float = 0.8) -> SubjectPose:
    """A standing body of this height in px whose feet are at (x, y) px."""
    points = UPRIGHT * height + [x, y]
    keypoints = np.column_stack((points, np.full(KEYPOINT_COUNT, rho))).astype(np.float32)
    return SubjectPose(1, (x - 0.2 * height, y - height, x + 0.2 * height, y), keypoints)


def seen(rate: float, seconds: float, height: float = 200.0, **place: float) -> TrackBuffer:
    memory = TrackBuffer()
    for frame in range(int(seconds * rate)):
        memory.add(frame / rate, pose(height, **place))
    return memory


def column(cut: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.float32]:
    return cut[:, SCALARS.index(name)]


def test_standing_body_has_the_measures_of_a_standing_body() -> None:
    cut = window(seen(10, 5).track(), 200.0, 4.9)
    assert cut.shape == (STEPS, FEATURES)
    assert column(cut, "seen").all() and column(cut, "posed").all()
    assert np.allclose(column(cut, "lean_y"), -0.3, atol=1e-5)
    assert np.allclose(column(cut, "hip_height"), 0.5, atol=1e-5)
    assert np.allclose(column(cut, "height"), 1.0, atol=1e-5)
    assert np.allclose(column(cut, "bottom"), 0.0, atol=1e-5)


@pytest.mark.parametrize(("height", "x", "y"), [(60.0, 0.0, 0.0), (400.0, 900.0, 300.0)])
def test_size_and_place_in_the_picture_change_nothing(height: float, x: float, y: float) -> None:
    here = window(seen(10, 5).track(), 200.0, 4.9)
    there = window(seen(10, 5, height, x=x, y=y).track(), height, 4.9)
    assert np.allclose(here, there, atol=1e-3)


@pytest.mark.parametrize("rate", [5.0, 7.0, 15.0, 30.0, 60.0])
def test_frame_rate_changes_nothing_but_the_age_of_a_step(rate: float) -> None:
    cut = window(seen(rate, 6).track(), 200.0, 5.8)
    ten = window(seen(10, 6).track(), 200.0, 5.8)
    others = [index for index in range(FEATURES) if index != SCALARS.index("age")]
    assert np.allclose(cut[:, others], ten[:, others], atol=1e-5)
    assert column(cut, "age").max() <= FRESH_S


def test_before_the_subject_came_there_is_nothing() -> None:
    memory = TrackBuffer()
    for frame in range(10):
        memory.add(3.0 + frame / 10, pose(200.0))
    cut = window(memory.track(), 200.0, 3.9)
    assert not cut[: STEPS - 11].any()
    assert cut[-9:, 0].all()


def test_who_is_lost_keeps_the_last_box_and_grows_old() -> None:
    cut = window(seen(10, 3).track(), 200.0, 2.9 + 1.0)
    lost = slice(-6, None)
    assert not column(cut, "seen")[lost].any() and not column(cut, "posed")[lost].any()
    assert np.allclose(column(cut, "height"), 1.0, atol=1e-5)
    assert column(cut, "age")[-1] == pytest.approx(1.0)
    assert not cut[lost, len(SCALARS) :].any(), "no keypoint is made up"


def test_keypoints_that_are_not_seen_say_nothing() -> None:
    memory = TrackBuffer()
    for frame in range(30):
        memory.add(frame / 10, pose(200.0, rho=0.1))
    cut = window(memory.track(), 200.0, 2.9)
    assert column(cut, "seen")[-20:].all() and not column(cut, "posed").any()
    assert not cut[:, len(SCALARS) :].any()


def test_wild_keypoints_are_bounded() -> None:
    memory = TrackBuffer()
    keypoints = np.full((KEYPOINT_COUNT, 3), 30_000.0, np.float32)
    keypoints[:, 2] = 0.9
    memory.add(0.0, SubjectPose(1, (0.0, 0.0, 10.0, 20.0), keypoints))
    cut = window(memory.track(), 8.0, 0.0)
    assert np.isfinite(cut).all() and np.abs(cut).max() <= 3.0


def test_track_buffer_is_bounded_in_time_and_in_poses() -> None:
    track = seen(60, 20).track()
    assert track.times[-1] - track.times[0] <= SPAN_S + FRESH_S
    memory = TrackBuffer(max_poses=16)
    for frame in range(100):
        memory.add(frame * STEP_S / 100, pose(100.0))
    assert len(memory.track().times) == 16


def test_same_person_under_another_number_goes_on_in_one_track() -> None:
    older, newer = seen(10, 2), TrackBuffer()
    for frame in range(10):
        newer.add(1.5 + frame / 10, pose(200.0, x=50.0))
    older.take_over(newer)
    times = older.track().times
    assert (np.diff(times) > 0).all()
    assert times[-1] == pytest.approx(2.4)
    older.take_over(TrackBuffer())
    assert len(older.track().times) == len(times)


def test_track_of_nobody_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing was seen"):
        TrackBuffer().track()
