"""A picture that differs from what was shown before only where the room does.

The plate is refined all the time, by a level here and there. Every such change would be a new picture to inspect and
to send, of a room that looks the same. So what was shown last at a place is shown again while it is as good as equal.
"""

import numpy as np
import numpy.typing as npt

from privcam_privacy.background.exclusion_masks import BoolArray

Image = npt.NDArray[np.uint8]

# Places are squares of so many px.
SIDE = 16
# As good as equal: no pixel differs by more levels than this, nor a place by more on average. Two levels on average are
# 40 dB, below what a camera's own noise does.
MOST, MEAN = 10, 2.0


class Steady:
    """Remembers what was shown at every place. Not for several threads at once."""

    def __init__(self) -> None:
        self._shown: Image | None = None
        self._known: BoolArray = np.zeros((0, 0), np.bool_)

    def __call__(self, plate: Image, validity: BoolArray) -> Image:
        """Return the plate, (H, W, 3) uint8, with what was shown before wherever that is as good as equal.

        validity: (H, W) where the plate is confirmed background; only there is anything compared or taken over.
        """
        if self._shown is None or self._known.shape != validity.shape:
            return plate.copy()
        both = validity & self._known
        apart = np.abs(plate.astype(np.int16) - self._shown).max(axis=2) * both
        amount = _squares(both).sum(axis=(1, 3))
        alike = (_squares(apart).max(axis=(1, 3)) <= MOST) & (_squares(apart).sum(axis=(1, 3)) <= MEAN * amount)
        kept = alike.repeat(SIDE, axis=0).repeat(SIDE, axis=1)[: both.shape[0], : both.shape[1]] & both
        return np.where(kept[..., None], self._shown, plate)

    def remember(self, plate: Image, validity: BoolArray) -> None:
        """Take note of what is shown now; what is hidden now was shown as it was."""
        if self._shown is None or self._known.shape != validity.shape:
            self._shown, self._known = plate.copy(), validity.copy()
            return
        self._shown[validity] = plate[validity]
        self._known |= validity


def _squares(plane: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Return (rows, SIDE, columns, SIDE) of an (H, W) plane, which is filled up with zeros."""
    height, width = plane.shape
    rows, columns = -(-height // SIDE), -(-width // SIDE)
    full = np.zeros((rows * SIDE, columns * SIDE), np.int64)
    full[:height, :width] = plane
    return full.reshape(rows, SIDE, columns, SIDE)
