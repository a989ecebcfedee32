"""Mode `locked`: the approved plate is sent, whatever the camera sees."""

import cv2
import numpy as np
import pytest

from privcam_core.images.environment import FILL, encode_environment
from privcam_core.types.perception import Detections
from privcam_privacy.plates.approved import ApprovedPlate
from privcam_privacy.plates.locked import LockedEngine
from privcam_privacy.plates.view_check import ViewCheck

SHAPE = (120, 160)
NOW = 1_700_000_000 * 10**9
NOBODY = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


def room(seed: int = 3) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(60, 190, (15, 20, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


def confirmed() -> np.ndarray:
    mask = np.ones(SHAPE, np.bool_)
    mask[30:60, 40:70] = False
    return mask


def engine() -> LockedEngine:
    png = encode_environment(room(), confirmed())
    return LockedEngine(ApprovedPlate(png, "ward_3", NOW, "Ines Ohm", NOW, "privcam 0.1.0"))


def show(locked: LockedEngine, image: np.ndarray, seconds: int = 1, mask: np.ndarray | None = None, start: int = 0):
    where = np.zeros(image.shape[:2], np.bool_) if mask is None else mask
    results = [
        locked.update(image, NOBODY, [], where, NOW + second * 10**9) for second in range(start, start + seconds)
    ]
    return results[-1]


def test_no_byte_of_the_environment_depends_on_a_frame() -> None:
    one, other = engine(), engine()
    noise = np.random.default_rng(1)
    for second in range(8):
        a = show(one, room(), start=second)
        b = show(other, noise.integers(0, 256, (*SHAPE, 3), np.uint8), start=second)
        assert a.environment_plate.tobytes() == b.environment_plate.tobytes()
        assert (a.confirmed.tobytes(), a.epoch, a.changed) == (b.confirmed.tobytes(), b.epoch, b.changed)
    assert (one.matches, other.matches) == (True, False)


def test_plate_is_published_from_the_first_frame_and_never_changes() -> None:
    locked = engine()
    first, second = show(locked, room()), show(locked, room(9), start=1)
    assert (first.changed, second.changed) == (True, False)
    assert (first.epoch, second.epoch) == (1, 1)
    assert (second.confirmed == confirmed()).all()
    assert (second.environment_plate[confirmed()] == room()[confirmed()]).all()
    assert (second.environment_plate[~confirmed()] == FILL).all()
    assert second.withheld_fraction == pytest.approx(900 / 19200)


def test_change_of_a_result_by_a_caller_does_not_reach_the_plate() -> None:
    locked = engine()
    show(locked, room()).environment_plate[:] = 0
    assert show(locked, room(), start=1).environment_plate.any()


def test_area_of_people_is_that_of_the_mask() -> None:
    mask = np.zeros(SHAPE, np.bool_)
    mask[:60] = True
    assert show(engine(), room(), mask=mask).excluded_fraction == 0.5


def test_frame_of_another_size_withholds_everything_and_no_epoch_comes_twice() -> None:
    locked = engine()
    small = np.zeros((60, 80, 3), np.uint8)
    assert not locked.note
    results = [show(locked, image, start=n) for n, image in enumerate((room(), small, small, room(), small))]
    assert [(result.epoch, result.changed) for result in results] == [
        (1, True),
        (2, True),
        (2, False),
        (3, True),
        (4, True),
    ]
    assert [bool(result.confirmed.any()) for result in results] == [True, False, False, True, False]
    assert results[1].environment_plate.shape == (60, 80, 3)
    assert (results[1].environment_plate == FILL).all()
    assert results[1].withheld_fraction == 1.0
    assert "80x60 px, the approved plate has 160x120" in locked.note


def test_moved_camera_is_reported_and_the_plate_kept() -> None:
    locked = engine()
    show(locked, room(), 6)
    assert (locked.matches, locked.note) == (True, "")
    result = show(locked, np.roll(room(), 12, axis=1), 6, start=6)
    assert locked.matches is False
    assert "was moved" in locked.note
    assert (result.confirmed == confirmed()).all()


def test_one_bad_moment_is_no_moved_camera() -> None:
    locked = engine()
    show(locked, room(), 6)
    show(locked, np.zeros((*SHAPE, 3), np.uint8), 3, start=6)
    assert locked.matches is True


def test_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="person_mask"):
        show(engine(), room(), mask=np.zeros((60, 80), np.bool_))


@pytest.mark.parametrize("gain", [0.4, 0.8, 1.2])
def test_view_is_recognised_in_other_illumination(gain: float) -> None:
    lit = cv2.convertScaleAbs(room(), alpha=gain)
    assert ViewCheck(room(), confirmed()).check(lit, np.zeros(SHAPE, np.bool_)) is True


def test_view_is_recognised_behind_a_crowd_as_far_as_it_is_in_sight() -> None:
    crowd = np.zeros(SHAPE, np.bool_)
    crowd[:, 60:] = True
    image = room()
    image[crowd] = room(5)[crowd]
    view = ViewCheck(room(), confirmed())
    assert view.check(image, crowd) is True
    assert view.check(image, np.ones(SHAPE, np.bool_)) is None


def test_blank_wall_says_nothing_about_the_view() -> None:
    wall = np.full((*SHAPE, 3), 180, np.uint8)
    assert ViewCheck(wall, np.ones(SHAPE, np.bool_)).check(wall, np.zeros(SHAPE, np.bool_)) is None
