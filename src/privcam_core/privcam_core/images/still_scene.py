"""Says in which frames of a still scene there is nothing to do."""

import numpy as np

from privcam_core.images.scene_changes import Cells, SceneChanges
from privcam_core.types.arrays import Image
from privcam_core.types.time import NS_PER_S

# A scene is still after so many seconds without a change.
STILL_AFTER_S = 10.0
# Fewer changed cells are noise; a head in the distance has more.
MIN_CELLS = 4
# Of a still scene, a frame is handled this often all the same: something may move more slowly than a cell shows.
_HANDLED_S = 0.5


class StillScene:
    """Compares each frame of a camera with the last one that was handled."""

    def __init__(self) -> None:
        self._changes = SceneChanges()
        self._handled: Cells | None = None
        self._handled_ns = 0
        self._changed_ns = 0

    def may_skip(self, image: Image, stamp_ns: int) -> bool:
        """Return whether this frame, (H, W, 3) uint8 BGR, may be skipped; otherwise it counts as handled."""
        cells = self._compare(image, stamp_ns)
        is_still = stamp_ns - self._changed_ns >= STILL_AFTER_S * NS_PER_S
        if is_still and 0 <= stamp_ns - self._handled_ns < _HANDLED_S * NS_PER_S:
            return True
        self._handled, self._handled_ns = cells, stamp_ns
        return False

    def note(self, image: Image, stamp_ns: int) -> None:
        """Take a frame that is handled in any case."""
        self._handled, self._handled_ns = self._compare(image, stamp_ns), stamp_ns

    def _compare(self, image: Image, stamp_ns: int) -> Cells:
        cells = self._changes.update(image)
        if self._handled is None or np.count_nonzero(self._changes.between(cells, self._handled)) >= MIN_CELLS:
            self._changed_ns = stamp_ns
        return cells
