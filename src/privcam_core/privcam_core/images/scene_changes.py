"""Measures, on a coarse grid, what changed between two pictures of one camera."""

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.types.arrays import BoolArray, Box, Image

# Cells of the grid, rows and columns: the mean of 64 px of a VGA picture has an eighth of the noise of a pixel.
GRID = (60, 80)
# A cell changed when its mean did by more than so many deviations of the noise, and within these levels.
_DEVIATIONS = 6.0
_MIN_LEVELS, _MAX_LEVELS = 2.0, 8.0
# Median of the absolute differences of Gaussian noise, as a factor of its deviation.
_MEDIAN_OF_DEVIATION = 0.6745
# Weight of the newest frame in the noise.
_NOISE_WEIGHT = 0.1

Cells = npt.NDArray[np.uint8]


def shrink(image: Image) -> Cells:
    """Return the mean grey of each cell, GRID uint8, of a picture (H, W, 3) uint8 BGR."""
    small = cv2.resize(image, GRID[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


class SceneChanges:
    """Compares the pictures of one camera with earlier ones, above the noise that it measures from frame to frame."""

    def __init__(self) -> None:
        self._before: Cells | None = None
        self._deviation: float | None = None

    def update(self, image: Image) -> Cells:
        """Take the next picture, (H, W, 3) uint8 BGR, and return its cells."""
        cells = shrink(image)
        if self._before is not None:
            # Half of the cells or more show what does not move: their differences are noise.
            median = float(np.median(cv2.absdiff(cells, self._before)))
            newest = median / _MEDIAN_OF_DEVIATION
            before = newest if self._deviation is None else self._deviation
            self._deviation = before + _NOISE_WEIGHT * (newest - before)
        self._before = cells
        return cells

    def between(self, cells: Cells, earlier: Cells) -> BoolArray:
        """Return which cells show something else than in an earlier picture, bool. Both: GRID, or a part of it."""
        levels = float(np.clip(_DEVIATIONS * (self._deviation or 0.0), _MIN_LEVELS, _MAX_LEVELS))
        if not cells.size:
            return np.zeros(cells.shape, np.bool_)  # of a box outside of the picture
        return np.asarray(cv2.absdiff(cells, earlier) > levels, np.bool_)


def cells_of(box: Box, image_shape: tuple[int, ...], margin: float = 0.0) -> tuple[slice, slice]:
    """Return the rows and columns of the cells that a box, px, touches. margin: added on each side, in box sides."""
    scale_y, scale_x = GRID[0] / image_shape[0], GRID[1] / image_shape[1]
    more_x, more_y = margin * (box[2] - box[0]), margin * (box[3] - box[1])
    y0, y1 = (box[1] - more_y) * scale_y, (box[3] + more_y) * scale_y
    x0, x1 = (box[0] - more_x) * scale_x, (box[2] + more_x) * scale_x
    return slice(max(0, int(y0)), max(0, int(np.ceil(y1)))), slice(max(0, int(x0)), max(0, int(np.ceil(x1))))
