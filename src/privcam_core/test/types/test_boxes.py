import numpy as np
import pytest

from privcam_core.types.boxes import clip_region, iou


def test_iou_is_one_for_the_same_box_a_third_for_half_a_shift_and_zero_apart() -> None:
    box = np.array([[0.0, 0.0, 10.0, 20.0]])
    others = np.array([[0.0, 0.0, 10.0, 20.0], [5.0, 0.0, 15.0, 20.0], [30.0, 0.0, 40.0, 20.0]])
    assert iou(box, others)[0] == pytest.approx([1, 1 / 3, 0])


def test_no_boxes_give_empty_tables() -> None:
    none = np.zeros((0, 4))
    assert iou(none, np.ones((3, 4))).shape == (0, 3)
    assert iou(np.ones((2, 4)), none).shape == (2, 0)


def test_region_is_what_the_box_touches_inside_the_picture() -> None:
    assert clip_region((-3.5, 2.2, 7.1, 100), 20, 30) == (0, 2, 8, 20)
    x0, _, x1, _ = clip_region((40, 2, 50, 9), 20, 30)
    assert x0 >= x1
