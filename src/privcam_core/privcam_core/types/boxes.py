"""Arithmetic of boxes x0, y0, x1, y1 in px, and the pixels that a box covers."""

from collections.abc import Sequence
from math import ceil, floor, isfinite

import numpy as np

from privcam_core.types.arrays import FloatArray, Region


def intersections(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return (N, M) common areas in px² of boxes a (N, 4) and b (M, 4)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.asarray(np.prod(np.clip(high - low, 0, None), axis=2))


def areas(boxes: FloatArray) -> FloatArray:
    """Return (N,) areas in px² of boxes (N, 4)."""
    return np.asarray(np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1))


def iou(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return (N, M) intersection over union in [0, 1] of boxes a (N, 4) and b (M, 4)."""
    common = intersections(a, b)
    union = areas(a)[:, None] + areas(b)[None] - common
    return np.asarray(common / np.maximum(union, np.finfo(np.float64).tiny))


def pixel_region(box: Sequence[float] | FloatArray, height: int, width: int) -> Region:
    """Return the pixels that a box touches inside a picture of height x width px: x0, y0, x1, y1, the last excluded.

    Rounds outward, so the region is never smaller than the box. Empty (x1 <= x0 or y1 <= y0) where the box lies outside
    of the picture. Privacy: a box with a number that is not finite covers the whole picture.
    """
    x0, y0, x1, y1 = (float(v) for v in box)
    if not all(isfinite(v) for v in (x0, y0, x1, y1)):
        return 0, 0, width, height
    return (
        min(max(floor(x0), 0), width),
        min(max(floor(y0), 0), height),
        min(max(ceil(x1), 0), width),
        min(max(ceil(y1), 0), height),
    )


def pixel_slices(box: Sequence[float] | FloatArray, height: int, width: int) -> tuple[slice, slice]:
    """Return (rows, columns) of `pixel_region`, to index an (H, W, ...) array. Both may be empty."""
    x0, y0, x1, y1 = pixel_region(box, height, width)
    return slice(y0, y1), slice(x0, x1)
