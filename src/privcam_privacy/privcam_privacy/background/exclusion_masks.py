"""Where a person may be in one frame: everything that the clean plate must not look at.

All regions live on the grid: cells of 2x2 pixels, so the picture's height and width halved and rounded up. A cell is
safe as a whole or not at all. Masks are (h, w) uint8, 0 or 255, because OpenCV combines them many times faster than
NumPy does booleans.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.types.perception import Box, Detections, Track, TrackState

Mask = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

GRID = 2

# A weak box that shares this much with a person's is about the same person.
_SHARED = 0.2

# Cells of the coarse picture in which moving parts are joined to bodies, per cell.
_COARSE = 4
# Parts of one body lie closer than this share of the picture's height; joined, they are filled as one rectangle,
# since frame differences show only the outline of an even shirt.
_BODY_GAP = 0.1


@dataclass(frozen=True, eq=False)
class Unsafe:
    """What is known of one frame before any pixel of it is absorbed. All are grid masks.

    mask: no pixel in here is ever read. It contains persons, disagrees and whatever moved lately.
    persons: boxes, tracks and masks of people, with their margins.
    followed: the part of persons that is there for no other reason than people on tracks.
    disagrees: outside of persons, differs from the plate where it has a value, or from the last frame.
    changed: the part of disagrees that shows another thing than the plate, not the same in another light.
    doubted: under a box too weak to be a person for sure; background here needs more evidence.
    """

    mask: Mask
    persons: Mask
    followed: Mask
    disagrees: Mask
    changed: Mask
    doubted: Mask


def grid_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the grid's height and width for a picture of `shape` (H, W)."""
    return -(-shape[0] // GRID), -(-shape[1] // GRID)


def to_grid(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the mean of every cell of a (H, W) or (H, W, 3) uint8 picture; an odd border is repeated first."""
    height, width = picture.shape[:2]
    if height % GRID or width % GRID:
        picture = cv2.copyMakeBorder(picture, 0, height % GRID, 0, width % GRID, cv2.BORDER_REPLICATE)
    half = (picture.shape[1] // GRID, picture.shape[0] // GRID)
    return cv2.resize(picture, half, interpolation=cv2.INTER_AREA)


def any_to_grid(where: BoolArray) -> Mask:
    """Return the cells in which at least one pixel of `where` (H, W) is set."""
    # The mean of a cell with one pixel of four is 64.
    return cv2.compare(to_grid(where.astype(np.uint8) * np.uint8(255)), 0, cv2.CMP_GT)


def from_grid(mask: Mask, shape: tuple[int, int]) -> Mask:
    """Return a grid mask as a picture mask of `shape` (H, W)."""
    full = cv2.resize(mask, (mask.shape[1] * GRID, mask.shape[0] * GRID), interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(full[: shape[0], : shape[1]])


def grown(mask: Mask, radius: int) -> Mask:
    """Return `mask` dilated by a square of `radius` cells (a square, since it separates and is fast)."""
    return cv2.dilate(mask, np.ones((2 * radius + 1, 2 * radius + 1), np.uint8))


def minus(a: Mask, b: Mask) -> Mask:
    """Return what is in `a` and not in `b`."""
    return cv2.bitwise_and(a, cv2.bitwise_not(b))


def share(mask: Mask) -> float:
    """Return how much of the picture is in `mask`, in [0, 1]."""
    return cv2.countNonZero(mask) / mask.size


def cells(box: Box, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns of a grid of `shape` that `box` (px) touches; all if it is not finite."""
    if not all(map(isfinite, box)):
        return slice(0, shape[0]), slice(0, shape[1])
    x0, y0, x1, y1 = box
    return _span(y0, y1, shape[0]), _span(x0, x1, shape[1])


def _span(a: float, b: float, size: int) -> slice:
    low, high = floor(min(a, b) / GRID), ceil(max(a, b) / GRID)
    return slice(min(max(low, 0), size), min(max(high, 0), size))


def counts(mask: Mask, boxes: Sequence[Box]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return how many cells of each of `boxes` (px) are in `mask`, and how many cells each has; as `cells`, at once."""
    if not boxes:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows, columns = mask.shape
    corners = np.asarray(boxes, np.float64)
    corners = np.where(np.isfinite(corners).all(axis=1)[:, None], corners, (0, 0, GRID * columns, GRID * rows))
    low = np.floor(np.minimum(corners[:, :2], corners[:, 2:]) / GRID)
    high = np.ceil(np.maximum(corners[:, :2], corners[:, 2:]) / GRID)
    x0, y0 = np.clip(low, 0, (columns, rows)).astype(np.int64).T
    x1, y1 = np.clip(high, 0, (columns, rows)).astype(np.int64).T
    sums = cv2.integral(cv2.min(mask, 1)).astype(np.int64)
    inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    return inside, (y1 - y0) * (x1 - x0)


def bodies(mask: Mask) -> Mask:
    """Return `mask` with parts near each other joined, and every joined part filled as a rectangle."""
    rows, columns = mask.shape
    height, width = -(-rows // _COARSE), -(-columns // _COARSE)
    padded = cv2.copyMakeBorder(mask, 0, height * _COARSE - rows, 0, width * _COARSE - columns, cv2.BORDER_CONSTANT)
    coarse = cv2.compare(cv2.resize(padded, (width, height), interpolation=cv2.INTER_AREA), 0, cv2.CMP_GT)
    gap = max(1, round(_BODY_GAP * height / 2))
    count, _, stats, _ = cv2.connectedComponentsWithStats(grown(coarse, gap), connectivity=8)
    filled = mask.copy()
    for x, y, w, h, _ in stats[1:count]:
        filled[y * _COARSE : (y + h) * _COARSE, x * _COARSE : (x + w) * _COARSE] = 255
    return filled


@dataclass(frozen=True)
class Margins:
    """How far evidence of a person reaches beyond it.

    box: share of a box's size, added on each of its sides. NanoDet's boxes cut off feet and outstretched arms.
    pad: share of the picture's height, added around boxes and masks alike.
    """

    box: float = 0.2
    pad: float = 0.015

    def widen(self, box: Box, height: int) -> Box:
        """Return `box` with its margins, in px, in a picture of `height` px."""
        dx = self.box * abs(box[2] - box[0]) + self.pad * height
        dy = self.box * abs(box[3] - box[1]) + self.pad * height
        return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


class PersonRegions:
    """Turns boxes, tracks and masks into the region in which a person may be, and remembers it for a while.

    blocking_score: a box scoring at least this is a person. hold_s: a region stays for this long after its last
    evidence, so that a detector that blinks does not open it.
    """

    def __init__(self, shape: tuple[int, int], *, blocking_score: float, hold_s: float, margins: Margins) -> None:
        self._height = shape[0]
        self._blocking_score = blocking_score
        self._margins = margins
        self._hold = Hold(shape, hold_s)
        self._unfollowed = Hold(shape, hold_s)
        self._hold_s = hold_s
        self._lost_s: dict[int, float] = {}
        self._candidates: dict[int, Box] = {}

    def update(
        self, detections: Detections, tracks: Sequence[Track], person_mask: BoolArray, dt: float
    ) -> tuple[Mask, Mask]:
        """Return the cells of people, now and within the last hold_s, and which of them are `Unsafe.followed`.

        detections: down to the weakest. person_mask: (H, W), of people on confirmed tracks. dt: s since the last frame.
        """
        followed = grown(any_to_grid(person_mask), max(1, floor(self._margins.pad * self._height / GRID)))
        known = [track.box for track in tracks if track.state != TrackState.LOST]
        sure = detections.scores >= self._blocking_score
        boxes = [*detections.boxes[sure].tolist(), *self._tracked(tracks, dt)]
        # A weak box that lies over a person is part of one: an arm, a bag, or two people in one box.
        weak = detections.boxes[~sure]
        boxes += weak[_meeting(weak, boxes)].tolist()
        boxes = np.array(boxes, np.float32).reshape(-1, 4)
        theirs = _meeting(boxes, known)
        self._fill(followed, boxes[theirs].tolist())
        others = self._fill(np.zeros_like(followed), [*boxes[~theirs].tolist(), *self._given_up(tracks)])
        persons = self._hold.update(cv2.bitwise_or(followed, others), dt)
        return persons, minus(persons, self._unfollowed.update(others, dt))

    def _given_up(self, tracks: Sequence[Track]) -> list[Box]:
        """Return where tracks ended that were never confirmed: what they covered was not followed after all."""
        states = {track.subject_id: track.state for track in tracks}
        ended = [box for subject, box in self._candidates.items() if subject not in states]
        self._candidates = {track.subject_id: track.box for track in tracks if track.state == TrackState.TENTATIVE}
        return ended

    def _fill(self, mask: Mask, boxes: Sequence[Box]) -> Mask:
        for box in boxes:
            mask[cells(self._margins.widen(box, self._height), mask.shape)] = 255
        return mask

    def _tracked(self, tracks: Sequence[Track], dt: float) -> list[Box]:
        """Return the boxes of live tracks, and of lost ones for as long as the hold.

        A lost track's prediction soon drifts anywhere; from then on the quarantine of where it was lost guards.
        """
        lost = [track.subject_id for track in tracks if track.state == TrackState.LOST]
        self._lost_s = {subject: self._lost_s.get(subject, 0.0) + dt for subject in lost}
        return [track.box for track in tracks if self._lost_s.get(track.subject_id, 0.0) <= self._hold_s]


def _meeting(boxes: npt.NDArray[np.float32], others: Sequence[Box]) -> BoolArray:
    """Return which of `boxes` (N, 4) have an IoU of _SHARED, or half of their area in common, with one of `others`."""
    if not others:
        return np.zeros(len(boxes), np.bool_)
    a, b = boxes[:, None], np.asarray(others, np.float32)[None]
    common = np.prod(np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None), axis=2)
    size_a, size_b = (np.prod(box[..., 2:] - box[..., :2], axis=2) for box in (a, b))
    return ((common >= _SHARED * (size_a + size_b - common)) | (common >= size_a / 2)).any(axis=1)


class Hold:
    """Keeps a cell set for hold_s after it was last set."""

    def __init__(self, shape: tuple[int, int], hold_s: float) -> None:
        self._left: FloatArray = np.zeros(grid_shape(shape), np.float32)
        self._hold_s = hold_s

    def update(self, now: Mask, dt: float) -> Mask:
        """Return the cells set in `now` or within the last hold_s before it. dt: s since the last call."""
        cv2.subtract(self._left, dt, dst=self._left)
        self._left[now > 0] = self._hold_s
        return cv2.bitwise_or(now, cv2.compare(self._left, 0.0, cv2.CMP_GT))
