"""Finds the boxes that the approved picture of the empty room explains: furniture that a network takes for a person.

The detector gives boxes on furniture too, above all beside people, and what is under the box of a person is never
compared with the approved picture. So a box is compared with it here when the detector gives it on the approved picture
as well, in the same place and with no much higher score; or when its score is so low that it only counts because it
touches a person. Means over small windows are compared, in the light of now, to a few levels.

- All that is visible of the box agrees: it is furniture. A person would have to look like it everywhere.
- A little of it differs, and the detector finds a person beside it: only that little counts as a person (a shadow, a
  cushion, a hand). Without a person beside it, somebody may sit there: all of the box stays a person.

So no window is opened that differs, and what is shown where one is opened is the approved picture, never the frame.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from privcam_core.types.arrays import BoolArray, Float32Array, Float64Array, Image, Mask
from privcam_core.types.boxes import iou
from privcam_core.types.perception import Detections, Track
from privcam_privacy.background.exclusion_masks import Margins
from privcam_privacy.background.grid import (
    above,
    count_cells,
    fill_bodies,
    fill_boxes,
    from_grid,
    intersect,
    subtract,
    to_grid,
    union,
)
from privcam_privacy.background.person_regions import PART_IOU, overlapping
from privcam_privacy.evidence.approved_background import ApprovedBackground, ApprovedState, RoomState

# A box is in the same place as one on the approved picture from this IoU on.
_SAME_PLACE_IOU = 0.5
# A person beside furniture raises the score of its box by this much at most. A person on it raises it by more.
_MAX_SCORE_GAIN = 0.3
# The detector looks at the approved picture in these exposures, and with noise of this size, levels: its low-confidence
# boxes come and go with both.
_EXPOSURES = (0.75, 1.0, 1.3)
_NOISE_LEVELS = 2.0
# A window has this many cells per side: 10 px. Noise averages out over it, a hand does not.
_WINDOW = 5
# A window is compared when more than this fraction of it is visible.
_MIN_WINDOW_FRACTION = 0.5
# A window agrees within this many levels and this fraction of its brightness: the noticed contrast shrinks with the
# light.
_LEVELS = 2.0
_CONTRAST = 0.06
# At least this fraction of a box has to be visible, and at least that has to be approved.
_MIN_VISIBLE_FRACTION = 0.1
_MIN_APPROVED_FRACTION = 0.9
# Beside a person, at most this fraction of what is visible may differ.
_MAX_DIFFERING_FRACTION = 0.35


def find_likenesses(state: ApprovedState, detect: Callable[[Image], Detections]) -> ApprovedState:
    """Return the state with the boxes in which `detect` takes its furniture for people."""
    random = np.random.default_rng(0)
    found = []
    for exposure in _EXPOSURES:
        noise = random.normal(0, _NOISE_LEVELS, state.picture.shape)
        lit = np.clip(state.picture * exposure + noise, 0, 255).astype(np.uint8)
        found.append(detect(np.where(state.confirmed[..., None], lit, state.picture)))
    boxes, scores = (np.concatenate([getattr(one, name) for one in found]) for name in ("boxes", "scores"))
    return replace(state, likenesses=Detections(boxes, scores))


@dataclass(frozen=True, eq=False)
class FrameBoxes:
    """The boxes of one frame, without those that show furniture.

    detections, tracks: the others. person_mask: (H, W), without what only tracks on furniture account for, and with
    what differs in boxes on furniture. furniture: (N, 4) px, confident boxes of which all agrees. subjects: of the
    tracks that were taken out.
    """

    detections: Detections
    tracks: Sequence[Track]
    person_mask: BoolArray
    furniture: Float32Array
    subjects: frozenset[int]


def take_out_furniture(
    image: Image, found: FrameBoxes, approved: ApprovedBackground, margins: Margins, blocking_threshold: float
) -> FrameBoxes:
    """Return the boxes of one frame without those that the state in use explains; any of the states if none is.

    image: (H, W, 3). found: all boxes. blocking_threshold: a detection with at least this score is a person wherever it
    is.
    """
    detections, tracks, shape = found.detections, found.tracks, image.shape[:2]
    boxes = _Boxes(
        np.concatenate([detections.boxes, np.array([track.box for track in tracks], np.float32).reshape(-1, 4)]),
        np.concatenate([detections.scores, np.array([track.score for track in tracks], np.float32)]),
        np.concatenate([detections.scores >= blocking_threshold, np.ones(len(tracks), np.bool_)]),
        margins.widen_all([*detections.boxes, *(track.box for track in tracks)], shape[0]),
    )
    if not boxes.confident.any() or not approved.in_view:
        return found
    small = to_grid(image)
    explained = [_explain(small, boxes, state, approved.trusted(state)) for state in approved.in_view]
    agreeing, partly = (np.any([getattr(one, name) for one in explained], axis=0) for name in ("agreeing", "partly"))
    taken = agreeing | partly
    kept, on_furniture = ~taken[: len(detections)], taken[len(detections) :]
    # Only what no other person accounts for leaves the mask of people.
    freed = _fill(boxes.widened[len(detections) :][on_furniture], small)
    freed = subtract(freed, _fill(boxes.widened[boxes.confident & ~taken], small))
    differing = union(*(one.differing for one in explained), np.zeros_like(freed))
    people = [track for track, is_furniture in zip(tracks, on_furniture, strict=True) if not is_furniture]
    return FrameBoxes(
        Detections(detections.boxes[kept], detections.scores[kept], detections.sources[kept]),
        people,
        (found.person_mask & (from_grid(freed, shape) == 0)) | (from_grid(differing, shape) > 0),
        boxes.boxes[agreeing & boxes.confident],
        frozenset(track.subject_id for track in tracks) - {track.subject_id for track in people},
    )


@dataclass(frozen=True, eq=False)
class _Boxes:
    """Detections and tracks together. boxes, widened: (N, 4) px. confident: (N,), a person by itself."""

    boxes: Float32Array
    scores: Float32Array
    confident: BoolArray
    widened: Float64Array


@dataclass(frozen=True, eq=False)
class _Explained:
    """agreeing, partly: (N,), boxes of which all, or all but a little beside a person, agrees. differing: that little,
    a grid mask.
    """

    agreeing: BoolArray
    partly: BoolArray
    differing: Mask


def _explain(small: Image, boxes: _Boxes, state: RoomState, trusted: Mask) -> _Explained:
    """Return which boxes show what `state` shows in its cells `trusted`. small: (h, w, 3), the frame on the grid."""
    same_place = iou(boxes.boxes, state.likenesses.boxes) >= _SAME_PLACE_IOU
    not_higher = boxes.scores[:, None] <= state.likenesses.scores + _MAX_SCORE_GAIN
    alike = boxes.confident & (same_place & not_higher).any(axis=1)
    parts = ~boxes.confident & overlapping(boxes.boxes, boxes.boxes[boxes.confident], PART_IOU).any(axis=1)
    people = boxes.confident & ~alike
    if not (alike | parts).any():
        return _Explained(alike, alike, np.zeros_like(trusted))
    visible = subtract(trusted, _fill(boxes.widened[people], small))
    compared, differing = _compare(small, state.light(small, visible), visible)
    (seen, cells), (wrong, _) = count_cells(compared, boxes.widened), count_cells(differing, boxes.widened)
    known, _ = count_cells(trusted, boxes.widened)
    judged = (alike | parts) & (seen >= np.maximum(_MIN_VISIBLE_FRACTION * cells, 1))
    judged &= known >= _MIN_APPROVED_FRACTION * cells
    beside = overlapping(boxes.boxes, boxes.boxes[people]).any(axis=1)
    partly = judged & beside & (wrong > 0) & (wrong <= _MAX_DIFFERING_FRACTION * seen)
    inside = _fill(boxes.widened[partly], small)
    # Filled rectangles do not show the outline of a body.
    return _Explained(judged & (wrong == 0), partly, intersect(fill_bodies(intersect(differing, inside)), inside))


def _compare(small: Image, approved: Image, visible: Mask) -> tuple[Mask, Mask]:
    """Return the cells that were compared with the approved picture, and those of them that differ from it.

    small, approved: (h, w, 3), in the same light. visible: (h, w), the cells that may be compared.
    """
    size = (_WINDOW, _WINDOW)
    covered = cv2.blur(visible, size)
    # Both means are of the visible cells alone, and smaller than them by the same factor.
    now, before = (cv2.blur(cv2.copyTo(picture, visible), size) for picture in (small, approved))
    limits = cv2.addWeighted(before, _CONTRAST, cv2.merge([covered] * 3), _LEVELS / 255, 0.5)
    blue, green, red = cv2.split(cv2.subtract(cv2.absdiff(now, before), limits))
    compared = intersect(visible, above(covered, 255 * _MIN_WINDOW_FRACTION))
    return compared, intersect(compared, above(cv2.max(cv2.max(blue, green), red), 0))


def _fill(boxes: Float64Array, small: Image) -> Mask:
    mask = np.zeros(small.shape[:2], np.uint8)
    fill_boxes(mask, boxes)
    return mask
