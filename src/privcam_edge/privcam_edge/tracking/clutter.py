"""What the detector takes for a faint person although nobody is there: chairs, coats, a bed.

A lying person scores no more than a chair. What tells them apart is that the chair was there before anybody came.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privcam_core.types.boxes import iou
from privcam_core.types.perception import Box

_NS_PER_S = 1e9
# Two boxes are of the same thing from this IoU on.
_SAME = 0.5
# A thing is known after it was found for so long in all, as often as this, and until it was not found for so long.
_KNOWN_S, _KNOWN_TIMES, _FORGOTTEN_S = 0.5, 3, 60.0
# So many are remembered, those that were found last: a picture full of noise must not take the time of people.
MOST = 200


@dataclass
class _Thing:
    box: Box
    first: int
    last: int
    times: int = 1


class Clutter:
    """Remembers boxes that no track took."""

    def __init__(self) -> None:
        self._things: list[_Thing] = []

    def known(self, boxes: npt.NDArray[np.floating], stamp_ns: int) -> npt.NDArray[np.bool_]:
        """Return (N,) whether a box, (N, 4) px, is of a thing that was there before."""
        old = [
            thing.box
            for thing in self._things
            if thing.times >= _KNOWN_TIMES and stamp_ns - thing.first >= _KNOWN_S * _NS_PER_S
        ]
        if not old or not len(boxes):
            return np.zeros(len(boxes), np.bool_)
        return np.asarray(iou(boxes, np.array(old)).max(axis=1) >= _SAME)

    def add(self, boxes: npt.NDArray[np.floating], stamp_ns: int) -> None:
        """Remember boxes, (N, 4) px, that no track took in this frame."""
        self._things = [thing for thing in self._things if stamp_ns - thing.last <= _FORGOTTEN_S * _NS_PER_S]
        held = np.array([thing.box for thing in self._things]).reshape(-1, 4)
        overlap = np.asarray(iou(boxes, held)) if len(held) else np.zeros((len(boxes), 0))
        for box, shared in zip(boxes, overlap, strict=True):
            found = int(np.argmax(shared)) if len(shared) else -1
            x0, y0, x1, y1 = map(float, box)
            if found >= 0 and shared[found] >= _SAME:
                thing = self._things[found]
                thing.box, thing.last, thing.times = (x0, y0, x1, y1), stamp_ns, thing.times + 1
            else:
                self._things.append(_Thing((x0, y0, x1, y1), stamp_ns, stamp_ns))
        self._things = sorted(self._things, key=lambda thing: (thing.last, thing.times))[-MOST:]
