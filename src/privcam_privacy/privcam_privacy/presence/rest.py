"""How far somebody who rests may reach beyond the box that a network drew around them.

A cell beside a person who walks is background if it stays as it is: a part of the person would move along. Beside
somebody who rests it may as well be a leg that the box cut off, and no waiting tells the two apart.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np

from privcam_core.types.arrays import Box
from privcam_core.types.boxes import intersections
from privcam_privacy.presence.extent import around, length, widen

# Somebody walks when none of the good boxes of the last _NOW_S touches one of those from _THEN_S on, s, before the
# newest one. A box that blinks between the halves of a body, or jumps to a neighbour, comes back sooner.
_NOW_S = 0.7
_THEN_S = 2.0
_WINDOW_S = 3.0
# Boxes of people who lie end at the knees or at a hand, so that as much again as half of the box is missing. Of nothing
# but one half it would be 1.0, which takes 13 points of the demo clip (0.5: 3 to 5 points); so the longest box since
# the body came to rest counts, of which there is one now and then.
_REACH = 0.5
_MAX_BOXES = 128


class Rest:
    """The boxes of one body. Good ones say whether it walks; weak ones, which may be furniture, only add to its reach.

    Times are of the presences, s. Once the body is lost, what was seen last stays.
    """

    def __init__(self) -> None:
        self._good: deque[tuple[float, Box]] = deque(maxlen=_MAX_BOXES)
        self._weak: deque[tuple[float, Box]] = deque(maxlen=_MAX_BOXES)
        self._kept: list[Box] = []
        self._longest_px = 0.0
        self._reaches: list[Box] | None = None

    def update(self, seconds: float, box: Box, *, good: bool) -> None:
        """Take the newest box of its track, px, and its time."""
        for boxes in (self._good, self._weak) if good else (self._weak,):
            while boxes and boxes[0][0] < seconds - _WINDOW_S:
                boxes.popleft()
        (self._good if good else self._weak).append((seconds, box))
        self._reaches = None
        if good:
            self._longest_px = max(self._longest_px, length(box))
            if self.walks:
                self._kept.clear()
                self._longest_px = length(box)

    def keep(self, boxes: Sequence[Box]) -> None:
        """Take boxes, px, of bodies that rest here until they are seen to walk."""
        self._reaches = None
        self._kept = [*self._kept, *(box for box in boxes if box not in self._kept)][-_MAX_BOXES:]

    @property
    def walks(self) -> bool:
        """Whether the body has left its place, as good boxes show."""
        then = [box for seconds, box in self._good if seconds <= self._good[-1][0] - _THEN_S]
        return bool(then) and not (intersections(np.array(self._newest), np.array(then)) > 0).any()

    @property
    def boxes(self) -> list[Box]:
        """All boxes of a body that rests, px; none while it walks."""
        return [*self._kept, *self._seen]

    @property
    def extent(self) -> Box | None:
        """The smallest box around them, px; None without one."""
        boxes = self.boxes
        return around(boxes) if boxes else None

    @property
    def reaches(self) -> list[Box]:
        """Where parts of the body may be: its boxes together, px, and half as far again as it is long.

        It is as long as its longest good box since it rests; where good boxes show one half of it and then the other,
        as long as both.
        """
        if self._reaches is None:
            self._reaches = [widen(box, _REACH * length(box)) for box in self._kept]
            if seen := self._seen:
                newest = [around(self._newest)] if self._good else []
                self._reaches.append(
                    widen(around(seen), _REACH * max(self._longest_px, *map(length, [*newest, *seen])))
                )
        return self._reaches

    @property
    def _seen(self) -> list[Box]:
        return [] if self.walks else [box for _, box in (*self._good, *self._weak)]

    @property
    def _newest(self) -> list[Box]:
        return [box for seconds, box in self._good if seconds >= self._good[-1][0] - _NOW_S]
