"""Arithmetic of boxes x0, y0, x1, y1 in px."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]


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


def clip_region(box: Sequence[float] | FloatArray, height: int, width: int) -> tuple[int, int, int, int]:
    """Return the pixels x0, y0, x1, y1 that a box touches inside the picture. Empty where x1 <= x0 or y1 <= y0."""
    x0, y0, x1, y1 = (float(v) for v in box)
    return (
        int(np.clip(np.floor(x0), 0, width)),
        int(np.clip(np.floor(y0), 0, height)),
        int(np.clip(np.ceil(x1), 0, width)),
        int(np.clip(np.ceil(y1), 0, height)),
    )
