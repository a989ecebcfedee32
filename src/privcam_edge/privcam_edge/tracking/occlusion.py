"""Boxes that show somebody else too."""

import numpy as np
import numpy.typing as npt

from privcam_core.types.boxes import areas, intersections

# A box that another box covers by more than this shows two people: its descriptor is not remembered.
_SHARED = 0.3


def alone(boxes: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Return (N,) True where no other box covers more than _SHARED of the box, (N, 4) px."""
    covered = intersections(boxes, boxes) / areas(boxes)[:, None]
    np.fill_diagonal(covered, 0)
    return np.asarray(covered.max(axis=1, initial=0) <= _SHARED)


def part_of_each_other(boxes: npt.NDArray[np.floating], others: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Return (N,) whether a box, (N, 4) px, shares more than _SHARED of the smaller one with any other, (M, 4) px."""
    smaller = np.minimum(areas(boxes)[:, None], areas(others)[None])
    return np.asarray((intersections(boxes, others) > _SHARED * smaller).any(axis=1))
