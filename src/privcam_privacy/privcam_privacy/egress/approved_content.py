"""Tells what an operator approved from what somebody may have got into the picture of a commissioned room."""

from collections.abc import Sequence

from privcam_core.types.arrays import BoolArray, Box, Image
from privcam_core.types.boxes import pixel_slices
from privcam_privacy.background.grid import above, any_to_grid, complement, from_grid, to_grid, union
from privcam_privacy.background.illumination import difference
from privcam_privacy.evidence.approved_background import ApprovedState, RoomState

# What is shown is the approved picture when all of its cells are within this many levels of it, in the light of now.
# Published tiles may be ten levels old.
_LEVELS = 12


class ApprovedContent:
    """The approved pictures of one camera. Furniture in them that resembles a person was seen by an operator."""

    def __init__(self, states: Sequence[ApprovedState]) -> None:
        self._states = [RoomState(state) for state in states]

    def covers(self, plate: Image, confirmed: BoolArray, boxes: Sequence[Box]) -> list[bool]:
        """Return of each box (px) whether all that a picture shows in it is an approved picture, in another light.

        plate: (H, W, 3) uint8. confirmed: (H, W). The light is a smooth surface, read in all that the picture shows.
        """
        others = self._others(plate, confirmed) if boxes else []
        parts = [pixel_slices(box, *confirmed.shape) for box in boxes]
        return [any(not other[part].any() for other in others) for part in parts]

    def _others(self, plate: Image, confirmed: BoolArray) -> list[BoolArray]:
        """Return, for each approved picture of that size, where another thing is shown, (H, W)."""
        small, shown = to_grid(plate), complement(any_to_grid(~confirmed))
        others = []
        for state in self._states:
            if state.picture.shape == plate.shape:
                differing = above(difference(small, state.light(small, shown)), _LEVELS)
                other = from_grid(union(differing, complement(state.approved)), confirmed.shape)
                others.append((other > 0) & confirmed)
        return others
