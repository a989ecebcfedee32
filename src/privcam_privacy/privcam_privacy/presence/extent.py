"""How far boxes extend, px."""

from collections.abc import Sequence

from privcam_core.types.arrays import Box


def around(boxes: Sequence[Box]) -> Box:
    """Return the smallest box around all of them; there is one."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def length(box: Box) -> float:
    """Return the longer side of a box."""
    return max(box[2] - box[0], box[3] - box[1])


def widen(box: Box, px: float) -> Box:
    """Return the box with `px` more on each side."""
    return box[0] - px, box[1] - px, box[2] + px, box[3] + px
