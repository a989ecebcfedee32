"""Chooses the confirmed cells of the clean plate that are still averaged.

A plate that wanders by a level or two costs bits, and its wandering would give away when a person stood where. So
confirmed background is averaged for a while, only in a quiet room, and then left as it is until it has drifted away.
"""

import cv2
import numpy as np

from privcam_core.types.arrays import Float32Array, Image, Mask
from privcam_privacy.background.grid import intersect

# Confirmed background is averaged with this time constant ...
FINE_AVERAGE_S = 5.0
# ... and for this long.
_SETTLING_S = 15.0
# Drift is measured in tiles: columns, rows.
_DRIFT_TILES = (16, 12)
# A tile is averaged again when its mean has drifted by this many levels ...
_DRIFT_LEVELS = 3.0
# ... with this time constant.
_DRIFT_TIME_S = 3.0
# The drift of a tile is measured when more than this fraction of it is in sight.
_MIN_TILE_FRACTION = 0.5


class PlateRefinement:
    """The refinement of a plate with a grid of `grid` (h, w)."""

    def __init__(self, grid: tuple[int, int]) -> None:
        self._settled_s: Float32Array = np.zeros(grid, np.float32)
        self._drift: Float32Array = np.zeros((*_DRIFT_TILES[::-1], 3), np.float32)

    def select(self, small: Image, plate: Image, seen: Mask, step: float) -> Mask:
        """Return the cells of `seen` that are averaged now. Restarts tiles that have drifted away.

        small, plate: (h, w, 3), the frame and the plate on the grid. seen: confirmed cells in sight that kept their
        value. step: s since the last frame.
        """
        in_tile = _tile_means(seen)[..., None] / 255
        now, before = (_tile_means(cv2.copyTo(picture, seen)) for picture in (small, plate))
        judged = in_tile[..., 0] > _MIN_TILE_FRACTION
        gap = (now - before)[judged] / in_tile[judged]
        self._drift[judged] += min(1.0, step / _DRIFT_TIME_S) * (gap - self._drift[judged])
        drifted = np.abs(self._drift).max(axis=2) > _DRIFT_LEVELS
        if drifted.any():
            self._drift[drifted] = 0.0
            self.restart(cv2.resize(drifted.astype(np.uint8), seen.shape[::-1], interpolation=cv2.INTER_NEAREST))
        settling = intersect(seen, cv2.compare(self._settled_s, _SETTLING_S, cv2.CMP_LT))
        cv2.add(self._settled_s, step, dst=self._settled_s, mask=settling)
        return settling

    def restart(self, where: Mask) -> None:
        """Average the cells in `where` from the beginning."""
        self._settled_s[where > 0] = 0.0


def _tile_means(picture: Image) -> Float32Array:
    return np.asarray(cv2.resize(picture, _DRIFT_TILES, interpolation=cv2.INTER_AREA), np.float32)
