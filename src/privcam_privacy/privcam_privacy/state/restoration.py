"""Decides whether the background from before a restart still holds, by comparing the view of the camera.

No restored background is published before the view was compared. Only the part of the picture in which nobody may be is
compared.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from privcam_core.types.arrays import BoolArray, Image, Mask
from privcam_privacy.background.grid import (
    above,
    any_to_grid,
    complement,
    fill_bodies,
    fraction,
    from_grid,
    intersect,
    to_grid,
)
from privcam_privacy.background.illumination import difference, relight
from privcam_privacy.plates.view_check import ViewCheck

# With less of the stored background in sight than this fraction of the picture, nothing is decided.
_MIN_SIGHT_FRACTION = 0.2
# The state is used when the view has matched for this long ...
_MATCH_S = 1.0
# ... and dropped when the view has not matched, or cannot be judged, for this long.
_GIVE_UP_S = 10.0
# A cell shows the same as before when it is within this many levels of it, after the change of illumination.
_SAME_LEVELS = 20.0


@dataclass(frozen=True, eq=False)
class BackgroundState:
    """What is stored of one camera.

    picture: (H, W, 3) uint8, the last published background, with meaning where `confirmed` (H, W) is set.
    presences: (H, W), where a person may be.
    """

    picture: Image
    confirmed: BoolArray
    presences: BoolArray


class RestoredBackground(NamedTuple):
    """The stored picture, (H, W, 3), in the illumination of now, the grid mask of the cells where it is known, and of
    the bodies of those that show something else now: the background behind them is the stored one.
    """

    picture: Image
    cells: Mask
    contradicting: Mask


class Restoration:
    """Compares the stored background with the frames, until the comparison is decided; then `decided` is set.

    All masks are grid masks.
    """

    def __init__(self, state: BackgroundState) -> None:
        self._state = state
        self._small = to_grid(state.picture)
        # A cell counts as known where all of its pixels are.
        self._known: Mask = complement(any_to_grid(~state.confirmed))
        self._view = ViewCheck(state.picture, state.confirmed)
        self._matched_s = 0.0
        self._missed_s = 0.0
        self.decided = fraction(self._known) < _MIN_SIGHT_FRACTION

    def update(self, frame: Image, safe: Mask, dt: float) -> RestoredBackground | None:
        """Return the restored background once the view has matched for long enough, else None.

        frame: (H, W, 3), overwritten wherever a person may be. safe: the cells that are not overwritten. dt: s since
        the last frame. Where people stand now, the stored background holds too: it was confirmed before they came.
        Nothing is known of the background of another view, and nobody knows where in it the people of before are.
        """
        in_sight = intersect(safe, self._known)
        if fraction(in_sight) < _MIN_SIGHT_FRACTION:
            return None
        same = self._view.check(frame, from_grid(complement(safe), frame.shape[:2]) > 0)
        self._matched_s = self._matched_s + dt if same else 0.0
        self._missed_s = 0.0 if same else self._missed_s + dt
        if self._missed_s >= _GIVE_UP_S:
            self.decided = True
            nothing = np.zeros_like(safe)
            return RestoredBackground(frame, nothing, complement(nothing) if self._state.presences.any() else nothing)
        if self._matched_s < _MATCH_S:
            return None
        self.decided = True
        small = to_grid(frame)
        wrong = above(difference(small, relight(self._small, self._small, small, in_sight)), _SAME_LEVELS)
        wrong = cv2.morphologyEx(intersect(wrong, in_sight), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        lit = relight(self._state.picture, self._small, small, in_sight)
        return RestoredBackground(lit, self._known, fill_bodies(wrong))
