"""Checks whether the camera still sees what a plate contains. The check changes nothing that is sent."""

import cv2
import numpy as np

from privcam_core.types.arrays import BoolArray, Float32Array, Image, Mask
from privcam_privacy.background.grid import any_to_grid, complement, dilate, subtract, to_grid
from privcam_privacy.background.illumination import estimate_illumination_change

# The view is compared in tiles: columns, rows.
_TILES = (16, 12)
# Brightness changes with every lamp, edges stay in place. So edges are compared, after a blur (width, height in cells)
# that tolerates a camera that trembles by a pixel or two.
_BLUR = (5, 5)
# A tile is judged when more than this fraction of it is in sight ...
_MIN_SIGHT_FRACTION = 0.5
# ... and the plate has edges in it: with more than this standard deviation, in levels.
_MIN_EDGE_LEVELS = 2.0
# A tile agrees when the correlation of the edges is above this.
_MIN_CORRELATION = 0.5
# The view agrees when at least this fraction of the judged tiles does.
_MIN_AGREEING_FRACTION = 0.5
# With fewer judged tiles there is no result.
_MIN_TILES = 8


class ViewCheck:
    """picture: (H, W, 3) uint8, the plate. confirmed: (H, W), where the plate has background."""

    def __init__(self, picture: Image, confirmed: BoolArray) -> None:
        self._small = to_grid(picture)
        # The border between the background and the flat fill is an edge that is not in the room.
        self._confirmed: Mask = complement(dilate(any_to_grid(~confirmed), _BLUR[0]))

    def check(self, image: Image, people: BoolArray) -> bool | None:
        """Return whether `image` (H, W, 3) has the same view as the plate; None where too little is in sight.

        people: (H, W), True where people may be; these pixels are not compared.
        """
        where = subtract(self._confirmed, dilate(any_to_grid(people), _BLUR[0]))
        small = to_grid(image)
        expected = estimate_illumination_change(small, self._small, where).apply(self._small)
        now, before = _edges(small), _edges(expected)
        in_sight = _tile_means(where.astype(np.float32) / 255.0)
        weight = np.where(where > 0, np.float32(1), np.float32(0))
        total = np.maximum(in_sight, 1e-6)
        mean_now, mean_before = _tile_means(now * weight) / total, _tile_means(before * weight) / total
        covariance = _tile_means(now * before * weight) / total - mean_now * mean_before
        variance_now = _tile_means(now * now * weight) / total - mean_now**2
        variance_before = _tile_means(before * before * weight) / total - mean_before**2
        judged = (in_sight > _MIN_SIGHT_FRACTION) & (variance_before > _MIN_EDGE_LEVELS**2)
        if np.count_nonzero(judged) < _MIN_TILES:
            return None
        correlation = covariance[judged] / np.sqrt(np.maximum(variance_now * variance_before, 1e-6)[judged])
        return bool(np.mean(correlation > _MIN_CORRELATION) >= _MIN_AGREEING_FRACTION)


def _edges(small: Image) -> Float32Array:
    """Return the strength of the edges of a (h, w, 3) picture, (h, w)."""
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.blur(cv2.magnitude(across, down) / 4, _BLUR), np.float32)


def _tile_means(plane: Float32Array) -> Float32Array:
    return np.asarray(cv2.resize(plane, _TILES, interpolation=cv2.INTER_AREA), np.float32)
