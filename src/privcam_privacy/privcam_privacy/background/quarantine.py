"""Regions where a person was lost from sight without leaving: nothing there becomes background by waiting.

A person who lies still and is no longer detected looks exactly like background that was just uncovered. Only three
things open such a region again: the background that was proven before is seen there, the person is found again and
seen to move away, or an operator approves. So it is with what the inspection found in a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from privcam_core.types.arrays import Box
from privcam_core.types.perception import Track, TrackState
from privcam_privacy.background.clean_plate import CleanPlate
from privcam_privacy.background.exclusion_masks import GRID, FloatArray, Margins, Mask, Unsafe, cells, grid_shape, minus

# The same background must be seen for this long before a pixel is released.
_SEEN_S = 1.0
# A detector that blinks loses people for less than this. Until then nothing is learnt in the region, but the plate
# from before the person came is still shown; after that it is withheld.
_GRACE_S = 3.0
# A subject number that is never given: they count from 1.
NOBODY = 0
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
    """A region with a lost person in it.

    owner: the subject, or who was found in its place. part: the rows and columns of the grid that it takes up.
    pending: the cells of that part that are still closed.
    """

    owner: int
    part: tuple[slice, slice]
    pending: Mask
    age_s: float = 0.0
    found: bool = False


class Quarantine:
    """Remembers where people were lost. shape: (H, W) of the picture. All masks are grid masks.

    blocked: nothing is learnt here. withheld: nor is it shown what was known before.
    """

    def __init__(self, shape: tuple[int, int], margins: Margins) -> None:
        self._shape = shape
        self._grid = grid_shape(shape)
        self._margins = margins
        self._sights: dict[int, _Sight] = {}
        self._ages: dict[int, int] = {}  # of every subject that was ever confirmed, when it last was
        self._lost: list[_Lost] = []
        self._seen_s: FloatArray = np.zeros(self._grid, np.float32)
        self._join()

    def update(self, tracks: Sequence[Track], dt: float) -> None:
        """Open and close cases from the tracks of this frame, before it is absorbed. dt: s since the last frame."""
        confirmed = {track.subject_id: track for track in tracks if track.state == TrackState.CONFIRMED}
        if any(track.age < self._ages.get(subject, 0) for subject, track in confirmed.items()):
            self._disown()
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
        self._ages.update({subject: track.age for subject, track in confirmed.items()})
        self._join()

    def release(self, kept: Mask, unsafe: Unsafe, plate: CleanPlate, tracks: Sequence[Track], dt: float) -> None:
        """Open what may be opened, after a frame was absorbed. kept: cells that kept their plate value."""
        seen = cv2.bitwise_and(kept, plate.proven)
        self._seen_s[seen == 0] = 0.0
        cv2.add(self._seen_s, dt, dst=self._seen_s, mask=seen)
        self._open(cv2.compare(self._seen_s, _SEEN_S, cv2.CMP_GE))

        boxes = {track.subject_id: track.box for track in tracks if track.state == TrackState.CONFIRMED}
        for case in self._lost:
            if case.found and case.owner in boxes:
                left_behind = np.zeros(self._grid, np.uint8)
                left_behind[case.part] = case.pending
                left_behind[self._part(boxes[case.owner])] = 0
                left_behind = minus(left_behind, cv2.bitwise_or(unsafe.persons, plate.proven))
                plate.doubt(left_behind)
                case.pending[left_behind[case.part] > 0] = 0
        self._join()

    def add(self, where: Mask) -> None:
        """Close cells in which somebody may be whom no track knows: a finding of the inspection, or of a memory."""
        count, labels, stats, _ = cv2.connectedComponentsWithStats(where, connectivity=8)
        for number, (x, y, w, h, _) in enumerate(stats[1:count].tolist(), start=1):
            part = slice(y, y + h), slice(x, x + w)
            pending = np.where(labels[part] == number, np.uint8(255), np.uint8(0))
            self._seen_s[part][pending > 0] = 0.0
            self._lost.append(_Lost(NOBODY, part, pending, age_s=_GRACE_S))
        self._join()

    def approve(self, where: Mask) -> None:
        """Open what an operator has looked at and found free of people. where: grid mask."""
        self._open(where)
        self._join()

    def _look_for(self, case: _Lost, confirmed: dict[int, Track]) -> None:
        """Find the lost person again: the same subject, or one that was never seen before and appears right there.

        Somebody known who walks up to the place is not the person who was lost in it.
        """
        if case.owner in confirmed:
            case.found = True
            return
        rows, columns = case.part
        for subject, track in confirmed.items():
            x, y = (track.box[0] + track.box[2]) / 2 / GRID, (track.box[1] + track.box[3]) / 2 / GRID
            inside = columns.start <= x < columns.stop and rows.start <= y < rows.stop
            if subject not in self._ages and inside and case.pending[int(y) - rows.start, int(x) - columns.start]:
                case.owner, case.found = subject, True
                return

    def _disown(self) -> None:
        """Forget who is who: the tracker has started anew and gives the numbers of the old people to others.

        Whoever was in sight is lost, and nobody is found by number who was lost before.
        """
        for subject, sight in self._sights.items():
            if not left_picture(sight.box, sight.velocity, sight.longest, self._shape):
                self._open_case(subject, sight.box)
        self._sights.clear()
        self._ages.clear()
        for case in self._lost:
            case.owner, case.found = NOBODY, False

    def _open_case(self, subject: int, box: Box) -> None:
        part = self._part(box)
        self._seen_s[part] = 0.0
        # Lost anew: what was left of the same person's last place is no longer about to be left.
        for case in self._lost:
            if case.owner == subject:
                case.found = False
        self._lost.append(_Lost(subject, part, np.full(self._seen_s[part].shape, 255, np.uint8)))

    def _open(self, where: Mask) -> None:
        for case in self._lost:
            case.pending[where[case.part] > 0] = 0

    def _part(self, box: Box) -> tuple[slice, slice]:
        return cells(self._margins.widen(box, self._shape[0]), self._grid)

    def _join(self) -> None:
        self._lost = [case for case in self._lost if case.pending.any()]
        self.blocked: Mask = np.zeros(self._grid, np.uint8)
        self.withheld: Mask = np.zeros(self._grid, np.uint8)
        for case in self._lost:
            self.blocked[case.part] |= case.pending
            if case.age_s >= _GRACE_S:
                self.withheld[case.part] |= case.pending


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
