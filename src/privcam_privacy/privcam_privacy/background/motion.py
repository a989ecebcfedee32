"""Detects motion and foreground: evidence of people that no detector gave.

The motion detector reads pixels that turn out to be excluded, but its only output is a region. It decides where the
plate may not learn, and never which values the plate has. It does not read where people are known to be, so the look
of a known person has no influence even on the learning around that person.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from privcam_core.types.arrays import Box, Float32Array, Image, Mask
from privcam_privacy.background.grid import (
    above,
    box_cells,
    complement,
    count_cells,
    dilate,
    fill_bodies,
    intersect,
    subtract,
    to_grid,
    union,
)
from privcam_privacy.background.illumination import difference, estimate_illumination_change
from privcam_privacy.background.person_regions import Hold

# Sensor and compression noise is averaged over this many cells (width, height). People are larger.
_BLUR = (3, 3)
# Of the 9 cells around a cell, this many must differ. The remaining noise consists of single cells.
_MIN_DIFFERING_NEIGHBOURS = 3
# A suspect box moves when more than this fraction of it differs ...
_MOVING_FRACTION = 0.01
# ... and more than this many cells: a hand or a head.
_MOVING_CELLS = 4
# The threshold of motion, in multiples of the typical (median) frame difference.
_NOISE_FACTOR = 6.0
# A smaller difference, in levels, is never motion.
_MIN_LEVELS = 10.0
# A larger difference, in levels, is always motion, however noisy the camera is.
_MAX_LEVELS = 30.0
# Time constant of the noise estimate, s.
_NOISE_TIME_S = 2.0
# A shadow, a reflection or another exposure changes background by less than this many levels; another object by more.
_CHANGED_LEVELS = 35.0
# Noise is larger in dark and textured parts, and zero in overexposed parts. So it is measured in tiles: columns, rows.
_NOISE_TILES = (10, 8)
# A tile counts at most this multiple of the noise of the whole picture. Otherwise a restless person would be taken for
# noise.
_MAX_LOCAL_NOISE = 2.0
# Ratio of the median of a frame difference to its mean.
_MEDIAN_OF_MEAN = 0.85
# A tile gives an estimate when more than this fraction of it may be read.
_MIN_TILE_FRACTION = 0.5
# Compression and a trembling camera change a pixel in proportion to the texture around it, with this factor.
_TEXTURE_FACTOR = 0.25


@dataclass(frozen=True, eq=False)
class Motion:
    """The result of the motion detector; all fields are grid masks.

    moving: the differing cells, their surroundings, and everything that moved within the hold.
    differing: moved in this frame, or is foreground. changed: foreground that no change of illumination explains.
    moved: the part of `differing` that differs from the last frame.
    """

    moving: Mask
    differing: Mask
    changed: Mask
    moved: Mask


class MotionDetector:
    """Frame differences, and foreground against the plate. hold_s: a cell stays moving this long after it moved."""

    def __init__(self, shape: tuple[int, int], *, hold_s: float) -> None:
        self._hold = Hold(shape, hold_s)
        self._previous: Image | None = None
        self._previous_unread: Mask | None = None
        self._noise = 1.0
        self._local_noise: Float32Array = np.ones(_NOISE_TILES[::-1], np.float32)

    def update(
        self, image: Image, plate: Image, known: Mask, persons: Mask, suspects: Sequence[Box], dt: float
    ) -> Motion:
        """Return the motion and the foreground of this frame outside of `persons`.

        image: (H, W, 3). plate: (h, w, 3), the background on the grid. known: cells where the plate has a value.
        persons: cells of people. suspects: boxes (px); a box moves as a whole when a body part moves in it.
        dt: s since the last frame.
        """
        small: Image = cv2.blur(to_grid(image), _BLUR)
        # The blur carries the content of `persons` one cell outwards; the texture of the blurred picture one more cell.
        people = dilate(persons, 2)
        if self._previous is None or self._previous_unread is None:
            # There is no earlier frame to compare with: every cell may be moving.
            step, unread = np.zeros_like(persons), np.full_like(persons, 255)
        else:
            step, unread = difference(small, self._previous), union(people, self._previous_unread)
        threshold = self._threshold(step, unread, dt)
        textured = small if self._previous is None else self._previous
        stepped = subtract(_above_threshold(step, threshold, textured), unread)
        self._previous, self._previous_unread = small, people

        comparable = subtract(cv2.erode(known, np.ones(_BLUR, np.uint8)), people)
        background = cv2.blur(plate, _BLUR)
        background = estimate_illumination_change(small, background, comparable).apply(background)
        gap = difference(small, background)
        foreground = intersect(_above_threshold(gap, threshold, background), comparable)
        changed = intersect(foreground, above(gap, _CHANGED_LEVELS))
        differing = _remove_specks(union(foreground, stepped))

        moving = fill_bodies(differing)
        found, sizes = count_cells(differing, suspects)
        for number in np.flatnonzero(found > np.maximum(_MOVING_CELLS, _MOVING_FRACTION * sizes)):
            moving[box_cells(suspects[number], moving.shape)] = 255
        # A cell that could not be compared is excluded now, but it is no evidence of motion, so it is not held.
        held = union(self._hold.update(moving, dt), subtract(unread, persons))
        return Motion(held, differing, changed, intersect(stepped, differing))

    def _threshold(self, step: Image, unread: Mask, dt: float) -> Float32Array:
        """Return the differences above which a cell moves, (h, w) levels. Updates the estimate of the noise."""
        readable = step[::2, ::2][unread[::2, ::2] == 0]
        if readable.size:
            weight = min(1.0, dt / _NOISE_TIME_S)
            self._noise += weight * (float(np.median(readable)) - self._noise)
            in_tile = cv2.resize(complement(unread), _NOISE_TILES, interpolation=cv2.INTER_AREA) / np.float32(255)
            bounded = subtract(cv2.min(step, int(_MAX_LEVELS)), unread)
            mean = cv2.resize(bounded, _NOISE_TILES, interpolation=cv2.INTER_AREA)
            usable = in_tile > _MIN_TILE_FRACTION
            measured = _MEDIAN_OF_MEAN * mean[usable] / in_tile[usable]
            self._local_noise[usable] += weight * (measured - self._local_noise[usable])
        noise = np.clip(self._local_noise, self._noise, _MAX_LOCAL_NOISE * self._noise)
        levels = np.clip(_NOISE_FACTOR * noise, _MIN_LEVELS, _MAX_LEVELS).astype(np.float32)
        threshold: Float32Array = cv2.resize(levels, step.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return threshold


def _above_threshold(gap: Image, threshold: Float32Array, picture: Image) -> Mask:
    """Return where `gap` (h, w) is above `threshold` (h, w), in levels. Texture of `picture` raises the threshold."""
    ranges = cv2.split(cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, np.ones(_BLUR, np.uint8)))
    texture = cv2.max(cv2.max(ranges[0], ranges[1]), ranges[2])
    limit: Image = cv2.addWeighted(texture, _TEXTURE_FACTOR, threshold, 1.0, 0.0, dtype=cv2.CV_8U)
    return above(gap, limit)


def _remove_specks(mask: Mask) -> Mask:
    """Return the cells of which enough neighbours are in `mask`."""
    around = cv2.boxFilter(mask, cv2.CV_16U, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE)
    return above(around, 255 * _MIN_DIFFERING_NEIGHBOURS - 1)
