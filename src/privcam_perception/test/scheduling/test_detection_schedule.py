"""The detector looks where something has to be decided, and hardly where nothing happens."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from privcam_core.types.perception import Track, TrackState
from privcam_perception.scheduling.detection_schedule import DetectionSchedule

NS = 1_000_000_000
WALKING = Track(1, (100.0, 100.0, 180.0, 300.0), (60.0, 0.0, 0.0, 0.0), 0.8, TrackState.CONFIRMED, 9, 9, 0)
ROOM = np.random.default_rng(4).integers(60, 190, (480, 640, 3)).astype(np.uint8)


def noisy(image: np.ndarray, seed: int, deviation: float = 3.0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(image.shape, np.float32) * np.float32(deviation)
    return cv2.add(image.astype(np.float32), noise, dtype=cv2.CV_8U)  # rounded, and cut off at 0 and 255


def with_body(x: int, y: int = 100) -> np.ndarray:
    image = ROOM.copy()
    image[y : y + 200, x : x + 80] = 20
    return image


def detector_runs(
    picture: Callable[[int], np.ndarray],
    seconds: float,
    *tracks: Track,
    rate: float = 10.0,
    searching: bool = False,
    look_s: float = 0.0,
    schedule: DetectionSchedule | None = None,
    start_s: float = 1.0,
) -> list[float]:
    """Return the times, s, of the frames that were looked at."""
    schedule = schedule or DetectionSchedule()
    times = [start_s + frame / rate for frame in range(round(seconds * rate))]
    return [
        time_s
        for frame, time_s in enumerate(times)
        if schedule.is_due(picture(frame), round(time_s * NS), tracks, searching=searching, look_s=look_s)
    ]


def test_first_frame_is_looked_at() -> None:
    assert detector_runs(lambda _: ROOM, 0.1) == [1.0]


@pytest.mark.parametrize("deviation", [0.0, 3.0, 12.0])
def test_still_room_is_looked_at_once_a_second_after_ten_seconds(deviation: float) -> None:
    times = detector_runs(lambda frame: noisy(ROOM, frame, deviation), 30.0)
    early, late = ([one for one in times if low <= one < high] for low, high in ((1.0, 11.0), (12.0, 31.0)))
    assert 30 <= len(early) <= 50
    assert 18 <= len(late) <= 20


def test_somebody_who_sleeps_is_looked_at_as_seldom() -> None:
    sleeper = replace(WALKING, velocity=(0.0, 0.0, 0.0, 0.0))
    assert len(detector_runs(lambda frame: noisy(with_body(100), frame), 30.0, sleeper)) <= 50 + 20


@pytest.mark.parametrize("rate", [10.0, 25.0, 30.0])
def test_somebody_who_walks_is_looked_at_four_or_five_times_a_second(rate: float) -> None:
    def picture(frame: int) -> np.ndarray:
        return noisy(with_body(100 + round(20 * frame / rate)), frame)

    track = replace(WALKING, box=(80.0, 100.0, 260.0, 300.0))
    assert 36 <= len(detector_runs(picture, 10.0, track, rate=rate)) <= 56


def test_somebody_who_comes_in_is_looked_at_at_once() -> None:
    schedule = DetectionSchedule()
    detector_runs(lambda frame: noisy(ROOM, frame), 20.0, schedule=schedule)
    assert detector_runs(lambda frame: noisy(with_body(400), frame), 0.4, schedule=schedule, start_s=21.0)[0] == 21.0


def test_screen_that_never_rests_is_looked_at_as_what_moves() -> None:
    def picture(frame: int) -> np.ndarray:
        image = ROOM.copy()
        image[50:150, 400:500] = 40 + 150 * (frame % 2)
        return image

    times = [one for one in detector_runs(picture, 20.0) if one >= 4.0]
    assert len(times) <= 5.5 * 17


@pytest.mark.parametrize(
    "urgent",
    [
        replace(WALKING, state=TrackState.TENTATIVE),
        replace(WALKING, state=TrackState.LOST),
        replace(WALKING, velocity=(0.0, 150.0, 0.0, 0.0)),
        replace(WALKING, velocity=(0.0, 0.0, 0.8, 0.0)),
    ],
    ids=["tentative", "lost", "falls", "bends"],
)
def test_what_has_to_be_decided_is_looked_at_in_every_frame_of_ten_a_second(urgent: Track) -> None:
    assert len(detector_runs(lambda frame: noisy(with_body(100), frame), 0.9, urgent)) == 9


def test_two_who_touch_are_looked_at_in_every_frame_of_ten_a_second() -> None:
    pair = WALKING, replace(WALKING, subject_id=2)
    assert len(detector_runs(lambda frame: noisy(with_body(100), frame), 3.0, *pair)) == 30


def test_crowd_of_which_something_is_always_to_be_decided_has_few_more_looks() -> None:
    crowd = [replace(WALKING, subject_id=number, state=TrackState.TENTATIVE) for number in range(1, 10)]
    assert len(detector_runs(lambda frame: noisy(with_body(100 + frame), frame), 20.0, *crowd)) <= 20 * 7


def test_lost_track_is_looked_for_no_longer_than_a_second() -> None:
    lost = replace(WALKING, state=TrackState.LOST)
    times = detector_runs(lambda frame: noisy(with_body(100), frame), 3.0, lost)
    assert len([one for one in times if one >= 2.2]) <= 10


def test_lost_track_behind_somebody_else_is_waited_for() -> None:
    tracks: Sequence[Track] = (replace(WALKING, state=TrackState.LOST), replace(WALKING, subject_id=2))
    assert len(detector_runs(lambda frame: noisy(with_body(100), frame), 2.0, *tracks)) <= 11


def test_still_scene_is_looked_at_while_somebody_is_searched() -> None:
    times = detector_runs(lambda frame: noisy(ROOM, frame), 30.0, searching=True)
    assert len([one for one in times if one >= 12.0]) >= 60


def test_slow_detector_gets_a_quarter_of_the_time() -> None:
    assert len(detector_runs(lambda frame: noisy(with_body(100 + frame), frame), 12.0, WALKING, look_s=0.3)) <= 11


def test_stamps_that_go_back_and_pictures_of_another_kind_are_looked_at() -> None:
    schedule = DetectionSchedule()
    assert schedule.is_due(ROOM, 10 * NS, [], searching=False)
    assert schedule.is_due(ROOM, 9 * NS, [], searching=False)
    assert schedule.is_due(with_body(300)[:240, :320], 9 * NS + NS // 4, [], searching=False)
