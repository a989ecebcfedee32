"""Regions where a person was lost from sight without leaving: nothing there becomes background by waiting.

A person who lies still and is no longer detected looks exactly like background that was just uncovered. Only three
things open such a region again: the background that was proven before is seen there, the person is found again and
seen to move away, or an operator approves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from privcam_core.perception import Box, Track, TrackState
from privcam_edge.privacy.clean_plate import CleanPlate
from privcam_edge.privacy.unsafe import GRID, FloatArray, Margins, Mask, Unsafe, cells, grid_shape, minus

# The same background must be seen for this long before a pixel is released.
_SEEN_S = 1.0
# A detector that blinks loses people for less than this. Until then nothing is learnt in the region, but the plate
# from before the person came is still shown; after that it is withheld.
_GRACE_S = 3.0
# A person leaves the picture when the box touches its border (within this share of the picture's side) ...
_BORDER_SHARE = 0.03
# ... and moves towards it by at least this share of the box's own size a second, or ...
_LEAVING_SPEED = 0.15
# ... only this share of the size that the box had on this track is still to be seen.
_STRIP_SHARE = 0.5


@dataclass
class _Sight:
    """The last time that a track was confirmed. longest: the largest width and height that its box had, px."""

    box: Box
    velocity: tuple[float, float, float, float]
    longest: tuple[float, float]


@dataclass
class _Lost:
    """A region with a lost person in it. owner: the subject, or who was found in its place. pending: still closed."""

    owner: int
    pending: Mask
    seen_s: FloatArray
    age_s: float = 0.0
    found: bool = False


class Quarantine:
    """Remembers where people were lost. shape: (H, W) of the picture. All masks are grid masks.

    blocked: nothing is learnt here. withheld: nor is it shown what was known before.
    """

    def __init__(self, shape: tuple[int, int], margins: Margins) -> None:
        self._shape = shape
        self._margins = margins
        self._sights: dict[int, _Sight] = {}
        self._known: set[int] = set()
        self._lost: list[_Lost] = []
        self._join()

    def update(self, tracks: Sequence[Track], dt: float) -> None:
        """Open and close cases from the tracks of this frame, before it is absorbed. dt: s since the last frame."""
        confirmed = {track.subject_id: track for track in tracks if track.state == TrackState.CONFIRMED}
        for case in self._lost:
            case.age_s += dt
            self._look_for(case, confirmed)
        for subject in [subject for subject in self._sights if subject not in confirmed]:
            sight = self._sights.pop(subject)
            if not left_picture(sight.box, sight.velocity, sight.longest, self._shape):
                self._open_case(subject, sight.box)
        for subject, track in confirmed.items():
            before = self._sights.get(subject)
            width, height = track.box[2] - track.box[0], track.box[3] - track.box[1]
            longest = (max(width, before.longest[0]), max(height, before.longest[1])) if before else (width, height)
            self._sights[subject] = _Sight(track.box, track.velocity, longest)
        self._known.update(confirmed)
        self._join()

    def release(self, kept: Mask, unsafe: Unsafe, plate: CleanPlate, tracks: Sequence[Track], dt: float) -> None:
        """Open what may be opened, after a frame was absorbed. kept: cells that kept their plate value."""
        seen = cv2.bitwise_and(kept, plate.proven)
        boxes = {track.subject_id: track.box for track in tracks if track.state == TrackState.CONFIRMED}
        for case in self._lost:
            case.seen_s[seen == 0] = 0.0
            cv2.add(case.seen_s, dt, dst=case.seen_s, mask=cv2.bitwise_and(case.pending, seen))
            case.pending[case.seen_s >= _SEEN_S] = 0
            if case.found and case.owner in boxes:
                person = cv2.bitwise_or(unsafe.persons, self._region(boxes[case.owner]))
                left_behind = minus(case.pending, cv2.bitwise_or(person, plate.proven))
                plate.doubt(left_behind)
                case.pending[left_behind > 0] = 0
        self._lost = [case for case in self._lost if cv2.countNonZero(case.pending)]
        self._join()

    def approve(self, where: Mask) -> None:
        """Open what an operator has looked at and found free of people. where: grid mask."""
        for case in self._lost:
            case.pending[where > 0] = 0
        self._lost = [case for case in self._lost if cv2.countNonZero(case.pending)]
        self._join()

    def _look_for(self, case: _Lost, confirmed: dict[int, Track]) -> None:
        """Find the lost person again: the same subject, or one that was never seen before and appears right there.

        Somebody known who walks up to the place is not the person who was lost in it.
        """
        if case.owner in confirmed:
            case.found = True
            return
        for subject, track in confirmed.items():
            x, y = (track.box[0] + track.box[2]) / 2, (track.box[1] + track.box[3]) / 2
            inside = (
                0 <= x < self._shape[1] and 0 <= y < self._shape[0] and case.pending[int(y) // GRID, int(x) // GRID]
            )
            if subject not in self._known and inside:
                case.owner, case.found = subject, True
                return

    def _open_case(self, subject: int, box: Box) -> None:
        region = self._region(box)
        for case in self._lost:
            if case.owner == subject:
                cv2.bitwise_or(case.pending, region, dst=case.pending)
                case.seen_s[region > 0] = 0.0
                case.found = False
                return
        if cv2.countNonZero(region):
            self._lost.append(_Lost(subject, region, np.zeros(region.shape, np.float32)))

    def _region(self, box: Box) -> Mask:
        region = np.zeros(grid_shape(self._shape), np.uint8)
        region[cells(self._margins.widen(box, self._shape[0]), region.shape)] = 255
        return region

    def _join(self) -> None:
        self.blocked: Mask = np.zeros(grid_shape(self._shape), np.uint8)
        self.withheld: Mask = np.zeros(grid_shape(self._shape), np.uint8)
        for case in self._lost:
            cv2.bitwise_or(self.blocked, case.pending, dst=self.blocked)
            if case.age_s >= _GRACE_S:
                cv2.bitwise_or(self.withheld, case.pending, dst=self.withheld)


def left_picture(
    box: Box, velocity: tuple[float, float, float, float], longest: tuple[float, float], shape: tuple[int, int]
) -> bool:
    """Return whether a person last seen in `box` was walking out of a picture of `shape` (H, W).

    box: px. velocity: as in `Track`, px/s. longest: the largest width and height that the box had, px.
    """
    height, width = shape
    x0, y0, x1, y1 = box
    size = (x1 - x0, y1 - y0)
    reach = (_BORDER_SHARE * width, _BORDER_SHARE * height)
    outwards = (
        (x0 <= reach[0], -velocity[0], 0),
        (x1 >= width - reach[0], velocity[0], 0),
        (y0 <= reach[1], -velocity[1], 1),
        (y1 >= height - reach[1], velocity[1], 1),
    )
    return any(
        touches and (speed >= _LEAVING_SPEED * size[axis] or size[axis] <= _STRIP_SHARE * longest[axis])
        for touches, speed, axis in outwards
    )
