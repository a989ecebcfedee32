"""How the light changed between two pictures of the same room: a smooth factor over the picture.

Exposure control and the sun change a picture smoothly, people change it in places. So the factor is a quadratic in x and y,
fitted so that tiles that do not follow it count for little.
"""

import cv2
import numpy as np
import numpy.typing as npt

from privcam_edge.privacy.unsafe import FloatArray, Mask

# A change of light beyond this factor is a lamp switched; it is not followed, so everything disagrees.
MOST_GAIN = 1.25
_COLUMNS, _ROWS = 16, 12
# With fewer usable tiles than this nothing is claimed; with fewer than the second, a constant.
_LEAST_TILES, _SURFACE_TILES = 12, 48
# A tile darker than this (levels) tells nothing about a ratio.
_DARK = 16.0
# Ratios that differ by this much from the fit count half.
_TOLERANCE = 0.02
_ROUNDS = 4


def light_change(now: npt.NDArray[np.uint8], before: npt.NDArray[np.uint8], where: Mask) -> FloatArray:
    """Return the (12, 16, 3) factors by which `now` is brighter than `before`, pictures (h, w, 3) uint8.

    Only pixels in `where` (h, w) are read. Factors lie within 1 / MOST_GAIN and MOST_GAIN; 1 where nothing is known.
    """
    ratio, usable = _tiles(now, before, where)
    count = int(np.count_nonzero(usable))
    if count < _LEAST_TILES:
        return np.ones((_ROWS, _COLUMNS, 3), np.float32)
    seen = ratio[usable]
    centre = np.median(seen, axis=0)
    if count < _SURFACE_TILES:
        surface = np.broadcast_to(centre, ratio.shape)
    else:
        basis = _basis()
        rows = basis[usable.ravel()]
        fit = np.zeros((basis.shape[1], 3))
        fit[0] = centre
        for _ in range(_ROUNDS):
            gap = np.abs(seen - rows @ fit).max(axis=1)
            scale = max(_TOLERANCE, float(np.median(gap)))
            weight = np.sqrt(1 / (1 + (gap / scale) ** 2))[:, None]
            fit = np.linalg.lstsq(weight * rows, weight * seen, rcond=None)[0]
        # Where no tile was seen the surface runs off; it may not go further than what was seen.
        surface = np.clip((basis @ fit).reshape(ratio.shape), np.quantile(seen, 0.02, 0), np.quantile(seen, 0.98, 0))
    return np.clip(surface, 1 / MOST_GAIN, MOST_GAIN).astype(np.float32)


def relit(picture: npt.NDArray[np.uint8], change: FloatArray) -> npt.NDArray[np.uint8]:
    """Return `picture` (h, w, 3) as it would look after `change`."""
    factor = cv2.resize(change, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(picture, factor, dtype=cv2.CV_8U)  # type: ignore[return-value]


def difference(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the (h, w) largest absolute difference over the channels of two (h, w, 3) pictures."""
    blue, green, red = cv2.split(cv2.absdiff(a, b))
    return cv2.max(cv2.max(blue, green), red)  # type: ignore[return-value]


def _tiles(
    now: npt.NDArray[np.uint8], before: npt.NDArray[np.uint8], where: Mask
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the ratio of the tiles' means, (12, 16, 3), and which of them can be used."""
    means = [
        cv2.resize(cv2.copyTo(picture, where), (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA).astype(np.float64)
        for picture in (now, before)
    ]
    share = cv2.resize(where, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA) / 255.0
    usable = (share > 0.5) & (means[1].min(axis=2) > _DARK * share)
    return means[0] / np.maximum(means[1], 1.0), usable


def _basis() -> npt.NDArray[np.float64]:
    y, x = np.mgrid[-1 : 1 : _ROWS * 1j, -1 : 1 : _COLUMNS * 1j]
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
