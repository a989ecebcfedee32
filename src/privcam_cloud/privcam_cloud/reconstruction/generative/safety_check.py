"""Checks every generated picture before it is shown, with the detectors that inspect environments at the edge.

Checked, each time and on the exact picture:
- Every pixel outside of where the model may paint is that of Ī. Ī itself passed the edge's inspection.
- Nothing in it looks like a face. The detector also fires on the plain heads that are painted over what the model
  makes of a head; what lies in these by half has no features, and is none.
- Nothing in it looks like a person but where a subject is: nobody is added.

Not checked: whether a painted body, its clothes or things in its hands are like the subject's. They cannot be taken
from the subject, because nothing that the model gets has seen it; they are made up. Nor whether the posture was
painted right. The detectors are those of the edge and miss what those miss.
"""

from collections.abc import Sequence

import numpy as np

from privcam_cloud.reconstruction.generative.pose_conditioning import PoseCondition
from privcam_core.detection.inspection import EgressInspector
from privcam_core.types.arrays import BoolArray, Box, Image
from privcam_core.types.boxes import pixel_region

# A detected face is a plain head if this fraction of its box is. Of a face no less than half would be hidden by it.
_MIN_PLAIN = 0.5
# A detected person is one of the subjects if this fraction of its box lies in their bodies' boxes. A box
# around two people who stand apart contains the space between them.
_MIN_SHARED = 0.5
# A body's box is widened by this fraction of its height on all sides: detectors are not exact, and people wear clothes.
_WIDENED = 0.1


class SafetyCheck:
    """Checks generated pictures of one camera. Not for several threads at once."""

    def __init__(self, threads: int = 1) -> None:
        """Load the detectors. threads: processor cores. Raises: ModelError where one is missing."""
        self._inspect = EgressInspector(threads=threads)

    def find_fault(
        self,
        picture: Image,
        environment: Image,
        confirmed_mask: BoolArray,
        paintable: BoolArray,
        conditions: Sequence[PoseCondition],
    ) -> str:
        """Return what is wrong with a picture, in a few words; empty if it may be shown.

        picture, environment: (H, W, 3) uint8 BGR. validity, paintable: (H, W) bool.
        """
        if picture.shape != environment.shape or picture.dtype != np.uint8:
            return f"it is {picture.dtype} of shape {picture.shape}, the room has {environment.shape}"
        if (picture != environment).any(axis=2)[~paintable].any():
            return "it changes the room outside of where people are"
        heads, subjects = _plain(conditions, paintable), _subjects(conditions, paintable.shape)
        for detection in self._inspect.inspect_pixels(picture, confirmed_mask | paintable):
            explained, min_fraction = (heads, _MIN_PLAIN) if detection.kind == "face" else (subjects, _MIN_SHARED)
            # What lies in grey alone is a shape of nothing but fill.
            if detection.confirmed_fraction > 0 and _fraction(detection.box, explained) < min_fraction:
                x0, y0, x1, y1 = (round(v) for v in detection.box)
                who = "a face" if detection.kind == "face" else "a person where no subject is"
                return f"it shows {who}, at {x0}, {y0} to {x1}, {y1} px, score {detection.score:.2f}"
        return ""


def _plain(conditions: Sequence[PoseCondition], paintable: BoolArray) -> BoolArray:
    """Return (H, W) True where a head was painted over."""
    heads = np.zeros_like(paintable)
    for condition in conditions:
        heads |= condition.head & paintable
    return heads


def _subjects(conditions: Sequence[PoseCondition], shape: tuple[int, ...]) -> BoolArray:
    """Return (H, W) True in the boxes of those who were to be painted."""
    boxes = np.zeros(shape, np.bool_)
    for condition in conditions:
        x0, y0, x1, y1 = pixel_region(_box(condition.body), *boxes.shape)
        boxes[y0:y1, x0:x1] = True
    return boxes


def _fraction(box: Box, explained: BoolArray) -> float:
    """Return the fraction of a box that is True in `explained`."""
    x0, y0, x1, y1 = pixel_region(box, *explained.shape)
    return float(explained[y0:y1, x0:x1].mean()) if x1 > x0 and y1 > y0 else 0.0


def _box(body: BoolArray) -> Box:
    """Return the widened box around a body, (H, W) bool with at least one pixel."""
    rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
    wide = _WIDENED * float(rows[-1] - rows[0] + 1)
    return float(columns[0]) - wide, float(rows[0]) - wide, float(columns[-1]) + 1 + wide, float(rows[-1]) + 1 + wide
