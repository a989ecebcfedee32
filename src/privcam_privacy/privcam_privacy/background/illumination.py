"""How the light changed between two pictures of the same room.

Exposure control and the sun change a picture smoothly, people change it in places. So the change is a gain that is a
quadratic in x and y, and an offset, fitted so that tiles that do not follow it count for little.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from privcam_privacy.background.exclusion_masks import FloatArray, Mask

# A change of light beyond this factor, or of this many levels of black, is a lamp switched or another exposure; it is
# not followed, so everything disagrees.
MOST_GAIN, MOST_OFFSET = 1.25, 20.0
_COLUMNS, _ROWS = 16, 12
# With fewer usable tiles than this nothing is claimed; with fewer than the second, only a gain for the whole picture.
_LEAST_TILES, _SURFACE_TILES = 12, 48
# Tiles that miss the fit by this many levels count half.
_TOLERANCE = 2.0
_ROUNDS = 4


@dataclass(frozen=True, eq=False)
class LightChange:
    """now = gain * before + offset. gain: (12, 16, 3) over the picture. offset: (3,) levels."""

    gain: FloatArray
    offset: FloatArray

    @staticmethod
    def none() -> "LightChange":
        """Return the change that is none."""
        return LightChange(np.ones((_ROWS, _COLUMNS, 3), np.float32), np.zeros(3, np.float32))

    def apply(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return `picture` (h, w, 3) as it would look after the change."""
        gain = cv2.resize(self.gain, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR)
        lit = cv2.multiply(picture, gain, dtype=cv2.CV_32F)
        return cv2.add(lit, (*self.offset.tolist(), 0.0), dtype=cv2.CV_8U)

    def part(self, weight: float) -> "LightChange":
        """Return `weight` (0 to 1) of the change."""
        return LightChange(1 + np.float32(weight) * (self.gain - 1), np.float32(weight) * self.offset)


def light_change(now: npt.NDArray[np.uint8], before: npt.NDArray[np.uint8], where: Mask) -> LightChange:
    """Return how the light changed from `before` to `now`, (h, w, 3) uint8 pictures.

    Only pixels in `where` (h, w) are read.
    """
    share = cv2.resize(where, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA).ravel() / 255.0
    usable = share > 0.5
    count = int(np.count_nonzero(usable))
    if count < _LEAST_TILES:
        return LightChange.none()
    after, earlier = (_means(picture, where)[usable] / share[usable, None] for picture in (now, before))
    basis = _basis()[:, : 6 if count >= _SURFACE_TILES else 1]
    fit = _fit(basis[usable], after.T, earlier.T)
    surface = basis @ fit[:, :-1].T
    # Where no tile was seen the surface runs off; it may not go further than where it was seen.
    gain = np.clip(surface, surface[usable].min(axis=0), surface[usable].max(axis=0))
    offset = fit[:, -1]
    gain = np.clip(gain, 1 / MOST_GAIN, MOST_GAIN).reshape(_ROWS, _COLUMNS, 3)
    return LightChange(gain.astype(np.float32), np.clip(offset, -MOST_OFFSET, MOST_OFFSET).astype(np.float32))


def difference(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the (h, w) largest absolute difference over the channels of two (h, w, 3) pictures."""
    blue, green, red = cv2.split(cv2.absdiff(a, b))
    return cv2.max(cv2.max(blue, green), red)


def _fit(
    basis: npt.NDArray[np.float64], after: npt.NDArray[np.float64], before: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return for each of 3 channels the weights of the surfaces and, last, the offset that explain `after`: (3, k + 1).

    basis: (n, k), the surfaces at the n tiles. after, before: (3, n) levels.
    """
    rows = np.concatenate([basis[None] * before[..., None], np.ones((*before.shape, 1))], axis=2)
    # Dark and bright tiles are both needed to tell an offset from a gain.
    rows[np.ptp(before, axis=1) < 2 * MOST_OFFSET, :, -1] = 0
    gap = np.abs(after - before * _middle(after / np.maximum(before, 1.0)))
    for _ in range(_ROUNDS):
        weight = 1 / np.sqrt(1 + (gap / np.maximum(_TOLERANCE, _middle(gap))) ** 2)
        weighted = (rows * weight[..., None]).transpose(0, 2, 1)
        square = weighted @ weighted.transpose(0, 2, 1)
        square += np.eye(square.shape[1]) * 1e-6 * np.trace(square, axis1=1, axis2=2)[:, None, None]
        fit = np.linalg.solve(square, weighted @ (weight * after)[..., None])
        gap = np.abs(after - (rows @ fit)[..., 0])
    return np.asarray(fit[..., 0], np.float64)


def _middle(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the upper median of each row of (3, n), as (3, 1): several times faster than NumPy's for short rows."""
    half = values.shape[1] // 2
    return np.partition(values, half, axis=1)[:, half : half + 1]


def _means(picture: npt.NDArray[np.uint8], where: Mask) -> npt.NDArray[np.float64]:
    tiles = cv2.resize(cv2.copyTo(picture, where), (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA)
    return tiles.reshape(-1, 3).astype(np.float64)


def _basis() -> npt.NDArray[np.float64]:
    y, x = np.mgrid[-1 : 1 : _ROWS * 1j, -1 : 1 : _COLUMNS * 1j]
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
