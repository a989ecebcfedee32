import numpy as np
import pytest

from privcam_core.types.boxes import iou, pixel_region, pixel_slices


def test_iou_is_one_for_the_same_box_a_third_for_half_a_shift_and_zero_apart() -> None:
    box = np.array([[0.0, 0.0, 10.0, 20.0]])
    others = np.array([[0.0, 0.0, 10.0, 20.0], [5.0, 0.0, 15.0, 20.0], [30.0, 0.0, 40.0, 20.0]])
    assert iou(box, others)[0] == pytest.approx([1, 1 / 3, 0])


def test_no_boxes_give_empty_tables() -> None:
    none = np.zeros((0, 4))
    assert iou(none, np.ones((3, 4))).shape == (0, 3)
    assert iou(np.ones((2, 4)), none).shape == (2, 0)


def test_region_is_what_the_box_touches_inside_the_picture() -> None:
    assert pixel_region((-3.5, 2.2, 7.1, 100), 20, 30) == (0, 2, 8, 20)
    x0, _, x1, _ = pixel_region((40, 2, 50, 9), 20, 30)
    assert x0 >= x1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_box_that_is_not_finite_covers_the_whole_picture(value: float) -> None:
    assert pixel_region((3, 2, value, 9), 20, 30) == (0, 0, 30, 20)


def test_slices_select_the_pixels_of_the_region_and_nothing_of_a_box_outside() -> None:
    picture = np.zeros((20, 30), bool)
    picture[pixel_slices((-3.5, 2.2, 7.1, 100), 20, 30)] = True
    assert picture[2:, :8].all() and picture.sum() == 18 * 8
    assert picture[pixel_slices((40, 2, 50, 9), 20, 30)].size == 0
