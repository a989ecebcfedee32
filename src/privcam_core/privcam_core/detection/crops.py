"""Crops squares around people as network input, and maps network output back to the picture.

Picture coordinates are px with the origin in the top left corner of the top left pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.types.arrays import FloatArray, Image

# Smallest side of a box in px, so that every crop has an area.
_MIN_SIDE_PX = 2.0


@dataclass(frozen=True)
class Square:
    """A square region of the picture in px. It may extend beyond the picture."""

    left: float
    top: float
    side: float

    @classmethod
    def around(cls, box: Sequence[float] | FloatArray, factor: float) -> "Square":
        """Return the square with the centre of the box (x0, y0, x1, y1) and `factor` times its longer side."""
        x0, y0, x1, y1 = (float(v) for v in box)
        side = max(x1 - x0, y1 - y0, _MIN_SIDE_PX) * factor
        return cls((x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side)

    def crop(self, image: Image, size: int, border: int = cv2.BORDER_CONSTANT) -> Image:
        """Return the region as (size, size, 3) uint8. border: of OpenCV, for what lies outside of the picture."""
        scale = self.side / size
        return self._warp(image, (size, size), scale, self.left, self.top, border).astype(np.uint8, copy=False)

    def paste_back(self, values: npt.NDArray[np.float32], region: tuple[int, int, int, int]) -> npt.NDArray[np.float32]:
        """Return a map of this square at the resolution of the picture.

        values: (S, S) float32 over the square. region: x0, y0, x1, y1 in whole px, the part of the picture wanted.
        Outside of the square the result is 0.
        """
        x0, y0, x1, y1 = region
        scale = values.shape[0] / self.side
        left, top = (x0 - self.left) * scale, (y0 - self.top) * scale
        result = self._warp(values, (x1 - x0, y1 - y0), scale, left, top, cv2.BORDER_CONSTANT)
        return result.astype(np.float32, copy=False)

    @staticmethod
    def _warp(
        source: npt.NDArray[np.generic], size: tuple[int, int], scale: float, left: float, top: float, border: int
    ) -> npt.NDArray[np.generic]:
        # OpenCV counts from pixel centres, so half a pixel comes in on both sides.
        shift = scale / 2 - 0.5
        matrix = np.array([[scale, 0, left + shift], [0, scale, top + shift]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(source, matrix, size, flags=flags, borderMode=border))


def require_boxes(boxes: npt.NDArray[np.floating]) -> None:
    """Raise ValueError unless `boxes` is (N, 4) with finite numbers."""
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes: have shape {boxes.shape}, need (N, 4) as x0, y0, x1, y1 in px")
    if not np.isfinite(boxes).all():
        raise ValueError("boxes: hold a number that is not finite")
