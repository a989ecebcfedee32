"""Turns boxes, tracks and masks of people into the region in which a person may be, and holds it for a while."""

from collections.abc import Sequence
from math import floor

import cv2
import numpy as np

from privcam_core.types.arrays import BoolArray, Box, Float32Array, Mask
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_privacy.background.exclusion_masks import Margins
from privcam_privacy.background.grid import (
    GRID,
    above,
    any_to_grid,
    dilate,
    fill_boxes,
    grid_shape,
    subtract,
    union,
)

# A low-confidence box with this IoU to the box of a person belongs to the same person.
_SAME_PERSON_IOU = 0.2


class PersonRegions:
    """Computes the cells in which a person may be.

    blocking_threshold: a box with at least this score is a person. hold_s: a region stays for this long after its last
    evidence, so that a single missed detection does not open the region.
    """

    def __init__(self, shape: tuple[int, int], *, blocking_threshold: float, hold_s: float, margins: Margins) -> None:
        self._height = shape[0]
        self._blocking_threshold = blocking_threshold
        self._margins = margins
        self._hold = Hold(shape, hold_s)
        self._untracked_hold = Hold(shape, hold_s)
        self._hold_s = hold_s
        self._lost_s: dict[int, float] = {}
        self._tentative: dict[int, Box] = {}

    def update(
        self, detections: Detections, tracks: Sequence[Track], person_mask: BoolArray, dt: float
    ) -> tuple[Mask, Mask]:
        """Return `ExclusionMasks.persons` (now and within the last hold_s) and `ExclusionMasks.tracked`.

        detections: of every confidence. person_mask: (H, W), people on confirmed tracks. dt: s since the last frame.
        """
        tracked = dilate(any_to_grid(person_mask), max(1, floor(self._margins.pad * self._height / GRID)))
        track_boxes = [track.box for track in tracks if track.state != TrackState.LOST]
        confident = detections.scores >= self._blocking_threshold
        person_boxes = [*detections.boxes[confident].tolist(), *self._boxes_of_tracks(tracks, dt)]
        # A low-confidence box over a person is part of the person: an arm, a bag, or two people in one box.
        low_confidence = detections.boxes[~confident]
        person_boxes += low_confidence[_overlaps(low_confidence, person_boxes)].tolist()
        boxes = np.array(person_boxes, np.float32).reshape(-1, 4)
        on_tracks = _overlaps(boxes, track_boxes)
        self._mark(tracked, boxes[on_tracks].tolist())
        untracked = np.zeros_like(tracked)
        self._mark(untracked, [*boxes[~on_tracks].tolist(), *self._ended_tentative(tracks)])
        persons = self._hold.update(union(tracked, untracked), dt)
        return persons, subtract(persons, self._untracked_hold.update(untracked, dt))

    def _ended_tentative(self, tracks: Sequence[Track]) -> list[Box]:
        """Return the last boxes of tracks that ended before they were confirmed: nobody was tracked there."""
        states = {track.subject_id: track.state for track in tracks}
        ended = [box for subject_id, box in self._tentative.items() if subject_id not in states]
        self._tentative = {track.subject_id: track.box for track in tracks if track.state == TrackState.TENTATIVE}
        return ended

    def _mark(self, mask: Mask, boxes: Sequence[Box]) -> None:
        """Set the cells of `boxes` with their margins in `mask`, in place."""
        fill_boxes(mask, self._margins.widen_all(boxes, self._height))

    def _boxes_of_tracks(self, tracks: Sequence[Track], dt: float) -> list[Box]:
        """Return the boxes of active tracks, and of lost tracks during the hold.

        The prediction of a lost track soon drifts away. After the hold, the quarantine protects the place where the
        track was lost.
        """
        lost = [track.subject_id for track in tracks if track.state == TrackState.LOST]
        self._lost_s = {subject_id: self._lost_s.get(subject_id, 0.0) + dt for subject_id in lost}
        return [track.box for track in tracks if self._lost_s.get(track.subject_id, 0.0) <= self._hold_s]


def _overlaps(boxes: Float32Array, others: Sequence[Box]) -> BoolArray:
    """Return (N,) which of `boxes` (N, 4) belong to one of `others`: by their IoU, or by half of their own area."""
    if not others:
        return np.zeros(len(boxes), np.bool_)
    a, b = boxes[:, None], np.asarray(others, np.float32)[None]
    common = np.prod(np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None), axis=2)
    size_a, size_b = (np.prod(box[..., 2:] - box[..., :2], axis=2) for box in (a, b))
    same = (common >= _SAME_PERSON_IOU * (size_a + size_b - common)) | (common >= size_a / 2)
    return np.asarray(same.any(axis=1))


class Hold:
    """Keeps a cell set for hold_s after the cell was last set."""

    def __init__(self, shape: tuple[int, int], hold_s: float) -> None:
        self._left_s: Float32Array = np.zeros(grid_shape(shape), np.float32)
        self._hold_s = hold_s

    def update(self, now: Mask, dt: float) -> Mask:
        """Return the cells that are set in `now` or were set within the last hold_s. dt: s since the last call."""
        cv2.subtract(self._left_s, dt, dst=self._left_s)
        np.putmask(self._left_s, now, self._hold_s)
        return union(now, above(self._left_s, 0.0))
