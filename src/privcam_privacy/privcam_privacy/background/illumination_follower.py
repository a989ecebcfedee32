"""Decides when the clean plate follows a change of the illumination, and by how much.

The plate behind people cannot be averaged. So that it does not lag, the whole plate follows the change that is seen in
the open part of the room.
"""

import cv2

from privcam_core.types.arrays import Image, Mask
from privcam_privacy.background.illumination import IlluminationChange

# A quiet room is followed with this time constant, the same with which the plate learns.
AVERAGE_S = 1.5
# With people in the room, a change is followed only when it has lasted this long, and with this time constant: most
# cameras change their exposure for a dark coat, although the room is as bright as before.
_OCCUPIED_S = 60.0
# A smaller mean change, in levels, counts as none.
_MIN_CHANGE_LEVELS = 0.5
# The change is applied this often, because applying it is the one costly step.
_PERIOD_S = 0.5


class IlluminationFollower:
    """Follows the illumination of one room. changing: the illumination differs from that of the plate now."""

    def __init__(self) -> None:
        self._elapsed_s = 0.0
        self._changing_s = 0.0
        self.changing = False

    def update(
        self, change: IlluminationChange, plate: Image, open_ground: Mask, *, quiet: bool, step: float
    ) -> IlluminationChange | None:
        """Return the part of `change` to apply to the plate now, or None.

        change: from the plate to this frame. plate: (h, w, 3) on the grid. open_ground: cells from which the change was
        estimated. quiet: nobody is in the room and nothing moves. step: s since the last frame.
        """
        self._elapsed_s += step
        if self._elapsed_s < _PERIOD_S:
            return None
        gap = cv2.absdiff(change.apply(plate), plate)
        self.changing = cv2.mean(gap, mask=open_ground)[0] > _MIN_CHANGE_LEVELS
        self._changing_s = self._changing_s + self._elapsed_s if self.changing else 0.0
        weight = min(1.0, self._elapsed_s / (AVERAGE_S if quiet else _OCCUPIED_S))
        self._elapsed_s = 0.0
        if not self.changing or (not quiet and self._changing_s < _OCCUPIED_S):
            return None
        return change.scale(weight)
