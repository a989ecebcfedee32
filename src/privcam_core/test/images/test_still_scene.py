"""Frames of a still scene are skipped, and none of a scene in which something moves."""

from collections.abc import Callable

import numpy as np
import pytest

from privcam_core.images.scene_changes import GRID, SceneChanges, cells_of
from privcam_core.images.still_scene import StillScene

NS = 1_000_000_000
ROOM = np.random.default_rng(4).integers(60, 190, (480, 640, 3)).astype(np.uint8)


def noisy(image: np.ndarray, seed: int, deviation: float = 3.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, deviation, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def with_body(x: int) -> np.ndarray:
    image = ROOM.copy()
    image[100:300, x : x + 60] = 20
    return image


def handled(scene: StillScene, picture: Callable[[int], np.ndarray], start_s: float, seconds: float) -> list[float]:
    """Return the times of the frames that were not skipped, at ten frames a second."""
    times = [start_s + frame / 10 for frame in range(round(10 * seconds))]
    return [time for frame, time in enumerate(times) if not scene.may_skip(picture(frame), round(time * NS))]


@pytest.mark.parametrize("deviation", [0.0, 3.0, 12.0])
def test_two_frames_a_second_of_a_still_scene_are_handled_after_ten_seconds(deviation: float) -> None:
    times = handled(StillScene(), lambda frame: noisy(ROOM, frame, deviation), 1.0, 20.0)
    assert len([time for time in times if time < 10.9]) == 99
    assert 18 <= len([time for time in times if time > 11.1]) <= 21


def test_every_frame_is_handled_while_something_moves() -> None:
    assert len(handled(StillScene(), lambda frame: noisy(with_body(50 + 2 * frame), frame), 1.0, 20.0)) == 200


def test_somebody_who_comes_in_is_handled_at_once_and_from_then_on() -> None:
    scene = StillScene()
    handled(scene, lambda frame: noisy(ROOM, frame), 1.0, 20.0)
    assert len(handled(scene, lambda frame: noisy(with_body(300), 500 + frame), 21.0, 5.0)) == 50


def test_frame_that_was_handled_in_any_case_counts() -> None:
    scene = StillScene()
    handled(scene, lambda frame: noisy(ROOM, frame), 1.0, 20.0)
    scene.note(noisy(ROOM, 900), 21 * NS)
    assert scene.may_skip(noisy(ROOM, 901), 21 * NS + 4 * NS // 10)


def test_cells_of_a_box_cover_it_and_its_margin() -> None:
    rows, columns = cells_of((64.0, 80.0, 128.0, 240.0), (480, 640))
    assert (rows, columns) == (slice(10, 30), slice(8, 16))
    wide = cells_of((-50.0, 80.0, 128.0, 900.0), (480, 640), margin=0.5)
    assert (wide[0].start, wide[1].start) == (0, 0)
    assert np.zeros(GRID)[wide].size > 0


def test_box_outside_of_the_picture_has_no_cells_and_no_changes() -> None:
    changes = SceneChanges()
    cells = changes.update(ROOM)
    outside = cells_of((700.0, 500.0, 800.0, 600.0), ROOM.shape)
    assert not changes.between(cells[outside], cells[outside]).any()


def test_change_above_the_noise_is_seen() -> None:
    changes = SceneChanges()
    before = [changes.update(noisy(ROOM, frame)) for frame in range(10)][-1]
    changed = changes.between(changes.update(noisy(with_body(200), 10)), before)
    assert changed[13:37, 26:32].mean() > 0.8
    assert changed.mean() < 0.06
