"""Turns boxes, tracks and masks of people into the region in which a person may be, and holds it for a while."""

from collections.abc import Sequence
from math import floor

import cv2
import numpy as np

from privcam_core.types.arrays import BoolArray, Box, Float32Array, Float64Array, Mask
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

# Boxes with this IoU show the same person.
_SAME_PERSON_IOU = 0.2
# A low-confidence box with this IoU to the box of a person belongs to that person: up to three people in one box. A box
# of which the person fills less is furniture around a person; where it is, background needs longer evidence.
PART_IOU = 0.33


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
        people = np.array(person_boxes, np.float32).reshape(-1, 4)
        # A low-confidence box over a person is part of the person: an arm, a bag, or two people in one box.
        low_confidence = detections.boxes[~confident]
        belongs = overlapping(low_confidence, people, PART_IOU)
        chosen = belongs.any(axis=1)
        parts = self._widen_parts(low_confidence[chosen], people, belongs[chosen])
        boxes = np.concatenate([people, low_confidence[chosen]])
        regions = np.concatenate([self._margins.widen_all(people, self._height), parts])
        on_tracks = overlapping(boxes, np.array(track_boxes, np.float32).reshape(-1, 4)).any(axis=1)
        fill_boxes(tracked, regions[on_tracks])
        untracked = np.zeros_like(tracked)
        fill_boxes(untracked, regions[~on_tracks])
        fill_boxes(untracked, self._margins.widen_all(self._ended_tentative(tracks), self._height))
        persons = self._hold.update(union(tracked, untracked), dt)
        return persons, subtract(persons, self._untracked_hold.update(untracked, dt))

    def _ended_tentative(self, tracks: Sequence[Track]) -> list[Box]:
        """Return the last boxes of tracks that ended before they were confirmed: nobody was tracked there."""
        states = {track.subject_id: track.state for track in tracks}
        ended = [box for subject_id, box in self._tentative.items() if subject_id not in states]
        self._tentative = {track.subject_id: track.box for track in tracks if track.state == TrackState.TENTATIVE}
        return ended

    def _widen_parts(self, parts: Float32Array, people: Float32Array, belongs: BoolArray) -> Float64Array:
        """Return low-confidence boxes (N, 4) with their margins. belongs: (N, M), to which boxes of people.

        Feet and arms grow with the person: the margin is that of the largest person it belongs to, if it is larger.
        """
        own, sizes = parts[:, 2:] - parts[:, :2], people[:, 2:] - people[:, :2]
        largest = np.where(belongs[..., None], sizes[None], 0.0).max(axis=1, initial=0.0)
        margin = self._margins.box * np.minimum(own, largest) + self._margins.pad * self._height
        return np.asarray(np.concatenate([parts[:, :2] - margin, parts[:, 2:] + margin], axis=1), np.float64)

    def _boxes_of_tracks(self, tracks: Sequence[Track], dt: float) -> list[Box]:
        """Return the boxes of active tracks, and of lost tracks during the hold.

        The prediction of a lost track soon drifts away. After the hold, a presence protects the place where the track
        was lost.
        """
        lost = [track.subject_id for track in tracks if track.state == TrackState.LOST]
        self._lost_s = {subject_id: self._lost_s.get(subject_id, 0.0) + dt for subject_id in lost}
        return [track.box for track in tracks if self._lost_s.get(track.subject_id, 0.0) <= self._hold_s]


def overlapping(boxes: Float32Array, others: Float32Array, min_iou: float = _SAME_PERSON_IOU) -> BoolArray:
    """Return (N, M): which of `boxes` (N, 4) belong to which of `others` (M, 4), by IoU or half of their own area."""
    a, b = boxes[:, None], others[None]
    common = np.prod(np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None), axis=2)
    size_a, size_b = (np.prod(box[..., 2:] - box[..., :2], axis=2) for box in (a, b))
    same = (common >= min_iou * (size_a + size_b - common)) | (common >= size_a / 2)
    return np.asarray(same)


class Hold:
    """Keeps a cell set for hold_s after the cell was last set."""

    def __init__(self, shape: tuple[int, int], hold_s: float) -> None:
        self._left_s: Float32Array = np.zeros(grid_shape(shape), np.float32)
        self._hold_s = hold_s

    def update(self, now: Mask, dt: float) -> Mask:
        """Return the cells that are set in `now` or were set within the last hold_s. dt: s since the last call."""
        cv2.subtract(self._left_s, dt, dst=self._left_s)
        np.putmask(self._left_s, now > 0, self._hold_s)
        return union(now, above(self._left_s, 0.0))
