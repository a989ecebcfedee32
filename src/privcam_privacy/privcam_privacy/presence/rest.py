"""How far somebody who rests may reach beyond the box that a network drew around them.

A cell beside a person who walks is background if it stays as it is: a part of the person would move along. Beside
somebody who rests it may as well be a leg that the box cut off, and no waiting tells the two apart.
"""

from collections import deque

from privcam_core.types.arrays import Box

# Somebody rests when all boxes of so long, s, have a point in common. A walker leaves the own place in half of it.
_WINDOW_S = 2.0
# Boxes of people who lie end at the knees or at a hand, so that as much again as half of the box is missing. A box of
# nothing but the upper half would need 1.0, which takes 13 points of the demo clip (0.5: 3 points).
_REACH = 0.5


class Rest:
    """The boxes of one body, of the last _WINDOW_S in which it was seen."""

    def __init__(self) -> None:
        self._boxes: deque[tuple[float, Box]] = deque()

    def update(self, seconds: float, box: Box) -> None:
        """Take the newest box, px, and its time."""
        self._boxes.append((seconds, box))
        while self._boxes[0][0] < seconds - _WINDOW_S:
            self._boxes.popleft()

    @property
    def reach(self) -> Box | None:
        """Where parts of the body may be, px, all its boxes together and half as far again. None while it walks."""
        if not self._boxes:
            return None
        left, top, right, bottom = zip(*(box for _, box in self._boxes), strict=True)
        if max(left) >= min(right) or max(top) >= min(bottom):
            return None
        x0, y0, x1, y1 = min(left), min(top), max(right), max(bottom)
        length = _REACH * max(x1 - x0, y1 - y0)
        return x0 - length, y0 - length, x1 + length, y1 + length
