"""Assigns the detections of a frame to tracks: gates, costs and four stages of matching.

`deepsort.py` says where the stages come from and why.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from privcam_core.types.arrays import BoolArray, Float32Array, Float64Array
from privcam_core.types.boxes import iou
from privcam_core.types.perception import TrackState
from privcam_core.types.time import NS_PER_S
from privcam_perception.tracking import kalman, matching
from privcam_perception.tracking.active_track import ActiveTrack, last_seen_boxes, stack_states
from privcam_perception.tracking.clutter import Clutter
from privcam_perception.tracking.gallery import Descriptor
from privcam_perception.tracking.occlusion import overlap_any

# A detection is where a track was expected if their IoU reaches this. Lower values let a long-lost track take over
# another person, higher ones lose persons at 5 frames/s.
_EXPECTED_IOU = 0.2
# A runner covers two body heights per second.
_RUN_HEIGHTS_PER_S = 2.0
# Added to the reach of a runner, because a box jumps when a part of the person is hidden.
_JUMP_HEIGHTS = 0.5
# A person who falls comes to lie at most this far away, from centre to centre.
_FALL_HEIGHTS = 1.0


@dataclass(frozen=True)
class Association:
    """Matches tracks and detections. The parameters are those of `DeepSort`.

    Raises ValueError for a value outside its range.
    """

    track_activation_threshold: float
    match_threshold: float
    low_confidence_threshold: float
    look_activation_threshold: float
    max_cosine_distance: float
    strict_cosine_distance: float
    motion_weight: float
    min_iou: float
    low_score_min_iou: float

    def __post_init__(self) -> None:
        thresholds = self.low_confidence_threshold, self.match_threshold, self.track_activation_threshold
        if not 0 <= thresholds[0] <= thresholds[1] <= thresholds[2] <= 1:
            raise ValueError(
                "low_confidence_threshold, match_threshold, track_activation_threshold: are "
                f"{', '.join(map(str, thresholds))}, need "
                "0 <= low_confidence_threshold <= match_threshold <= track_activation_threshold <= 1"
            )
        strict, largest = self.strict_cosine_distance, self.max_cosine_distance
        if not 0 <= strict <= largest <= 2 or largest == 0:
            raise ValueError(
                f"strict_cosine_distance, max_cosine_distance: are {strict}, {largest}, need "
                "0 <= strict_cosine_distance <= max_cosine_distance <= 2 and max_cosine_distance above 0"
            )
        if not self.track_activation_threshold <= self.look_activation_threshold <= 1:
            raise ValueError(
                f"look_activation_threshold: is {self.look_activation_threshold}, must be within "
                f"track_activation_threshold {self.track_activation_threshold} and 1"
            )
        for name in ("motion_weight", "min_iou", "low_score_min_iou"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name}: is {value}, must be within 0 and 1")

    def match(
        self,
        tracks: Sequence[ActiveTrack],
        boxes: Float64Array,
        scores: Float32Array,
        descriptors: Descriptor | None,
        clutter: Clutter,
        stamp_ns: int,
        found_by_look: BoolArray,
    ) -> tuple[list[tuple[int, int]], list[int]]:
        """Return the pairs (track row, detection) of all four stages, and the detections that start a track.

        boxes: (N, 4) px. scores: (N,). descriptors: (N, D) unit vectors; None: appearance is not compared.
        found_by_look: (N,) whether the detector looked again there; then only look_activation_threshold starts a track.
        """
        high = np.flatnonzero(scores >= self.track_activation_threshold).tolist()
        may_start = ~found_by_look | (scores >= self.look_activation_threshold)
        if not tracks:
            return [], [column for column in high if may_start[column]]
        low = np.flatnonzero((scores >= self.match_threshold) & (scores < self.track_activation_threshold)).tolist()
        ages = [track.lost_frames for track in tracks]
        tentative = [row for row, track in enumerate(tracks) if track.state is TrackState.TENTATIVE]
        established = [row for row, track in enumerate(tracks) if track.state is not TrackState.TENTATIVE]

        measurements = kalman.to_measurements(boxes)
        overlap_cost = 1 - np.asarray(iou(kalman.to_boxes(stack_states(tracks)[0]), boxes), np.float64)
        appearance = None if descriptors is None else _appearance_distances(tracks, descriptors)
        cascade_cost = self._cascade_cost(tracks, measurements, overlap_cost, appearance, stamp_ns)
        first = matching.cascade(cascade_cost, ages, established, high)
        just_seen = [row for row in first.tracks if ages[row] == 0]
        cost = np.where(overlap_cost <= 1 - self.min_iou, overlap_cost, matching.FORBIDDEN)
        second = matching.assign(cost, tentative + just_seen, first.detections)
        cost = np.where(overlap_cost <= 1 - self.low_score_min_iou, overlap_cost, matching.FORBIDDEN)
        # Where the detector looked again, a tentative track goes on, and a lost one that was last seen there.
        stayed = np.asarray(iou(last_seen_boxes(tracks), boxes)) >= self.low_score_min_iou
        lost = [row for row in first.tracks if ages[row] > 0]
        cost[lost] = np.where(stayed[lost], overlap_cost[lost], cost[lost])
        cost[tentative + lost] = np.where(found_by_look, cost[tentative + lost], matching.FORBIDDEN)
        again = [column for column in second.detections if found_by_look[column]]
        third = matching.assign(cost, second.tracks + lost, low + again)
        pairs = first.pairs + second.pairs + third.pairs
        left = sorted(set(established) - {row for row, _ in pairs})
        starting = [column for column in second.detections if column not in {matched for _, matched in third.pairs}]
        taken = [column for _, column in pairs] + starting
        if left and appearance is not None:  # only appearance tells whether a low-confidence box is the person
            cost = self._low_confidence_cost(tracks, measurements, appearance, stamp_ns)
            pairs += matching.cascade(
                cost, ages, left, self._low_confidence(boxes, scores, taken, clutter, stamp_ns)
            ).pairs
            taken = [column for _, column in pairs] + starting
        return pairs, [column for column in starting if may_start[column]]

    def _low_confidence(
        self, boxes: Float64Array, scores: Float32Array, taken: list[int], clutter: Clutter, stamp_ns: int
    ) -> list[int]:
        """Return the low-confidence detections that may be a lost person."""
        candidates = np.flatnonzero(
            (scores >= self.low_confidence_threshold) & (scores < self.track_activation_threshold)
        )
        candidates = candidates[~clutter.contains(boxes[candidates], stamp_ns)]
        # On a matched box, a low-confidence box is another view of the same person, or of two persons in one box.
        candidates = candidates[~overlap_any(boxes[candidates], boxes[taken])]
        return [int(column) for column in candidates]

    def _cascade_cost(
        self,
        tracks: Sequence[ActiveTrack],
        measurements: Float64Array,
        overlap_cost: Float64Array,
        appearance: Float64Array | None,
        stamp_ns: int,
    ) -> Float64Array:
        """Return (tracks, detections) costs in [0, 1] of the cascade, FORBIDDEN outside the gates.

        appearance: (tracks, detections) cosine distances; None: appearance is not compared.
        """
        means, covariances = stack_states(tracks)
        motion = kalman.gating_distances(means, covariances, measurements) / kalman.GATE
        allowed = (motion <= 1) & _reachable(tracks, measurements, stamp_ns)
        expected = overlap_cost <= 1 - _EXPECTED_IOU
        if appearance is None:
            cost = overlap_cost
            allowed &= expected
        else:
            allowed &= appearance <= np.where(expected, self.max_cosine_distance, self.strict_cosine_distance)
            weight = self.motion_weight
            cost = weight * overlap_cost + (1 - weight) * appearance / self.max_cosine_distance
        return np.where(allowed, cost, matching.FORBIDDEN)

    def _low_confidence_cost(
        self, tracks: Sequence[ActiveTrack], measurements: Float64Array, appearance: Float64Array, stamp_ns: int
    ) -> Float64Array:
        """Return the costs for low-confidence boxes: appearance (tracks, detections) and reach.

        The prediction does not count, because a person who falls is not where walking on would lead.
        """
        reachable = _reachable(tracks, measurements, stamp_ns, _FALL_HEIGHTS)
        allowed = reachable & (appearance <= self.max_cosine_distance)
        return np.where(allowed, appearance / self.max_cosine_distance, matching.FORBIDDEN)


def _appearance_distances(tracks: Sequence[ActiveTrack], descriptors: Descriptor) -> Float64Array:
    """Return (tracks, detections) cosine distances of the galleries to the descriptors (N, D)."""
    return np.stack([track.gallery.distances(descriptors) for track in tracks])


def _reachable(
    tracks: Sequence[ActiveTrack], measurements: Float64Array, stamp_ns: int, max_heights: float = np.inf
) -> BoolArray:
    """Return (tracks, detections) whether a person can have got there since the track was last seen."""
    hidden_s = np.array([stamp_ns - track.seen_at for track in tracks]) / NS_PER_S
    last = kalman.to_measurements(last_seen_boxes(tracks))
    reach = np.minimum(_JUMP_HEIGHTS + _RUN_HEIGHTS_PER_S * hidden_s, max_heights) * last[:, 3]
    moved = np.linalg.norm(measurements[None, :, :2] - last[:, None, :2], axis=2)
    return np.asarray(moved <= reach[:, None])
