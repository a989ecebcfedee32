"""What the monitor says of a drawn room in all the ways in which a camera can be blind, and when that changes."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from privcam_core.types.sight import Sight
from privcam_privacy.sight.sight_monitor import SightMonitor

SHAPE = (480, 640)
FPS = 10
START_NS = 1_700_000_000 * 10**9
NOISE = 1.5


def room(left: int = 0) -> np.ndarray:
    """Return a room of boxes with sharp edges, in grey levels of daylight. left: px that the camera was turned."""
    coarse = np.random.default_rng(3).integers(20, 235, (15, 22, 1)).astype(np.uint8)
    wide = np.kron(coarse, np.ones((32, 32, 3), np.uint8))
    return np.ascontiguousarray(wide[:, left : left + SHAPE[1]])


def darken(gain: float) -> np.ndarray:
    return np.asarray(room() * gain + 8, np.uint8)


def filmed(picture: np.ndarray, frames: int, noise: float = NOISE, seed: int = 1) -> Iterator[np.ndarray]:
    """Yield the picture as a camera with noise gives it."""
    random = np.random.default_rng(seed)
    for _ in range(frames):
        yield np.clip(picture + random.normal(0, noise, picture.shape[:2])[..., None], 0, 255).astype(np.uint8)


class Watch:
    """A monitor with a clock."""

    def __init__(self) -> None:
        self.monitor = SightMonitor()
        self.stamp_ns = START_NS

    def show(self, frames: Iterator[np.ndarray]) -> list[Sight]:
        sights = []
        for frame in frames:
            self.stamp_ns += 10**9 // FPS
            sights.append(self.monitor.update(frame, self.stamp_ns))
        return sights


def last_sight(picture: np.ndarray, noise: float = NOISE) -> Sight:
    return Watch().show(filmed(picture, 10, noise))[-1]


def test_a_lit_sharp_room_is_clear_from_the_second_frame_on() -> None:
    sights = Watch().show(filmed(room(), 20))
    assert sights == [Sight.UNKNOWN, *[Sight.CLEAR] * 19]


@pytest.mark.parametrize("gain", [0.25, 0.12])
def test_a_quarter_of_the_light_and_less_is_dark(gain: float) -> None:
    assert last_sight(darken(gain)) is Sight.DARK


def test_a_dark_room_with_a_lamp_in_view_is_dark() -> None:
    picture = darken(0.06)
    picture[:120, :120] = 255
    assert last_sight(picture) is Sight.DARK


def make_hand() -> np.ndarray:
    shade = np.linspace(60, 110, SHAPE[1])[None, :, None]
    return np.broadcast_to(shade, (*SHAPE, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("picture", "noise", "sight"),
    [
        (np.full((*SHAPE, 3), 255, np.uint8), NOISE, Sight.OVEREXPOSED),
        (make_hand(), NOISE, Sight.COVERED),
        (np.zeros((*SHAPE, 3), np.uint8), 0.0, Sight.COVERED),
        (np.asarray(120 + (room() - 128.0) * 0.15, np.uint8), NOISE, Sight.LOW_CONTRAST),
        (room(), 12.0, Sight.NOISY),
        (cv2.GaussianBlur(room(), (0, 0), 10), NOISE, Sight.BLURRED),
    ],
)
def test_every_blindness_is_named(picture: np.ndarray, noise: float, sight: Sight) -> None:
    assert last_sight(picture, noise) is sight


def test_the_same_frame_again_and_again_is_frozen() -> None:
    watch = Watch()
    watch.show(filmed(room(), 20))
    frozen = next(filmed(room(), 1, seed=2))
    sights = watch.show(iter([frozen] * 60))
    assert sights[20] is Sight.CLEAR
    assert sights[-1] is Sight.FROZEN


def test_dithered_copies_of_one_frame_far_below_the_noise_of_the_camera_are_frozen() -> None:
    watch = Watch()
    watch.show(filmed(room(), 20, noise=3.0))
    frozen = next(filmed(room(), 1, noise=3.0, seed=2))
    random = np.random.default_rng(4)
    copies = (np.clip(frozen + random.integers(-1, 2, (*SHAPE, 1)), 0, 255).astype(np.uint8) for _ in range(130))
    sights = watch.show(copies)
    assert sights[80] is Sight.CLEAR
    assert sights[-1] is Sight.FROZEN


def test_an_empty_room_in_which_nothing_happens_is_not_frozen() -> None:
    assert set(Watch().show(filmed(room(), 200))[1:]) == {Sight.CLEAR}


def test_a_camera_that_is_turned_has_moved_and_is_clear_again_when_it_stands() -> None:
    watch = Watch()
    watch.show(filmed(room(), 30))
    turned = [sight for left in range(0, 64, 4) for sight in watch.show(filmed(room(left), 1, seed=left))]
    assert Sight.MOVED in turned + watch.show(filmed(room(60), 10, seed=99))
    assert watch.show(filmed(room(60), 60, seed=5))[-1] is Sight.CLEAR


def test_a_person_who_walks_through_the_picture_changes_nothing() -> None:
    watch = Watch()
    random = np.random.default_rng(7)
    shirt = random.integers(0, 255, (300, 120, 3)).astype(np.uint8)
    for left in range(0, 520, 8):
        picture = room()
        picture[150:450, left : left + 120] = shirt
        sights = watch.show(filmed(picture, 1, seed=left))
        assert left == 0 or sights == [Sight.CLEAR]


def test_a_short_darkness_changes_nothing_and_light_is_believed_only_after_two_seconds() -> None:
    watch = Watch()
    watch.show(filmed(room(), 20))
    assert set(watch.show(filmed(darken(0.2), 4))) == {Sight.CLEAR}
    assert watch.show(filmed(room(), 5))[-1] is Sight.CLEAR
    assert watch.show(filmed(darken(0.2), 10))[-1] is Sight.DARK
    back = watch.show(filmed(room(), 40))
    assert set(back[:20]) == {Sight.DARK}
    assert back[-1] is Sight.CLEAR


def test_a_flicker_between_dark_and_light_stays_dark() -> None:
    watch = Watch()
    watch.show(filmed(darken(0.2), 10))
    for seed in range(10):
        assert set(watch.show(filmed(room(), 15, seed=seed))) == {Sight.DARK}
        assert set(watch.show(filmed(darken(0.2), 2, seed=seed))) == {Sight.DARK}


def test_after_a_gap_or_with_another_size_nothing_is_known_until_two_frames_came() -> None:
    watch = Watch()
    watch.show(filmed(room(), 20))
    watch.stamp_ns += 60 * 10**9
    assert watch.show(filmed(room(), 2)) == [Sight.UNKNOWN, Sight.CLEAR]
    assert watch.show(filmed(room()[::2, ::2], 2)) == [Sight.UNKNOWN, Sight.CLEAR]


def test_a_frame_that_is_not_newer_changes_nothing() -> None:
    watch = Watch()
    watch.show(filmed(room(), 20))
    assert watch.monitor.update(np.zeros((*SHAPE, 3), np.uint8), START_NS) is Sight.CLEAR


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (60, 90), (2160, 3840)])
def test_any_size_of_picture_can_be_judged(shape: tuple[int, int]) -> None:
    watch = Watch()
    grey = np.random.default_rng(1).integers(0, 255, (*shape, 3)).astype(np.uint8)
    assert watch.show(filmed(grey, 3))[-1] in Sight
