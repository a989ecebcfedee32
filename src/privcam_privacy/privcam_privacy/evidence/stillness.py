"""Evidence `stillness`: nothing moved here, and the measurement would have noticed a small movement.

A sleeper moves by tenths of a pixel with every breath. Frame differences do not show this, averages over a tile do. So
a short average is compared with a long one: by which sub-pixel shift, and by which change of contrast, does the tile
differ? What such a measurement is worth depends on light, noise and texture. So known shifts and contrasts are injected
into the same measurement. A tile in which they would not have been noticed has no power, and is never confirmed.
"""

from typing import NamedTuple

import cv2
import numpy as np

from privcam_core.types.arrays import BoolArray, Float32Array, Image, Mask
from privcam_privacy.background.grid import GRID, complement, intersect, union

# Side of a tile, cells.
_TILE = 16
# Time constant of the short average, s: much shorter than a breath.
_SHORT_S = 0.5
# Time constant of the long average, s: several breaths.
_LONG_S = 30.0
# A cell is judged when it was read without a break for this long, s.
_WARM_UP_S = 10.0
# Time constant of the noise floor, s.
_FLOOR_S = 60.0
# A tile has moved when a measure exceeds this multiple of its usual size: 6 standard deviations of Gaussian noise. A
# person who breathes raises the usual size, so that the injected signal is no longer noticed: there is no power.
_FLOOR_FACTOR = 8.0
# The injected shift: a breath, px.
_SHIFT_PX = 0.3
# Of a breath of 4 s this part passes the short average.
_PASSED = 0.75
# The injected contrast: a patch becomes brighter by this fraction, as when a head turns.
_CONTRAST = 0.1
# Side of that patch, cells.
_PATCH = 6
# Smaller shifts, px, and smaller contrasts, levels, are no motion.
_MIN_SHIFT_PX = 0.05
_MIN_CONTRAST_LEVELS = 1.0
# Frames that come sooner than this after the last measurement are not measured, s.
_STEP_S = 0.2
# The power is measured this often, s.
_PERIOD_S = 1.0
# Without any noise for this long, s, a tile is frozen or was not sent anew by the compression.
_FROZEN_S = 2.0
# Around a movement nothing is still within this fraction of the picture's height: a sleeper moves in one place only.
_REACH_FRACTION = 0.2
# A tile is judged when this fraction of its cells is.
_MIN_TILE_FRACTION = 0.95


class _Measures(NamedTuple):
    """Of every tile: shifts to the side and up or down, px; contrast, levels."""

    across: Float32Array
    down: Float32Array
    contrast: Float32Array


class StillnessMonitor:
    """Judges the tiles of pictures with a grid of `grid` (h, w).

    power: (rows, columns) of tiles, where the injected signals would have been noticed lately.
    """

    def __init__(self, grid: tuple[int, int]) -> None:
        self._grid = grid
        self._tiles = -(-grid[0] // _TILE), -(-grid[1] // _TILE)
        self._reach = max(1, round(_REACH_FRACTION * grid[0] / _TILE))
        self._short: Float32Array = np.zeros(grid, np.float32)
        self._long: Float32Array = np.zeros(grid, np.float32)
        self._previous: Float32Array = np.zeros(grid, np.float32)
        self._read_s: Float32Array = np.zeros(grid, np.float32)
        self._frozen_s: Float32Array = np.zeros(self._tiles, np.float32)
        self._floor: Float32Array = np.zeros((3, *self._tiles), np.float32)
        self._judged_s: Float32Array = np.zeros(self._tiles, np.float32)
        self._waited_s = _PERIOD_S
        self._elapsed_s = _STEP_S
        self._excluded: Mask = np.zeros(grid, np.uint8)
        self._still: Mask = np.zeros(grid, np.uint8)
        rows, columns = np.indices(grid)
        inside = (np.abs(rows % _TILE - _TILE // 2) < _PATCH / 2) & (np.abs(columns % _TILE - _TILE // 2) < _PATCH / 2)
        self._patch: Float32Array = inside.astype(np.float32) * np.float32(_CONTRAST)
        self.power: BoolArray = np.zeros(self._tiles, np.bool_)

    def update(self, small: Image, safe: Mask, step: float) -> Mask:
        """Return the cells that were still in this frame, in tiles with power; a grid mask.

        small: (h, w, 3), the frame on the grid. Only cells in `safe` are read. step: s since the last frame.
        """
        self._excluded = union(self._excluded, complement(safe))
        self._elapsed_s += step
        if self._elapsed_s < _STEP_S:
            self._still = intersect(self._still, safe)
            return self._still
        step, self._elapsed_s = self._elapsed_s, 0.0
        safe, self._excluded = complement(self._excluded), np.zeros(self._grid, np.uint8)
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
        self._average(grey, safe > 0, step)
        judged = self._tile_means((self._read_s >= _WARM_UP_S).astype(np.float32)) >= _MIN_TILE_FRACTION
        changed = self._tile_means(np.abs(grey - self._previous)) > 0
        self._previous = grey
        self._frozen_s = np.where(changed, np.float32(0), self._frozen_s + np.float32(step))
        measured = np.stack(self._measure(self._short - self._long))
        self._judged_s = np.where(judged, self._judged_s + np.float32(step), np.float32(0))
        weight = np.minimum(1.0, step / np.clip(self._judged_s, max(step, 1e-6), _FLOOR_S))
        self._floor = np.where(judged, self._floor + weight * (measured - self._floor), self._floor)
        smallest = np.array([_MIN_SHIFT_PX, _MIN_SHIFT_PX, _MIN_CONTRAST_LEVELS], np.float32)[:, None, None]
        limits = np.maximum(_FLOOR_FACTOR * self._floor, smallest)
        moved = judged & (measured > limits).any(axis=0)
        self._waited_s += step
        if self._waited_s >= _PERIOD_S:
            self._waited_s = 0.0
            self.power = self._would_notice(limits)
        usable = judged & self.power & (self._frozen_s < _FROZEN_S) & (self._judged_s >= _WARM_UP_S)
        kernel = np.ones((2 * self._reach + 1,) * 2, np.uint8)
        still = usable & (cv2.dilate(moved.astype(np.uint8), kernel) == 0)
        self._still = self._cells(still)
        return self._still

    def _average(self, grey: Float32Array, safe: BoolArray, step: float) -> None:
        """Move the averages of the cells in `safe` towards `grey`; the others start again."""
        new = safe & (self._read_s <= 0)
        self._read_s = np.where(safe, self._read_s + np.float32(max(step, 1e-6)), np.float32(0))
        self._short[new] = self._long[new] = grey[new]
        weight = np.where(safe, step / np.clip(self._read_s, max(step, 1e-6), _LONG_S), 0).astype(np.float32)
        self._long += weight * (grey - self._long)
        self._short += np.where(safe, np.float32(min(1.0, step / _SHORT_S)), np.float32(0)) * (grey - self._short)

    def _measure(self, residual: Float32Array) -> _Measures:
        """Return by which shift and contrast a picture differs from the long average. residual: (h, w), by how much."""
        # The whole tile becomes brighter with a lamp and not with a breath.
        residual = residual - self._expand(self._tile_means(residual))
        shifts = []
        for slope in (cv2.Sobel(self._long, cv2.CV_32F, 1, 0), cv2.Sobel(self._long, cv2.CV_32F, 0, 1)):
            gradient = slope / 8
            power = np.maximum(self._tile_means(gradient * gradient), 1e-6)
            shifts.append(GRID * np.abs(self._tile_means(gradient * residual)) / power)
        contrast = self._tile_max(np.abs(cv2.blur(residual, (3, 3))))
        return _Measures(shifts[0], shifts[1], contrast)

    def _would_notice(self, limits: Float32Array) -> BoolArray:
        """Return the tiles in which each of the injected signals exceeds its limit. limits: (3, rows, columns)."""
        shift = _SHIFT_PX * _PASSED / GRID
        noticed = self._inject(self._long * (1 + self._patch)).contrast > limits[2]
        for index, (dx, dy) in enumerate(((shift, 0.0), (0.0, shift))):
            move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
            size = self._grid[::-1]
            shifted = cv2.warpAffine(self._long, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            noticed &= self._inject(np.asarray(shifted, np.float32))[index] > limits[index]
        return np.asarray(noticed, np.bool_)

    def _inject(self, picture: Float32Array) -> _Measures:
        """Return what would have been measured of `picture`. A camera gives whole levels, so it is rounded first."""
        return self._measure(np.rint(picture) - self._long)

    def _tile_means(self, plane: Float32Array) -> Float32Array:
        means: Float32Array = self._blocks(plane).mean(axis=(1, 3), dtype=np.float32)
        return means

    def _tile_max(self, plane: Float32Array) -> Float32Array:
        highest: Float32Array = self._blocks(plane).max(axis=(1, 3))
        return highest

    def _blocks(self, plane: Float32Array) -> Float32Array:
        rows, columns = self._tiles
        padding = ((0, rows * _TILE - self._grid[0]), (0, columns * _TILE - self._grid[1]))
        return np.pad(plane, padding, mode="edge").reshape(rows, _TILE, columns, _TILE)

    def _expand(self, tiles: Float32Array) -> Float32Array:
        full = np.repeat(np.repeat(tiles, _TILE, axis=0), _TILE, axis=1)
        return full[: self._grid[0], : self._grid[1]]

    def _cells(self, tiles: BoolArray) -> Mask:
        full = np.repeat(np.repeat(tiles.astype(np.uint8) * np.uint8(255), _TILE, axis=0), _TILE, axis=1)
        return np.ascontiguousarray(full[: self._grid[0], : self._grid[1]])
