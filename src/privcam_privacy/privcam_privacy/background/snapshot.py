"""The environment as it was last published, and the decision when to publish a new one.

A picture has some hundred kilobytes. So background that is gained is published in steps, and background that is no
longer confirmed is withdrawn at once. Steps happen at fixed times of the clock, not after a delay since the last step:
the time of a step gives nothing away about a single pixel.
"""

import cv2
import numpy as np

from privcam_core.images.environment import FILL
from privcam_core.types.arrays import Image, Mask
from privcam_core.types.time import NS_PER_S
from privcam_privacy.background.grid import complement, intersect

# Newly confirmed background is published from this fraction of the picture on ...
_GROWN_FRACTION = 0.005
# ... and known background when a tile of it changed by this many levels on average.
_CHANGED_LEVELS = 3.0
# Side of a tile, px.
_TILE = 32


class Snapshot:
    """The published picture.

    picture: (H, W, 3) uint8, FILL where not confirmed. confirmed: (H, W) mask. epoch: counts the changes, from 1.
    step_s: time between two steps. epoch (parameter): the first one.
    """

    def __init__(self, shape: tuple[int, int], *, step_s: float, epoch: int) -> None:
        self._step_ns = int(step_s * NS_PER_S)
        self._last_step = -1
        self.picture: Image = np.full((*shape, 3), FILL, np.uint8)
        self.confirmed: Mask = np.zeros(shape, np.uint8)
        self.epoch = epoch
        self._new = True

    def restart(self, epoch: int) -> None:
        """Publish nothing, and go on with `epoch`."""
        self.picture[:] = FILL
        self.confirmed[:] = 0
        self.epoch = epoch
        self._new = True

    def update(self, plate: Image, confirmed: Mask, stamp_ns: int) -> bool:
        """Take over the changes that are due, and return whether the picture changed.

        plate: (H, W, 3) background estimate. confirmed: (H, W) mask of the pixels that may be published.
        """
        changed = self._withdraw(intersect(self.confirmed, complement(confirmed)))
        step = stamp_ns // self._step_ns
        if step != self._last_step:
            self._last_step = step
            changed |= self._renew(plate, confirmed)
        first, self._new = self._new, False
        self.epoch += changed and not first
        return changed or first

    def _withdraw(self, suspect: Mask) -> bool:
        """Replace the pixels in `suspect` by FILL, and return whether there were any."""
        if not cv2.countNonZero(suspect):
            return False
        self.picture[suspect > 0] = FILL
        self.confirmed[suspect > 0] = 0
        return True

    def _renew(self, plate: Image, confirmed: Mask) -> bool:
        """Copy the plate if enough of it is new, and return whether it was copied."""
        gained = cv2.countNonZero(confirmed) - cv2.countNonZero(self.confirmed)
        if gained < _GROWN_FRACTION * confirmed.size and not self._is_outdated(plate, confirmed):
            return False
        self.picture = cv2.copyTo(plate, confirmed, np.full_like(plate, FILL))
        self.confirmed = confirmed.copy()
        return True

    def _is_outdated(self, plate: Image, confirmed: Mask) -> bool:
        both = intersect(self.confirmed, confirmed)
        gap = cv2.copyTo(cv2.absdiff(plate, self.picture), both)
        tiles = (max(1, gap.shape[1] // _TILE), max(1, gap.shape[0] // _TILE))
        return bool(cv2.resize(gap, tiles, interpolation=cv2.INTER_AREA).max() >= _CHANGED_LEVELS)
