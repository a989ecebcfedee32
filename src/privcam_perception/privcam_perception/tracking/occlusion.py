"""Finds boxes that overlap other boxes, and so show more than one person."""

import numpy as np

from privcam_core.types.arrays import BoolArray, FloatArray
from privcam_core.types.boxes import areas, intersections

# A box that another box covers by more than this fraction shows two persons: its descriptor is not stored.
_MAX_OVERLAP = 0.3


def isolated(boxes: FloatArray) -> BoolArray:
    """Return (N,) True where no other box covers more than _MAX_OVERLAP of the box, (N, 4) px."""
    covered = intersections(boxes, boxes) / areas(boxes)[:, None]
    np.fill_diagonal(covered, 0)
    return np.asarray(covered.max(axis=1, initial=0) <= _MAX_OVERLAP)


def overlap_any(boxes: FloatArray, others: FloatArray) -> BoolArray:
    """Return (N,) whether a box overlaps any other box by more than _MAX_OVERLAP of the smaller one of the two.

    boxes: (N, 4) px. others: (M, 4) px.
    """
    smaller = np.minimum(areas(boxes)[:, None], areas(others)[None])
    return np.asarray((intersections(boxes, others) > _MAX_OVERLAP * smaller).any(axis=1))
