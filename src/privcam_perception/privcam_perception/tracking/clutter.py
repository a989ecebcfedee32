"""Finds static objects that the detector takes for a low-confidence person: chairs, coats, a bed.

A lying person scores no more than a chair. The difference is that the chair was there before the person came.
"""

from dataclasses import dataclass

import numpy as np

from privcam_core.types.arrays import BoolArray, Box, FloatArray
from privcam_core.types.boxes import iou
from privcam_core.types.time import NS_PER_S

# Two boxes show the same object from this IoU on.
_SAME_OBJECT_IOU = 0.5
# An object counts as clutter when its first box is this old …
_CLUTTER_AGE_S = 0.5
# … and when it was detected this often.
_CLUTTER_DETECTIONS = 3
# An object that was not detected for this long is dropped.
_DROPPED_AFTER_S = 60.0
# Most objects that are stored, the last detected ones: a picture full of noise must not take time from the persons.
MAX_OBJECTS = 200


@dataclass
class _StaticObject:
    """box: px. first, last: stamps of the first and the last detection, ns. detections: how many there were."""

    box: Box
    first: int
    last: int
    detections: int = 1


class Clutter:
    """Stores the boxes that no track took, and tells which boxes show an object that was there before."""

    def __init__(self) -> None:
        self._objects: list[_StaticObject] = []

    def contains(self, boxes: FloatArray, stamp_ns: int) -> BoolArray:
        """Return (N,) whether a box, (N, 4) px, shows an object that was there before."""
        old = [
            item.box
            for item in self._objects
            if item.detections >= _CLUTTER_DETECTIONS and stamp_ns - item.first >= _CLUTTER_AGE_S * NS_PER_S
        ]
        if not old or not len(boxes):
            return np.zeros(len(boxes), np.bool_)
        return np.asarray(iou(boxes, np.array(old)).max(axis=1) >= _SAME_OBJECT_IOU)

    def add(self, boxes: FloatArray, stamp_ns: int) -> None:
        """Store the boxes, (N, 4) px, that no track took in this frame."""
        self._objects = [item for item in self._objects if stamp_ns - item.last <= _DROPPED_AFTER_S * NS_PER_S]
        stored = np.array([item.box for item in self._objects]).reshape(-1, 4)
        overlaps = np.asarray(iou(boxes, stored)) if len(stored) else np.zeros((len(boxes), 0))
        for box, overlap in zip(boxes, overlaps, strict=True):
            best = int(np.argmax(overlap)) if len(overlap) else -1
            x0, y0, x1, y1 = map(float, box)
            if best >= 0 and overlap[best] >= _SAME_OBJECT_IOU:
                item = self._objects[best]
                item.box, item.last, item.detections = (x0, y0, x1, y1), stamp_ns, item.detections + 1
            else:
                self._objects.append(_StaticObject((x0, y0, x1, y1), stamp_ns, stamp_ns))
        self._objects = sorted(self._objects, key=lambda item: (item.last, item.detections))[-MAX_OBJECTS:]
