"""The quarantine: regions where a person was lost from sight without leaving the picture.

A person who lies still and is no longer detected looks exactly like background that was just uncovered. So nothing in
such a region becomes background by waiting. Only three events open a region again: the background that was confirmed
before is seen there; the person is found again and then seen to move away; or an operator approves the region. The
quarantine treats regions that the inspection found in a picture in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from privcam_core.types.arrays import Box, Float32Array, Mask
from privcam_core.types.perception import Track, TrackState
from privcam_privacy.background.clean_plate import CleanPlate
from privcam_privacy.background.exclusion_masks import ExclusionMasks, Margins
from privcam_privacy.background.grid import GRID, box_cells, grid_shape, intersect, subtract, union

# The same background must be seen for this long before a cell is released.
_SEEN_AGAIN_S = 1.0
# The detector misses people for less than this. Until then nothing is learnt in the region, but the plate from before
# the person came is still published; after that it is withheld.
_GRACE_S = 3.0
# A subject number that is never given: they count from 1.
NO_SUBJECT = 0
# A person leaves the picture when the box touches its border (within this fraction of the picture's side) ...
_BORDER_FRACTION = 0.03
# ... and moves towards the border by at least this fraction of the box's own size per second, or ...
_LEAVING_SPEED = 0.15
# ... when at most this fraction of the size that the box had on this track is still visible.
_STRIP_FRACTION = 0.5


@dataclass
class _LastSeen:
    """The last time that a track was confirmed. max_size: the largest width and height that its box had, px."""

    box: Box
    velocity: tuple[float, float, float, float]
    max_size: tuple[float, float]


@dataclass
class _Case:
    """A region with a lost person in it.

    subject_id: of the person, or of the person who was found in the same place. part: the rows and columns of the grid
    that the region takes up. closed: the cells of that part that are still closed. found: the person was found again.
    """

    subject_id: int
    part: tuple[slice, slice]
    closed: Mask
    age_s: float = 0.0
    found: bool = False


class Quarantine:
    """Holds the regions where people were lost. shape: (H, W) of the picture. All masks are grid masks.

    blocked: nothing is learnt here. withheld: the earlier background is not published here either.
    """

    def __init__(self, shape: tuple[int, int], margins: Margins) -> None:
        self._shape = shape
        self._grid = grid_shape(shape)
        self._margins = margins
        self._last_seen: dict[int, _LastSeen] = {}
        # Of every subject that was ever confirmed: the age of the track when it last was.
        self._ages: dict[int, int] = {}
        self._cases: list[_Case] = []
        self._seen_again_s: Float32Array = np.zeros(self._grid, np.float32)
        self._merge_cases()

    def update(self, tracks: Sequence[Track], dt: float) -> None:
        """Open and close cases from the tracks of this frame, before it is absorbed. dt: s since the last frame."""
        confirmed = {track.subject_id: track for track in tracks if track.state == TrackState.CONFIRMED}
        if any(track.age < self._ages.get(subject_id, 0) for subject_id, track in confirmed.items()):
            self._reset_subjects()
        for case in self._cases:
            case.age_s += dt
            self._find_again(case, confirmed)
        for subject_id in [subject_id for subject_id in self._last_seen if subject_id not in confirmed]:
            seen = self._last_seen.pop(subject_id)
            if not left_picture(seen.box, seen.velocity, seen.max_size, self._shape):
                self._open_case(subject_id, seen.box)
        for subject_id, track in confirmed.items():
            before = self._last_seen.get(subject_id)
            width, height = track.box[2] - track.box[0], track.box[3] - track.box[1]
            max_size = (max(width, before.max_size[0]), max(height, before.max_size[1])) if before else (width, height)
            self._last_seen[subject_id] = _LastSeen(track.box, track.velocity, max_size)
        self._ages.update({subject_id: track.age for subject_id, track in confirmed.items()})
        self._merge_cases()

    def release(
        self, kept: Mask, exclusion: ExclusionMasks, plate: CleanPlate, tracks: Sequence[Track], dt: float
    ) -> None:
        """Open the cells that may be opened, after a frame was absorbed. kept: cells that kept their plate value."""
        seen = intersect(kept, plate.confirmed)
        self._seen_again_s[seen == 0] = 0.0
        cv2.add(self._seen_again_s, dt, dst=self._seen_again_s, mask=seen)
        self._release_cells(cv2.compare(self._seen_again_s, _SEEN_AGAIN_S, cv2.CMP_GE))

        boxes = {track.subject_id: track.box for track in tracks if track.state == TrackState.CONFIRMED}
        for case in self._cases:
            if case.found and case.subject_id in boxes:
                left_behind = np.zeros_like(kept)
                left_behind[case.part] = case.closed
                left_behind[self._part(boxes[case.subject_id])] = 0
                left_behind = subtract(left_behind, union(exclusion.persons, plate.confirmed))
                plate.restart_unconfirmed(left_behind)
                case.closed[left_behind[case.part] > 0] = 0
        self._merge_cases()

    def add(self, where: Mask) -> None:
        """Close cells with a person whom no track knows: from the inspection, or from the state before a restart."""
        count, labels, stats, _ = cv2.connectedComponentsWithStats(where, connectivity=8)
        for number, (x, y, w, h, _) in enumerate(stats[1:count].tolist(), start=1):
            part = slice(y, y + h), slice(x, x + w)
            closed = np.where(labels[part] == number, np.uint8(255), np.uint8(0))
            self._seen_again_s[part][closed > 0] = 0.0
            self._cases.append(_Case(NO_SUBJECT, part, closed, age_s=_GRACE_S))
        self._merge_cases()

    def approve(self, where: Mask) -> None:
        """Open the cells in `where` (grid mask): an operator found them free of people."""
        self._release_cells(where)
        self._merge_cases()

    def _find_again(self, case: _Case, confirmed: dict[int, Track]) -> None:
        """Find the lost person again: the same subject, or a subject that first appears in the region itself.

        A known subject that walks up to the region is not the person who was lost in it.
        """
        if case.subject_id in confirmed:
            case.found = True
            return
        rows, columns = case.part
        for subject_id, track in confirmed.items():
            x, y = (track.box[0] + track.box[2]) / 2 / GRID, (track.box[1] + track.box[3]) / 2 / GRID
            inside = columns.start <= x < columns.stop and rows.start <= y < rows.stop
            if subject_id not in self._ages and inside and case.closed[int(y) - rows.start, int(x) - columns.start]:
                case.subject_id, case.found = subject_id, True
                return

    def _reset_subjects(self) -> None:
        """Forget all subject numbers: the tracker restarted and gives the numbers of earlier people to others.

        Every person who was in sight counts as lost. A person who was lost before can no longer be found by number.
        """
        for subject_id, seen in self._last_seen.items():
            if not left_picture(seen.box, seen.velocity, seen.max_size, self._shape):
                self._open_case(subject_id, seen.box)
        self._last_seen.clear()
        self._ages.clear()
        for case in self._cases:
            case.subject_id, case.found = NO_SUBJECT, False

    def _open_case(self, subject_id: int, box: Box) -> None:
        part = self._part(box)
        self._seen_again_s[part] = 0.0
        # The person is lost again, so earlier cases of the same person wait again.
        for case in self._cases:
            if case.subject_id == subject_id:
                case.found = False
        self._cases.append(_Case(subject_id, part, np.full(self._seen_again_s[part].shape, 255, np.uint8)))

    def _release_cells(self, where: Mask) -> None:
        for case in self._cases:
            case.closed[where[case.part] > 0] = 0

    def _part(self, box: Box) -> tuple[slice, slice]:
        return box_cells(self._margins.widen(box, self._shape[0]), self._grid)

    def _merge_cases(self) -> None:
        """Drop the cases that are open, and compute both masks from the others."""
        self._cases = [case for case in self._cases if case.closed.any()]
        self.blocked: Mask = np.zeros(self._grid, np.uint8)
        self.withheld: Mask = np.zeros(self._grid, np.uint8)
        for case in self._cases:
            self.blocked[case.part] |= case.closed
            if case.age_s >= _GRACE_S:
                self.withheld[case.part] |= case.closed


def left_picture(
    box: Box, velocity: tuple[float, float, float, float], max_size: tuple[float, float], shape: tuple[int, int]
) -> bool:
    """Return whether a person who was last seen in `box` was walking out of a picture of `shape` (H, W).

    box: px. velocity: as in `Track`, px/s. max_size: the largest width and height that the box had, px.
    """
    height, width = shape
    x0, y0, x1, y1 = box
    size = (x1 - x0, y1 - y0)
    reach = (_BORDER_FRACTION * width, _BORDER_FRACTION * height)
    outwards = (
        (x0 <= reach[0], -velocity[0], 0),
        (x1 >= width - reach[0], velocity[0], 0),
        (y0 <= reach[1], -velocity[1], 1),
        (y1 >= height - reach[1], velocity[1], 1),
    )
    return any(
        touches and (speed >= _LEAVING_SPEED * size[axis] or size[axis] <= _STRIP_FRACTION * max_size[axis])
        for touches, speed, axis in outwards
    )
