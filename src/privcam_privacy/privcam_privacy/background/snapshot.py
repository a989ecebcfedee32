"""The environment as it was last sent, and when it has to be sent anew.

A picture is some hundred kilobytes, so background that is gained is sent in steps; background that is no longer sure
is taken back at once. Steps fall on fixed times of the clock, not a delay after the last one: so the time of a step
tells nothing about what happened at a single pixel.
"""

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.images.environment import FILL
from privcam_privacy.background.exclusion_masks import Mask

# Confirmed background is worth a new picture from this share of the picture on ...
_GROWN_SHARE = 0.005
# ... and known background when any tile of it changed by this many levels on average.
_CHANGED_LEVELS = 3.0
_TILE = 32
NS = 1_000_000_000


class Snapshot:
    """picture: (H, W, 3) uint8, FILL where not valid. valid: (H, W) mask. epoch: counts the changes, from 1."""

    def __init__(self, shape: tuple[int, int], *, step_s: float, epoch: int) -> None:
        self._step_ns = int(step_s * NS)
        self._last_step = -1
        self.picture: npt.NDArray[np.uint8] = np.full((*shape, 3), FILL, np.uint8)
        self.valid: Mask = np.zeros(shape, np.uint8)
        self.epoch = epoch
        self._new = True

    def update(self, plate: npt.NDArray[np.uint8], confirmed: Mask, stamp_ns: int) -> bool:
        """Take over what has to be taken over and return whether the picture changed."""
        changed = self._withdraw(cv2.bitwise_and(self.valid, cv2.bitwise_not(confirmed)))
        step = stamp_ns // self._step_ns
        if step != self._last_step:
            self._last_step = step
            changed |= self._renew(plate, confirmed)
        first, self._new = self._new, False
        self.epoch += changed and not first
        return changed or first

    def _withdraw(self, suspect: Mask) -> bool:
        if not cv2.countNonZero(suspect):
            return False
        self.picture[suspect > 0] = FILL
        self.valid[suspect > 0] = 0
        return True

    def _renew(self, plate: npt.NDArray[np.uint8], confirmed: Mask) -> bool:
        gained = cv2.countNonZero(confirmed) - cv2.countNonZero(self.valid)
        if gained < _GROWN_SHARE * confirmed.size and not self._aged(plate, confirmed):
            return False
        self.picture = cv2.copyTo(plate, confirmed, np.full_like(plate, FILL))
        self.valid = confirmed.copy()
        return True

    def _aged(self, plate: npt.NDArray[np.uint8], confirmed: Mask) -> bool:
        both = cv2.bitwise_and(self.valid, confirmed)
        gap = cv2.copyTo(cv2.absdiff(plate, self.picture), both)
        tiles = (max(1, gap.shape[1] // _TILE), max(1, gap.shape[0] // _TILE))
        return bool(cv2.resize(gap, tiles, interpolation=cv2.INTER_AREA).max() >= _CHANGED_LEVELS)
