"""A patch is a grid mask that is kept as a part: every operation gives what it would give on the whole grid."""

import cv2
import numpy as np
import pytest

from privcam_privacy.background.grid import GRID
from privcam_privacy.presence.patch import Patch

GRID_SHAPE = (40, 56)


def draw(rng: np.random.Generator) -> tuple[Patch, np.ndarray]:
    """Return a patch, and the same cells on the whole grid."""
    y0, y1 = sorted(rng.integers(0, GRID_SHAPE[0] + 1, 2).tolist())
    x0, x1 = sorted(rng.integers(0, GRID_SHAPE[1] + 1, 2).tolist())
    part = np.where(rng.random((y1 - y0, x1 - x0)) < 0.3, np.uint8(255), np.uint8(0))
    return Patch(y0, x0, part), on_grid(Patch(y0, x0, part))


def on_grid(patch: Patch) -> np.ndarray:
    mask = np.zeros(GRID_SHAPE, np.uint8)
    patch.paint(mask)
    return mask


@pytest.mark.parametrize("seed", range(60))
def test_a_patch_gives_the_same_as_masks_of_the_whole_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (a, mask_a), (b, mask_b), (c, mask_c) = (draw(rng) for _ in range(3))
    assert np.array_equal(on_grid(Patch.join((a, b, c))), mask_a | mask_b | mask_c)
    assert np.array_equal(on_grid(a.minus(b)), mask_a & ~mask_b)
    assert np.array_equal(on_grid(a.within(mask_b)), mask_a & mask_b)
    assert np.array_equal(on_grid(a.without(mask_b)), mask_a & ~mask_b)
    assert a.overlaps(b) == (mask_a & mask_b).any() == a.meets(mask_b)
    assert a.area == np.count_nonzero(mask_a)
    wide = cv2.dilate(mask_a, np.ones((7, 7), np.uint8))
    assert np.array_equal(on_grid(a.dilate(3, GRID_SHAPE)), wide)
    cells = [(row, column) for row in range(-2, 42) for column in range(-2, 58) if a.contains(row, column)]
    assert cells == [tuple(cell) for cell in np.argwhere(mask_a).tolist()]
    if a.area:
        rows, columns = np.nonzero(mask_a)
        left, top, right, below = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert a.box == (GRID * left, GRID * top, GRID * right, GRID * below)


def test_an_operation_changes_none_of_its_patches() -> None:
    rng = np.random.default_rng(1)
    (a, mask_a), (b, mask_b) = draw(rng), draw(rng)
    a.minus(b), Patch.join((a, b)), a.dilate(2, GRID_SHAPE), a.without(mask_b)
    assert np.array_equal(on_grid(a), mask_a) and np.array_equal(on_grid(b), mask_b)


def test_nothing_stays_nothing() -> None:
    nothing = Patch.join(())
    assert not nothing.area and not nothing.dilate(3, GRID_SHAPE).area and not nothing.minus(nothing).area
