"""What was known of the room before a restart, and whether the camera still sees it.

Nothing that is remembered is shown before the view was compared. What is compared is the part of the picture where
nobody may be.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from privcam_privacy.background.exclusion_masks import BoolArray, Mask, any_to_grid, from_grid, minus, share, to_grid
from privcam_privacy.background.illumination import difference, light_change
from privcam_privacy.plates.view_check import ViewCheck

# The view must match for this long before the memory counts, and is forgotten when it did not for that long.
_MATCH_S, _GIVE_UP_S = 1.0, 10.0
# With less of the remembered background in sight than this share of the picture nothing is decided.
_SIGHT_SHARE = 0.2
# A cell still shows what it did when it is within this many levels of it, after the change of light.
_LEVELS = 20.0


@dataclass(frozen=True, eq=False)
class Remembered:
    """picture: (H, W, 3) uint8, valid where validity (H, W) is set. quarantined: (H, W), where somebody was lost."""

    picture: npt.NDArray[np.uint8]
    validity: BoolArray
    quarantined: BoolArray


class Recall:
    """Compares what is remembered with what is seen, until that is decided.

    `decided` is set then. All masks are grid masks.
    """

    def __init__(self, memory: Remembered) -> None:
        self._memory = memory
        self._small = to_grid(memory.picture)
        # A cell counts as known where all of it is.
        self._known: Mask = cv2.bitwise_not(any_to_grid(~memory.validity))
        self._check = ViewCheck(memory.picture, memory.validity)
        self._matched_s = 0.0
        self._missed_s = 0.0
        self.decided = not self._known.any()

    def update(self, frame: npt.NDArray[np.uint8], safe: Mask, dt: float) -> tuple[npt.NDArray[np.uint8], Mask] | None:
        """Return the remembered picture in today's light and where it holds, once the view has matched for long enough.

        frame: (H, W, 3), overwritten wherever somebody may be. safe: the cells of it that are not. dt: s since the
        last frame. Where people stand now, what was proven before they came holds too.
        """
        in_sight = cv2.bitwise_and(safe, self._known)
        if share(in_sight) < _SIGHT_SHARE:
            return None
        same = self._check(frame, from_grid(cv2.bitwise_not(safe), frame.shape[:2]) > 0)
        if same is None:
            return None
        self._matched_s = self._matched_s + dt if same else 0.0
        self._missed_s = 0.0 if same else self._missed_s + dt
        self.decided = self._matched_s >= _MATCH_S or self._missed_s >= _GIVE_UP_S
        if self._matched_s < _MATCH_S:
            return None
        small = to_grid(frame)
        change = light_change(small, self._small, in_sight)
        wrong = cv2.compare(difference(small, change.apply(self._small)), _LEVELS, cv2.CMP_GT)
        return change.apply(self._memory.picture), minus(self._known, cv2.bitwise_and(wrong, in_sight))
