"""Estimates how the illumination changed between two pictures of the same room.

Exposure control and the sun change a picture smoothly; people change it in places. So the change is modelled as a gain
that is quadratic in x and y, and an offset. The fit is robust: tiles that do not follow it have little weight.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from privcam_core.types.arrays import Float32Array, Float64Array, Image, Mask

# A larger gain means that a lamp was switched or the exposure changed. Such a change is not followed, so the whole
# picture differs from the plate.
MAX_GAIN = 1.25
# The same for the offset, in levels.
MAX_OFFSET = 20.0
# The exposure of a picture may differ by this factor from that of a stored one.
_MAX_EXPOSURE = 2.0
# The picture is compared in this many columns of tiles ...
_COLUMNS = 16
# ... and this many rows.
_ROWS = 12
# With fewer usable tiles no change is estimated.
_MIN_TILES = 12
# With fewer usable tiles only one gain for the whole picture is estimated.
_MIN_SURFACE_TILES = 48
# A tile is usable when more than this fraction of it may be read.
_MIN_TILE_FRACTION = 0.5
# Tiles that miss the fit by this many levels have half the weight.
_TOLERANCE_LEVELS = 2.0
# Rounds of the reweighted fit.
_ROUNDS = 4
# Added to the squares of levels, so that there is a solution also where all of them are 0.
_MIN_RIDGE = 1e-6


@dataclass(frozen=True, eq=False)
class IlluminationChange:
    """now = gain * before + offset. gain: (12, 16, 3) over the picture. offset: (3,) levels."""

    gain: Float32Array
    offset: Float32Array

    @staticmethod
    def identity() -> "IlluminationChange":
        """Return the change that leaves every picture as it is."""
        return IlluminationChange(np.ones((_ROWS, _COLUMNS, 3), np.float32), np.zeros(3, np.float32))

    def apply(self, picture: Image) -> Image:
        """Return `picture` (h, w, 3) as it would look after the change."""
        gain = cv2.resize(self.gain, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR)
        lit = cv2.multiply(picture, gain, dtype=cv2.CV_32F)
        rounded: Image = cv2.add(lit, (*self.offset.tolist(), 0.0), dtype=cv2.CV_8U)
        return rounded

    def scale(self, weight: float) -> "IlluminationChange":
        """Return `weight` (0 to 1) of the change."""
        return IlluminationChange(1 + np.float32(weight) * (self.gain - 1), np.float32(weight) * self.offset)


def estimate_illumination_change(now: Image, before: Image, where: Mask) -> IlluminationChange:
    """Return how the illumination changed from `before` to `now`, (h, w, 3) uint8 pictures.

    Only pixels in `where` (h, w) are read.
    """
    in_tile = cv2.resize(where, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA).ravel() / 255.0
    usable = in_tile > _MIN_TILE_FRACTION
    count = int(np.count_nonzero(usable))
    if count < _MIN_TILES:
        return IlluminationChange.identity()
    after, earlier = (_tile_means(picture, where)[usable] / in_tile[usable, None] for picture in (now, before))
    basis = _basis()[:, : 6 if count >= _MIN_SURFACE_TILES else 1]
    fit = _fit(basis[usable], after.T, earlier.T)
    surface = basis @ fit[:, :-1].T
    # Outside of the usable tiles the surface is extrapolated. It stays within its range over the usable tiles.
    gain = np.clip(surface, surface[usable].min(axis=0), surface[usable].max(axis=0))
    offset = fit[:, -1]
    gain = np.clip(gain, 1 / MAX_GAIN, MAX_GAIN).reshape(_ROWS, _COLUMNS, 3)
    return IlluminationChange(gain.astype(np.float32), np.clip(offset, -MAX_OFFSET, MAX_OFFSET).astype(np.float32))


def relight(picture: Image, before: Image, now: Image, where: Mask) -> Image:
    """Return `picture` (H, W, 3) after the change of exposure and illumination from `before` to `now`, (h, w, 3).

    The change is read in `where` (h, w) alone. before: the same picture as `picture`, of the size of `now`.
    """
    if not cv2.countNonZero(where):
        return picture.copy()
    ratio = np.asarray(cv2.mean(now, mask=where)[:3]) / np.maximum(cv2.mean(before, mask=where)[:3], 1.0)
    exposure = np.clip(ratio, 1 / _MAX_EXPOSURE, _MAX_EXPOSURE)
    small = _expose(before, exposure)
    exposed = small if picture is before else _expose(picture, exposure)
    return estimate_illumination_change(now, small, where).apply(exposed)


def _expose(picture: Image, exposure: Float64Array) -> Image:
    exposed: Image = cv2.multiply(picture, (*exposure.tolist(), 1.0), dtype=cv2.CV_8U)
    return exposed


def difference(a: Image, b: Image) -> Image:
    """Return the (h, w) largest absolute difference over the channels of two (h, w, 3) pictures."""
    blue, green, red = cv2.split(cv2.absdiff(a, b))
    largest: Image = cv2.max(cv2.max(blue, green), red)
    return largest


def _fit(basis: Float64Array, after: Float64Array, before: Float64Array) -> Float64Array:
    """Return, for each of 3 channels, the weights of the surfaces and then the offset that explain `after`: (3, k + 1).

    basis: (n, k), the surfaces at the n tiles. after, before: (3, n) levels.
    """
    rows = np.concatenate([basis[None] * before[..., None], np.ones((*before.shape, 1))], axis=2)
    # Dark and bright tiles are both needed to tell an offset from a gain.
    rows[np.ptp(before, axis=1) < 2 * MAX_OFFSET, :, -1] = 0
    residual = np.abs(after - before * _row_medians(after / np.maximum(before, 1.0)))
    for _ in range(_ROUNDS):
        weight = 1 / np.sqrt(1 + (residual / np.maximum(_TOLERANCE_LEVELS, _row_medians(residual))) ** 2)
        weighted = (rows * weight[..., None]).transpose(0, 2, 1)
        square = weighted @ weighted.transpose(0, 2, 1)
        # Of a channel that was black everywhere nothing is known but the constant.
        ridge = 1e-6 * np.trace(square, axis1=1, axis2=2) + _MIN_RIDGE
        square += np.eye(square.shape[1]) * ridge[:, None, None]
        fit = np.linalg.solve(square, weighted @ (weight * after)[..., None])
        residual = np.abs(after - (rows @ fit)[..., 0])
    return np.asarray(fit[..., 0], np.float64)


def _row_medians(rows: Float64Array) -> Float64Array:
    """Return the upper median of each row of (3, n), as (3, 1). NumPy's median is much slower on short rows."""
    half = rows.shape[1] // 2
    return np.partition(rows, half, axis=1)[:, half : half + 1]


def _tile_means(picture: Image, where: Mask) -> Float64Array:
    tiles = cv2.resize(cv2.copyTo(picture, where), (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA)
    means: Float64Array = tiles.reshape(-1, 3).astype(np.float64)
    return means


def _basis() -> Float64Array:
    """Return the six surfaces 1, x, y, x², xy, y² at the tiles, (192, 6); x and y are in [-1, 1]."""
    y, x = np.mgrid[-1 : 1 : _ROWS * 1j, -1 : 1 : _COLUMNS * 1j]
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
