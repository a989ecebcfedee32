"""The approved pictures of the empty room as background: the one that agrees with the camera now, in today's light.

Every value comes from an approved picture, through a smooth change of illumination. No pixel of a frame ever becomes a
value. So a person who is not noticed is not shown: the picture of the empty room is shown in that place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from privcam_core.types.arrays import BoolArray, Float64Array, Image, Mask
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
from privcam_privacy.background.illumination import difference, estimate_illumination_change
from privcam_privacy.plates.view_check import ViewCheck

# A cell agrees with an approved picture when it is within this many levels of it, after the change of illumination.
_AGREEING_LEVELS = 20
# A state is used when at least this fraction of it that is in sight agrees.
_MIN_AGREEING_FRACTION = 0.5
# With less of a state in sight than this fraction of the picture, nothing is decided.
_MIN_SIGHT_FRACTION = 0.2
# The exposure of the whole picture may differ from the approved one by this factor.
_MAX_EXPOSURE = 2.0
# The states are compared this often until one agrees, s.
_PERIOD_S = 0.25


@dataclass(frozen=True, eq=False)
class ApprovedState:
    """A state of the room that an operator approved, e.g. by day or with the lamp on.

    picture: (H, W, 3) uint8, with meaning where `confirmed` (H, W) is set.
    """

    name: str
    picture: Image
    confirmed: BoolArray


class _State:
    def __init__(self, state: ApprovedState) -> None:
        self.name = state.name
        self.picture = state.picture
        self.small = to_grid(state.picture)
        # A cell is approved where all of its pixels are.
        self.approved: Mask = complement(any_to_grid(~state.confirmed))
        self.view = ViewCheck(state.picture, state.confirmed)


class ApprovedBackground:
    """The commissioned states of one camera that have the size `shape` (H, W). All masks are grid masks.

    name: the state that is used now; "" while none agrees. known: the cells of it that are approved, except those that
    the inspection has found a person in.
    """

    def __init__(self, shape: tuple[int, int], states: Sequence[ApprovedState]) -> None:
        self._states = [_State(state) for state in states if state.confirmed.shape == shape]
        self._shape = shape
        self._used: _State | None = None
        self._distrusted: Mask = np.zeros(grid_shape(shape), np.uint8)
        self._waited_s = _PERIOD_S
        self.known: Mask = np.zeros(grid_shape(shape), np.uint8)

    @property
    def name(self) -> str:
        """The state that is used now; "" without one."""
        return self._used.name if self._used else ""

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
            in_sight = intersect(safe, state.approved)
            if fraction(in_sight) < _MIN_SIGHT_FRACTION or state.view.check(frame, hidden) is False:
                continue
            gap = difference(small, _light(state.small, state.small, small, in_sight))
            agreeing = fraction(intersect(in_sight, cv2.compare(gap, _AGREEING_LEVELS, cv2.CMP_LE)))
            if agreeing >= best * fraction(in_sight):
                best, self._used = agreeing / fraction(in_sight), state
        if self._used is None:
            return None
        self.known = subtract(self._used.approved, self._distrusted)
        return self.light(small, intersect(safe, self.known))

    def light(self, small: Image, where: Mask) -> Image:
        """Return the approved picture, (H, W, 3), in the illumination of `small` (h, w, 3), estimated in `where`."""
        assert self._used is not None
        return _light(self._used.picture, self._used.small, small, where)

    def release(self) -> None:
        """Use no state, until one agrees."""
        self._used = None
        self._waited_s = _PERIOD_S
        self.known = np.zeros_like(self.known)

    def distrust(self, where: Mask) -> None:
        """Use nothing in `where`: the inspection found a person there."""
        self._distrusted = union(self._distrusted, where)
        self.known = subtract(self.known, where)

    def trust(self, where: Mask) -> None:
        """Use the cells in `where` again: an operator inspected them. The state is selected anew."""
        self._distrusted = subtract(self._distrusted, where)
        self.release()


def _light(picture: Image, before: Image, now: Image, where: Mask) -> Image:
    """Return `picture` after the change of exposure and illumination from `before` to `now`, read in `where`."""
    if not cv2.countNonZero(where):
        return picture.copy()
    ratio = np.asarray(cv2.mean(now, mask=where)[:3]) / np.maximum(cv2.mean(before, mask=where)[:3], 1.0)
    exposure = np.clip(ratio, 1 / _MAX_EXPOSURE, _MAX_EXPOSURE)
    exposed, small = _expose(picture, exposure), _expose(before, exposure)
    return estimate_illumination_change(now, small, where).apply(exposed)


def _expose(picture: Image, exposure: Float64Array) -> Image:
    exposed: Image = cv2.convertScaleAbs(picture * exposure.astype(np.float32))
    return exposed
