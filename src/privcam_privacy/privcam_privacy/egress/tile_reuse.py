"""Reuses the tiles of the last published picture where the new plate is nearly equal to them.

The plate is refined all the time, by a level here and there. Each such change would give a new picture to inspect and
to send, of a room that looks the same.
"""

import numpy as np
import numpy.typing as npt

from privcam_core.types.arrays import BoolArray, Image

# Side of a tile, px.
SIDE = 16
# In a tile that is nearly equal, no pixel differs by more than this many levels ...
MAX_LEVELS = 10
# ... and the mean difference is at most this many levels. Two levels are 40 dB, less than a camera's own noise.
MAX_MEAN_LEVELS = 2.0


class TileReuse:
    """Holds the last published value of every pixel. Not safe for several threads at once."""

    def __init__(self) -> None:
        self._published: Image | None = None
        self._known: BoolArray = np.zeros((0, 0), np.bool_)

    def apply(self, plate: Image, confirmed: BoolArray) -> Image:
        """Return the plate, (H, W, 3) uint8, with earlier published tiles wherever they are nearly equal.

        confirmed: (H, W), where the plate is confirmed background. Only these pixels are compared and replaced.
        """
        if self._published is None or self._known.shape != confirmed.shape:
            return plate.copy()
        both = confirmed & self._known
        gap = np.abs(plate.astype(np.int16) - self._published).max(axis=2) * both
        count = _tiles(both).sum(axis=(1, 3))
        equal = _tiles(gap).max(axis=(1, 3)) <= MAX_LEVELS
        equal &= _tiles(gap).sum(axis=(1, 3)) <= MAX_MEAN_LEVELS * count
        reused = equal.repeat(SIDE, axis=0).repeat(SIDE, axis=1)[: both.shape[0], : both.shape[1]] & both
        return np.where(reused[..., None], self._published, plate)

    def store(self, plate: Image, confirmed: BoolArray) -> None:
        """Store the picture that is published now. Pixels that are withheld keep their earlier value."""
        if self._published is None or self._known.shape != confirmed.shape:
            self._published, self._known = plate.copy(), confirmed.copy()
            return
        self._published[confirmed] = plate[confirmed]
        self._known |= confirmed


def _tiles(plane: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Return (rows, SIDE, columns, SIDE) of an (H, W) plane, padded with zeros."""
    height, width = plane.shape
    rows, columns = -(-height // SIDE), -(-width // SIDE)
    padded = np.zeros((rows * SIDE, columns * SIDE), np.int64)
    padded[:height, :width] = plane
    return padded.reshape(rows, SIDE, columns, SIDE)
