import cv2
import numpy as np
import pytest

from privcam_privacy.background.exclusion_masks import Margins
from privcam_privacy.background.grid import (
    GRID,
    any_to_grid,
    box_cells,
    component_boxes,
    components,
    count_cells,
    fill_boxes,
    from_grid,
    scale_mask,
    to_grid,
)

SHAPE = (120, 161)
NOBODY = np.zeros(SHAPE, np.bool_)


def test_a_single_pixel_excludes_its_whole_cell_in_pictures_of_odd_size():
    for y, x in ((0, 0), (119, 160), (57, 33)):
        where = NOBODY.copy()
        where[y, x] = True
        full = from_grid(any_to_grid(where), SHAPE)
        assert full.shape == SHAPE
        assert full[y, x] == 255
        assert np.count_nonzero(full) <= GRID * GRID


def test_the_grid_holds_the_mean_of_each_cell():
    picture = np.arange(16, dtype=np.uint8).reshape(4, 4) * 4
    np.testing.assert_array_equal(to_grid(picture), [[10, 18], [42, 50]])


def test_a_box_that_is_not_finite_covers_all_cells():
    mask = np.zeros((60, 81), np.uint8)
    mask[box_cells((10.0, np.nan, 20.0, 30.0), mask.shape)] = 255
    assert mask.all()


def test_a_box_outside_of_the_picture_covers_nothing():
    assert np.zeros((60, 81))[box_cells((-50.0, -50.0, -10.0, -10.0), (60, 81))].size == 0


def test_cells_of_many_boxes_are_counted_as_those_of_each():
    random = np.random.default_rng(4)
    mask = np.where(random.random((60, 81)) < 0.3, np.uint8(255), np.uint8(0))
    boxes = [tuple(box) for box in random.uniform(-40, 200, (200, 4)).tolist()]
    boxes.append((float("nan"), 0.0, 10.0, 10.0))
    found, sizes = count_cells(mask, boxes)
    parts = [mask[box_cells(box, mask.shape)] for box in boxes]
    assert found.tolist() == [np.count_nonzero(part) for part in parts]
    assert sizes.tolist() == [part.size for part in parts]


def test_many_boxes_with_their_margins_fill_the_cells_of_each():
    random = np.random.default_rng(5)
    margins, boxes = Margins(), random.uniform(-40, 200, (200, 4)).astype(np.float32)
    for chosen in (boxes, boxes[:0], np.array([[10, np.inf, 20, 30]], np.float32)):
        one, all_at_once = np.zeros((60, 81), np.uint8), np.zeros((60, 81), np.uint8)
        for box in chosen.tolist():
            one[box_cells(margins.widen(box, 120), one.shape)] = 255
        fill_boxes(all_at_once, margins.widen_all(chosen, 120))
        assert np.array_equal(one, all_at_once)


@pytest.mark.parametrize("seed", range(40))
def test_components_are_those_of_the_whole_grid_in_the_same_order(seed):
    random = np.random.default_rng(seed)
    mask = np.zeros((60, 81), np.uint8)
    y, x = random.integers(0, 30, 2)
    mask[y : y + 25, x : x + 40] = np.where(random.random((25, 40)) < 0.25, 255, 0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    found = components(mask)
    assert len(found) == count - 1
    for number, component in enumerate(found, start=1):
        drawn = np.zeros_like(mask)
        height, width = component.mask.shape
        drawn[component.y : component.y + height, component.x : component.x + width] = component.mask
        assert np.array_equal(drawn > 0, labels == number)
        assert component.area == stats[number, 4]
    boxes = {tuple((GRID * np.array([x, y, x + w, y + h])).tolist()) for x, y, w, h, _ in stats[1:].tolist()}
    assert set(component_boxes(mask)) == boxes
    assert components(np.zeros_like(mask)) == component_boxes(np.zeros_like(mask)) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (30, 1), (7, 11), (29, 39), (30, 40), (90, 161)])
def test_no_cell_of_a_mask_is_lost_in_the_grid_of_another_size(shape):
    for row, column in ((0, 0), (29, 39), (13, 22), (5, 38)):
        mask = np.zeros((30, 40), np.uint8)
        mask[row, column] = 255
        scaled = scale_mask(mask, shape)
        assert scaled.shape == shape
        assert scaled[int(row * shape[0] / 30), int(column * shape[1] / 40)] == 255
