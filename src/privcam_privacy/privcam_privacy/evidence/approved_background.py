"""The approved pictures of the empty room as background: the one that agrees with the camera now, in today's light.

Every value comes from an approved picture, through a smooth change of illumination. No pixel of a frame ever becomes a
value. So a person who is not noticed is not shown: the picture of the empty room is shown in that place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from privcam_core.types.arrays import BoolArray, Image, Mask
from privcam_core.types.perception import Detections
from privcam_privacy.background.grid import (
    any_to_grid,
    complement,
    fraction,
    from_grid,
    grid_shape,
    intersect,
    subtract,
    to_grid,
    union,
)
from privcam_privacy.background.illumination import difference, relight
from privcam_privacy.plates.view_check import ViewCheck

# A cell agrees with an approved picture when it is within this many levels of it, after the change of illumination.
_AGREEING_LEVELS = 20
# A state is used when at least this fraction of it that is in sight agrees.
_MIN_AGREEING_FRACTION = 0.5
# With less of a state in sight than this fraction of the picture, nothing is decided.
_MIN_SIGHT_FRACTION = 0.2
# Another state takes over when it agrees in this fraction of the cells more than the one in use, for so long, s.
_OUTDONE_FRACTION = 0.05
_OUTDONE_S = 1.0
# With less of the picture differing than this, the states are not compared.
_UNEASY_FRACTION = 0.02
# The states are compared this often until one agrees, s.
_PERIOD_S = 0.25

_NOBODY = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


@dataclass(frozen=True, eq=False)
class ApprovedState:
    """A state of the room that an operator approved, e.g. by day or with the lamp on.

    picture: (H, W, 3) uint8, with meaning where `confirmed` (H, W) is set. likenesses: boxes in it that the detector
    gives although nobody is there; without them every box is taken for a person.
    """

    name: str
    picture: Image
    confirmed: BoolArray
    likenesses: Detections = _NOBODY


class RoomState:
    """An approved state on the grid. approved: its cells."""

    def __init__(self, state: ApprovedState) -> None:
        self.name = state.name
        self.picture = state.picture
        self.likenesses = state.likenesses
        self.small = to_grid(state.picture)
        # A cell is approved where all of its pixels are.
        self.approved: Mask = complement(any_to_grid(~state.confirmed))
        self.view = ViewCheck(state.picture, state.confirmed)

    def light(self, small: Image, where: Mask) -> Image:
        """Return the state on the grid, (h, w, 3), in the illumination of `small` (h, w, 3), estimated in `where`."""
        return relight(self.small, self.small, small, where)


class ApprovedBackground:
    """The commissioned states of one camera that have the size `shape` (H, W). All masks are grid masks.

    name: the state that is used now; "" while none agrees. known: the cells of it that are approved, except those that
    the inspection has found a person in.
    """

    def __init__(self, shape: tuple[int, int], states: Sequence[ApprovedState]) -> None:
        self._states = [RoomState(state) for state in states if state.confirmed.shape == shape]
        self._shape = shape
        self._used: RoomState | None = None
        self._distrusted: Mask = np.zeros(grid_shape(shape), np.uint8)
        self._waited_s = _PERIOD_S
        self._outdone_s = 0.0
        self.known: Mask = np.zeros(grid_shape(shape), np.uint8)

    @property
    def name(self) -> str:
        """The state that is used now; "" without one."""
        return self._used.name if self._used else ""

    @property
    def in_view(self) -> Sequence[RoomState]:
        """The state that is used now; without one all that may come to be used."""
        return [self._used] if self._used else self._states

    def trusted(self, state: RoomState) -> Mask:
        """Return the cells of a state that are approved, except those that the inspection has found a person in."""
        return subtract(state.approved, self._distrusted)

    def select(self, frame: Image, safe: Mask, step: float) -> Image | None:
        """Choose the state that agrees best with `frame`, and return its picture in the light of now.

        Returns None if a state is in use already, or if none agrees. frame: (H, W, 3), overwritten outside of `safe`.
        step: s since the last frame.
        """
        self._waited_s += step
        if self._used is not None or self._waited_s < _PERIOD_S:
            return None
        self._waited_s = 0.0
        small, hidden = to_grid(frame), from_grid(complement(safe), self._shape) > 0
        best = _MIN_AGREEING_FRACTION
        for state in self._states:
            agreeing = _agreement(state, small, safe)
            if agreeing is not None and agreeing >= best and state.view.check(frame, hidden) is not False:
                best, self._used = agreeing, state
        if self._used is None:
            return None
        self.known = self.trusted(self._used)
        return self.light(small, intersect(safe, self.known))

    def is_outdone(self, image: Image, where: Mask, differing: Mask, dt: float) -> bool:
        """Return whether another state has agreed clearly better with the frames for a while than the one in use.

        A lamp that brightens a part of the room is not enough for the scene to count as another one. image: (H, W, 3).
        where: the cells outside of people. differing: those that differ from the state in use. dt: s since the last
        frame.
        """
        others = [state for state in self._states if state is not self._used]
        before_s, self._outdone_s = self._outdone_s, 0.0
        if self._used is None or not others or fraction(differing) < _UNEASY_FRACTION:
            return False
        small = to_grid(image)
        now = _agreement(self._used, small, where)
        best = max(_agreement(state, small, where) or 0.0 for state in others)
        if now is not None and best >= now + _OUTDONE_FRACTION:
            self._outdone_s = before_s + dt
        return self._outdone_s >= _OUTDONE_S

    def light(self, small: Image, where: Mask) -> Image:
        """Return the approved picture, (H, W, 3), in the illumination of `small` (h, w, 3), estimated in `where`."""
        assert self._used is not None
        return relight(self._used.picture, self._used.small, small, where)

    def release(self) -> None:
        """Use no state, until one agrees."""
        self._used = None
        self._waited_s, self._outdone_s = _PERIOD_S, 0.0
        self.known = np.zeros_like(self.known)

    def distrust(self, where: Mask) -> None:
        """Use nothing in `where`: the inspection found a person there."""
        self._distrusted = union(self._distrusted, where)
        self.known = subtract(self.known, where)


def _agreement(state: RoomState, small: Image, where: Mask) -> float | None:
    """Return the fraction of the cells in `where` that agrees with the state; None with too little of it in sight."""
    in_sight = intersect(where, state.approved)
    if fraction(in_sight) < _MIN_SIGHT_FRACTION:
        return None
    gap = difference(small, state.light(small, in_sight))
    return fraction(intersect(in_sight, cv2.compare(gap, _AGREEING_LEVELS, cv2.CMP_LE))) / fraction(in_sight)
