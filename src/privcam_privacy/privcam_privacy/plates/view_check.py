"""Whether the camera still looks at what an approved plate shows. Changes nothing that is sent."""

import cv2
import numpy as np
import numpy.typing as npt

from privcam_privacy.background.exclusion_masks import BoolArray, Mask, any_to_grid, grown, minus, to_grid
from privcam_privacy.background.illumination import light_change

_TILES = (16, 12)
# Brightness changes with every lamp, edges stay where they are: so edges are compared, after a blur that forgives a
# camera that trembles by a pixel or two.
_BLUR = (5, 5)
# A tile is judged when it is in sight, and when the plate has edges in it: this standard deviation in levels.
_SIGHT_SHARE, _LEAST_EDGES = 0.5, 2.0
# A tile agrees from this correlation of the edges on, and the view when half of the judged tiles do.
_CORRELATION, _AGREEING_SHARE = 0.5, 0.5
# With fewer judged tiles than this nothing is claimed.
_LEAST_TILES = 8


class ViewCheck:
    """picture: (H, W, 3) uint8, the plate. validity: (H, W), where it shows the room."""

    def __init__(self, picture: npt.NDArray[np.uint8], validity: BoolArray) -> None:
        self._small = to_grid(picture)
        # The border between the room and the flat fill is an edge that is not in the room.
        self._valid: Mask = cv2.bitwise_not(grown(any_to_grid(~validity), _BLUR[0]))

    def __call__(self, image: npt.NDArray[np.uint8], people: BoolArray) -> bool | None:
        """Return whether `image` (H, W, 3) shows the plate's room from the same place; None where too little is seen.

        people: (H, W), True where people may be; what is there is not compared.
        """
        where = minus(self._valid, grown(any_to_grid(people), _BLUR[0]))
        small = to_grid(image)
        expected = light_change(small, self._small, where).apply(self._small)
        now, before = _edges(small), _edges(expected)
        share = _mean(where.astype(np.float32) / 255.0)
        seen = share > _SIGHT_SHARE
        weight = np.where(where > 0, np.float32(1), np.float32(0))
        total = np.maximum(share, 1e-6)
        mean_now, mean_before = _mean(now * weight) / total, _mean(before * weight) / total
        covariance = _mean(now * before * weight) / total - mean_now * mean_before
        variance_now = _mean(now * now * weight) / total - mean_now**2
        variance_before = _mean(before * before * weight) / total - mean_before**2
        judged = seen & (variance_before > _LEAST_EDGES**2)
        if np.count_nonzero(judged) < _LEAST_TILES:
            return None
        correlation = covariance[judged] / np.sqrt(np.maximum(variance_now * variance_before, 1e-6)[judged])
        return bool(np.mean(correlation > _CORRELATION) >= _AGREEING_SHARE)


def _edges(small: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the strength of the edges of a (h, w, 3) picture, (h, w)."""
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.blur(cv2.magnitude(across, down) / 4, _BLUR), np.float32)


def _mean(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.resize(plane, _TILES, interpolation=cv2.INTER_AREA), np.float32)
