"""The exclusion masks of one frame: the cells that the clean plate must not read, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from privcam_core.types.arrays import Box, Float64Array, FloatArray, Mask
from privcam_core.types.sight import Sight


@dataclass(frozen=True, eq=False)
class ExclusionMasks:
    """Everything that is known of one frame before any of its pixels is absorbed. All but the last four are grid
    masks.

    mask: no pixel in here is ever read. It contains `persons`, `differing`, everything that moved lately, and the mask
    zones.
    persons: boxes, tracks and masks of people, with their margins.
    tracked: the part of `persons` that only people on tracks account for.
    differing: outside of `persons`, differs from the plate where the plate has a value, or from the last frame.
    changed: the part of `differing` with another object than the plate, not the same object in another illumination.
    low_confidence: under a box that may not be a person. Background needs more evidence here.
    moved: the part of `differing` that differs from the last frame.
    sight: whether the camera sees well enough for anything to be confirmed.
    camera_moved: the scene became another one, and the view is not the same any more.
    other_state: another approved state of the room agrees clearly better than the one in use.
    furniture: subjects whose tracks show nothing but approved furniture: nobody is followed there.
    """

    mask: Mask
    persons: Mask
    tracked: Mask
    differing: Mask
    changed: Mask
    low_confidence: Mask
    moved: Mask
    sight: Sight = Sight.UNKNOWN
    camera_moved: bool = False
    other_state: bool = False
    furniture: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Margins:
    """How far the region of a person extends beyond the evidence.

    box: fraction of a box's size, added on each side. The boxes of NanoDet cut off feet and outstretched arms.
    pad: fraction of the picture's height, added around boxes and around masks.
    """

    box: float = 0.2
    pad: float = 0.015

    def widen(self, box: Box, height: int) -> Box:
        """Return `box` (px) with its margins, in a picture of `height` px."""
        dx = self.box * abs(box[2] - box[0]) + self.pad * height
        dy = self.box * abs(box[3] - box[1]) + self.pad * height
        return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy

    def shrink(self, box: Box, height: int) -> Box:
        """Return the box (px) of which `box` is the one with margins."""
        pad, part = self.pad * height, self.box / (1 + 2 * self.box)
        dx, dy = (part * (side - 2 * pad) + pad for side in (box[2] - box[0], box[3] - box[1]))
        return box[0] + dx, box[1] + dy, box[2] - dx, box[3] - dy

    def widen_all(self, boxes: Sequence[Box] | FloatArray, height: int) -> Float64Array:
        """Return `boxes` (N, 4) (px) with their margins, in a picture of `height` px."""
        corners = np.asarray(boxes, np.float64).reshape(-1, 4)
        # Infinite sides give NaN here, as they do in `widen`: such a box covers the whole picture.
        with np.errstate(invalid="ignore"):
            margin = self.box * np.abs(corners[:, 2:] - corners[:, :2]) + self.pad * height
            return np.concatenate([corners[:, :2] - margin, corners[:, 2:] + margin], axis=1)
