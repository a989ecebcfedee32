"""Measures one picture: light, contrast, structure and sharpness, on a small grey copy of it."""

from dataclasses import dataclass

import cv2
import numpy as np

from privcam_core.types.arrays import Image

# Longer side of the copy on which sharpness is measured, px: the detector's network sees no finer detail.
_SHARP_PX = 320
# A cell of light and structure has this many px of that copy on each side.
_CELL_PX = 4
# A grey level from here on is overexposed.
_WHITE_LEVEL = 250
# Neighbouring cells that differ by at least this, in levels, are structure ...
_STRUCTURE_LEVELS = 2
# ... and by this many standard deviations of what the noise leaves in a cell.
_STRUCTURE_NOISE_FACTOR = 3.0
# Sharpness compares the steps over 1 px with those over so many px. On a ramp, without any edge, the ratio is 1/8.
_STEP_PX = 8
# Only the strongest steps are compared: they are the edges.
_EDGE_PERCENTILE = 98.0
# Every so many rows of the copy are enough for that.
_ROW_STEP = 2


@dataclass(frozen=True)
class PictureMeasures:
    """Numbers of one picture.

    dark_level, mid_level, bright_level: the 5th, 50th and 95th percentile of the cells, grey levels. white_fraction:
    of the picture, overexposed. structure_fraction: of the cells, those that differ from a neighbour. sharpness: steps
    over 1 px divided by steps over 8 px at the strongest edges; 1 is sharp, 0.13 has no edge.
    """

    dark_level: float
    mid_level: float
    bright_level: float
    white_fraction: float
    structure_fraction: float
    sharpness: float

    @property
    def contrast(self) -> float:
        """Distance between the bright and the dark parts, levels."""
        return self.bright_level - self.dark_level


def reduce_picture(image: Image) -> tuple[Image, Image]:
    """Return the grey copy of (H, W, 3) uint8 on which sharpness is measured, and its cells, both uint8."""
    height, width = image.shape[:2]
    scale = min(1.0, _SHARP_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    grey = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    cells = max(2, size[0] // _CELL_PX), max(2, size[1] // _CELL_PX)
    return np.asarray(grey, np.uint8), np.asarray(cv2.resize(grey, cells, interpolation=cv2.INTER_AREA), np.uint8)


def measure_picture(grey: Image, cells: Image, pixels_per_cell: float, noise: float) -> PictureMeasures:
    """Return the numbers of a picture. pixels_per_cell: of the camera. noise: of a pixel, levels."""
    dark, mid, bright = (percentile(cells, q) for q in (5.0, 50.0, 95.0))
    across, down = cv2.absdiff(cells[:-1, 1:], cells[:-1, :-1]), cv2.absdiff(cells[1:, :-1], cells[:-1, :-1])
    limit = _STRUCTURE_LEVELS + _STRUCTURE_NOISE_FACTOR * noise / np.sqrt(pixels_per_cell)
    return PictureMeasures(
        dark_level=dark,
        mid_level=mid,
        bright_level=bright,
        white_fraction=float(np.mean(cells >= _WHITE_LEVEL)),
        structure_fraction=float(np.mean(cv2.max(across, down) >= limit)),
        sharpness=_sharpness(grey),
    )


def percentile(values: Image, percent: float) -> float:
    """Return a percentile of uint8 values by their histogram: several times faster than a sort."""
    counts = cv2.calcHist([np.ascontiguousarray(values)], [0], None, [256], [0, 256])[:, 0]
    return float(np.searchsorted(np.cumsum(counts), percent / 100 * values.size))


def mean_of_smallest(values: Image, percent: float) -> float:
    """Return the mean of the smallest `percent` of uint8 values, by their histogram."""
    counts = cv2.calcHist([np.ascontiguousarray(values)], [0], None, [256], [0, 256])[:, 0]
    wanted = percent / 100 * values.size
    taken = np.diff(np.minimum(np.cumsum(counts), wanted), prepend=0.0)
    return float(taken @ np.arange(256) / wanted)


def _sharpness(grey: Image) -> float:
    height, width = grey.shape
    rows, columns = height - _STEP_PX, width - _STEP_PX
    if min(rows, columns) < 1:
        return 1.0
    here = grey[:rows:_ROW_STEP, :columns]
    near, far = (
        cv2.max(
            cv2.absdiff(grey[:rows:_ROW_STEP, step : columns + step], here),
            cv2.absdiff(grey[step : rows + step : _ROW_STEP, :columns], here),
        )
        for step in (1, _STEP_PX)
    )
    edge = percentile(far, _EDGE_PERCENTILE)
    return percentile(near, _EDGE_PERCENTILE) / edge if edge > 0 else 1.0
