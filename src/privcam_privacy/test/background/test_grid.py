import numpy as np

from privcam_privacy.background.grid import GRID, any_to_grid, box_cells, count_cells, from_grid, to_grid

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
