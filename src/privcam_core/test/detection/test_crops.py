import numpy as np
import pytest

from privcam_core.detection.crops import Square, require_boxes


def _ramp(height: int, width: int) -> np.ndarray:
    """Return a picture whose blue is the column and whose green is the row."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x, y, np.full_like(x, 200)], axis=2).astype(np.uint8)


def test_square_has_the_centre_of_the_box_and_a_multiple_of_its_longer_side() -> None:
    assert Square.around((10, 20, 30, 60), 1.5) == Square(-10, 10, 60)


def test_box_without_area_still_gives_a_square_with_one() -> None:
    assert Square.around((5, 5, 5, 5), 1.0).side > 0


def test_cut_of_the_same_size_is_the_picture_itself() -> None:
    image = _ramp(40, 50)
    np.testing.assert_array_equal(Square(8, 4, 32).crop(image, 32), image[4:36, 8:40])


def test_enlarged_cut_shows_what_is_at_its_place() -> None:
    cut = Square(10, 20, 16).crop(_ramp(60, 60), 64)
    # The centre of the cut is the point (18, 28), between the pixels 17 and 18, 27 and 28.
    assert abs(cut[31:33, 31:33, 0].mean() - 17.5) < 0.5 and abs(cut[31:33, 31:33, 1].mean() - 27.5) < 0.5


def test_values_put_back_lie_where_they_were_cut_and_are_0_outside() -> None:
    square = Square(10.0, 20.0, 64.0)
    values = np.zeros((128, 128), np.float32)
    values[64:, :64] = 1  # the lower left quarter
    back = square.paste_back(values, (0, 0, 100, 100))
    assert back.shape == (100, 100)
    inside = back > 0.5
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (52, 83, 10, 41)


def test_part_put_back_is_that_part_of_the_whole() -> None:
    # OpenCV rounds places to 1/32 px, so random values may differ by about that much of their range.
    square = Square(-7.3, 11.8, 51.0)
    values = np.random.default_rng(0).random((96, 96), np.float32)
    whole = square.paste_back(values, (0, 0, 90, 90))
    np.testing.assert_allclose(square.paste_back(values, (5, 20, 33, 60)), whole[20:60, 5:33], atol=0.04)


def test_boxes_of_another_shape_or_not_finite_are_refused() -> None:
    require_boxes(np.zeros((0, 4)))
    with pytest.raises(ValueError, match=r"boxes: have shape \(4,\)"):
        require_boxes(np.zeros(4))
    with pytest.raises(ValueError, match="not finite"):
        require_boxes(np.array([[0, 0, np.nan, 1]]))
