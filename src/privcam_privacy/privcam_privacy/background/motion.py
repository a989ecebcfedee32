"""What moved, or is not the background that was seen here: the evidence of people that no detector gave.

It looks at pixels that turn out to be unsafe, but its only output is a region that nobody reads: it decides *where*
the plate may not learn, never *what* it shows. It does not look where people are known to be, so what they look like
does not even change when their surroundings are learnt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.types.perception import Box
from privcam_privacy.background.exclusion_masks import (
    FloatArray,
    Hold,
    Mask,
    bodies,
    cells,
    counts,
    grown,
    minus,
    to_grid,
)
from privcam_privacy.background.illumination import difference, light_change

# Sensor and compression noise is averaged out over this many cells; people are larger.
_BLUR = (3, 3)
# Of the 9 cells around a cell, this many must differ: what is left of the noise comes as single cells.
_NEIGHBOURS = 3
# A suspect box moves when this share of it does, and at least so many cells: a hand or a head.
_MOVING_SHARE, _MOVING_CELLS = 0.01, 4
# Threshold in multiples of the typical (median) frame difference. A difference below the first number of
# levels is never motion, and one above the second always is, however noisy the camera.
_NOISE_FACTOR = 6.0
_LEAST_LEVELS, _MOST_LEVELS = 10.0, 30.0
_NOISE_MEMORY_S = 2.0
# A shadow, a reflection or another exposure changes background by less than this, another thing by more.
_CHANGED_LEVELS = 35.0
# Dark and textured parts are noisier than the rest, overexposed ones have no noise: so it is measured in these tiles
# (columns, rows), and counts up to this many times what it is in the whole picture. Without that bound somebody who
# fidgets would be taken for noise. The second number turns a mean difference into a median one.
_NOISE_TILES, _MOST_LOCAL, _MEDIAN_OF_MEAN = (10, 8), 2.0, 0.85
# Compression and a camera that trembles change a pixel in proportion to the texture around it.
_TEXTURE_FACTOR = 0.25


@dataclass(frozen=True, eq=False)
class Motion:
    """Grid masks. disagrees: moved or foreground now. changed: foreground that no change of light explains.

    moving: what disagrees, its surroundings, and what moved in the hold.
    """

    moving: Mask
    disagrees: Mask
    changed: Mask


class MotionDetector:
    """Frame differences and foreground against the plate. hold_s: a cell that moved stays moving this long."""

    def __init__(self, shape: tuple[int, int], *, hold_s: float) -> None:
        self._hold = Hold(shape, hold_s)
        self._previous: npt.NDArray[np.uint8] | None = None
        self._unread: Mask | None = None
        self._noise = 1.0
        self._local: FloatArray = np.ones(_NOISE_TILES[::-1], np.float32)

    def update(
        self,
        image: npt.NDArray[np.uint8],
        plate: npt.NDArray[np.uint8],
        known: Mask,
        persons: Mask,
        suspects: Sequence[Box],
        dt: float,
    ) -> Motion:
        """Return what moved or disagrees in this frame outside of `persons`.

        image: (H, W, 3). plate: (h, w, 3), the background on the grid. known: cells where it has a value. persons:
        cells of people. suspects: boxes in px; one in which a body part moves is moving as a whole.
        """
        small = cv2.blur(to_grid(image), _BLUR)
        # The blur carries what is in `persons` one cell outwards, and the texture of the blurred picture one more.
        people = grown(persons, 2)
        if self._previous is None or self._unread is None:
            # Nothing to compare with yet: whatever is there may be moving.
            step, unread = np.zeros_like(persons), np.full_like(persons, 255)
        else:
            step, unread = difference(small, self._previous), cv2.bitwise_or(people, self._unread)
        threshold = self._threshold(step, unread, dt)
        stepped = minus(_beyond(step, threshold, small if self._previous is None else self._previous), unread)
        self._previous, self._unread = small, people

        comparable = minus(cv2.erode(known, np.ones(_BLUR, np.uint8)), people)
        background = cv2.blur(plate, _BLUR)
        background = light_change(small, background, comparable).apply(background)
        gap = difference(small, background)
        foreground = _beyond(gap, threshold, background)
        foreground = cv2.bitwise_and(foreground, comparable)
        changed = cv2.bitwise_and(foreground, cv2.compare(gap, _CHANGED_LEVELS, cv2.CMP_GT))
        disagrees = _without_specks(cv2.bitwise_or(foreground, stepped))

        moving = bodies(disagrees)
        found, sizes = counts(disagrees, suspects)
        for number in np.flatnonzero(found > np.maximum(_MOVING_CELLS, _MOVING_SHARE * sizes)):
            moving[cells(suspects[number], moving.shape)] = 255
        # What could not be compared is unsafe now, but is no evidence of motion that would have to be held.
        return Motion(cv2.bitwise_or(self._hold.update(moving, dt), minus(unread, persons)), disagrees, changed)

    def _threshold(self, step: npt.NDArray[np.uint8], unread: Mask, dt: float) -> FloatArray:
        """Return the levels beyond which a difference is motion, (h, w)."""
        quiet = step[::2, ::2][unread[::2, ::2] == 0]
        if quiet.size:
            weight = min(1.0, dt / _NOISE_MEMORY_S)
            self._noise += weight * (float(np.median(quiet)) - self._noise)
            share = cv2.resize(cv2.bitwise_not(unread), _NOISE_TILES, interpolation=cv2.INTER_AREA) / np.float32(255)
            mean = cv2.resize(
                minus(cv2.min(step, int(_MOST_LEVELS)), unread), _NOISE_TILES, interpolation=cv2.INTER_AREA
            )
            seen = share > 0.5
            self._local[seen] += weight * (_MEDIAN_OF_MEAN * mean[seen] / share[seen] - self._local[seen])
        noise = np.clip(self._local, self._noise, _MOST_LOCAL * self._noise)
        levels = np.clip(_NOISE_FACTOR * noise, _LEAST_LEVELS, _MOST_LEVELS).astype(np.float32)
        return cv2.resize(levels, step.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _beyond(gap: npt.NDArray[np.uint8], threshold: FloatArray, picture: npt.NDArray[np.uint8]) -> Mask:
    """Return where `gap` (h, w) is beyond `threshold` (h, w), in levels; it rises with the texture of `picture`."""
    ranges = cv2.split(cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, np.ones(_BLUR, np.uint8)))
    texture = cv2.max(cv2.max(ranges[0], ranges[1]), ranges[2])
    limit = cv2.addWeighted(texture, _TEXTURE_FACTOR, threshold, 1.0, 0.0, dtype=cv2.CV_8U)
    return cv2.compare(gap, limit, cv2.CMP_GT)


def _without_specks(mask: Mask) -> Mask:
    around = cv2.boxFilter(mask, cv2.CV_16U, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE)
    return cv2.compare(around, 255 * _NEIGHBOURS - 1, cv2.CMP_GT)
