"""Chooses the confirmed cells of the clean plate that are still averaged.

A plate that wanders by a level or two costs bits, and its wandering would give away when a person stood where. So
confirmed background is averaged for a while, only in a quiet room, and then left as it is until it has drifted away.

Somebody in the colours of the wall whom no network finds looks like a small drift. So a confirmed cell takes nothing
from a frame unless it was measured that it shows the same as the plate: neither the cell nor what is near it may differ
by more than noise leaves in a mean over time. A larger change is applied as smooth light to the whole plate, or not.
"""

import cv2
import numpy as np

from privcam_core.types.arrays import Float32Array, Image, Mask
from privcam_privacy.background.grid import above, dilate, intersect, subtract, union

# Confirmed background is averaged with this time constant ...
FINE_AVERAGE_S = 5.0
# ... and for this long.
_SETTLING_S = 15.0
# The difference of a cell to the plate is averaged with this time constant, s ...
_GAP_TIME_S = 2.0
# ... and judged after so much time without a break, s.
_JUDGED_S = 3.0
# A cell whose mean difference is larger, in levels, shows something else than the plate. The noise of a cell is some
# levels, and that of a mean over the time above is some tenths.
_SAME_LEVELS = 2.0
# Of the 9 cells around a cell, so many that show something else are an object. The remaining ones are single cells.
_MIN_NEIGHBOURS = 3
# Closer to an object than this fraction of the picture's height nothing is averaged: its edge may move there.
_REACH_FRACTION = 0.05
# Drift is measured in tiles: columns, rows.
_DRIFT_TILES = (16, 12)
# A tile is averaged again when its mean has drifted by this many levels: before its cells show something else.
_DRIFT_LEVELS = 0.5
# A tile is judged when more than this fraction of it is in sight.
_MIN_TILE_FRACTION = 0.5


class PlateRefinement:
    """The refinement of a plate with a grid of `grid` (h, w)."""

    def __init__(self, grid: tuple[int, int]) -> None:
        self._reach = max(1, round(_REACH_FRACTION * grid[0]))
        self._settled_s: Float32Array = np.zeros(grid, np.float32)
        self._seen_s: Float32Array = np.zeros(grid, np.float32)
        self._gap: Float32Array = np.zeros((*grid, 3), np.float32)

    def select(self, small: Image, plate: Image, seen: Mask, step: float) -> Mask:
        """Return the cells of `seen` that are averaged now. Restarts tiles that have drifted away.

        small, plate: (h, w, 3), the frame and the plate on the grid. seen: confirmed cells in sight that kept their
        value; empty in a frame that says nothing of the room. step: s since the last frame.
        """
        out_of_sight = seen == 0
        self._seen_s[out_of_sight] = 0.0
        self._gap[out_of_sight] = 0.0
        if out_of_sight.all():
            return seen
        cv2.add(self._seen_s, step, dst=self._seen_s, mask=seen)
        gap = cv2.subtract(small, plate, dtype=cv2.CV_32F)
        cv2.accumulateWeighted(gap, self._gap, min(1.0, step / _GAP_TIME_S), mask=seen)
        judged = intersect(seen, above(self._seen_s, _JUDGED_S))
        blue, green, red = cv2.split(cv2.absdiff(self._gap, (0.0, 0.0, 0.0, 0.0)))
        other = above(cv2.max(cv2.max(blue, green), red), _SAME_LEVELS)
        around = cv2.boxFilter(cv2.min(other, 1), cv2.CV_8U, (3, 3), normalize=False)
        objects = dilate(above(around, _MIN_NEIGHBOURS - 1), self._reach)
        same = subtract(judged, union(other, objects))
        self._restart_drifted(same)
        settling = intersect(same, cv2.compare(self._settled_s, _SETTLING_S, cv2.CMP_LT))
        cv2.add(self._settled_s, step, dst=self._settled_s, mask=settling)
        return settling

    def restart(self, where: Mask) -> None:
        """Average the cells in `where` from the beginning."""
        self._settled_s[where > 0] = 0.0

    def _restart_drifted(self, same: Mask) -> None:
        in_tile = _tile_means(same) / 255
        drift = np.abs(_tile_means(cv2.copyTo(self._gap, same))).max(axis=2)
        drifted = (in_tile > _MIN_TILE_FRACTION) & (drift > _DRIFT_LEVELS * in_tile)
        if drifted.any():
            self.restart(cv2.resize(drifted.astype(np.uint8), same.shape[::-1], interpolation=cv2.INTER_NEAREST))


def _tile_means(picture: Image | Float32Array) -> Float32Array:
    return np.asarray(cv2.resize(picture, _DRIFT_TILES, interpolation=cv2.INTER_AREA), np.float32)
