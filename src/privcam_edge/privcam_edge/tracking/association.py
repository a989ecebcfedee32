"""Which detection is whose: the gates and costs between the tracks and the detections of a frame, and the four stages.

`deepsort.py` says where the stages come from and why.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privcam_core.types.boxes import iou
from privcam_core.types.perception import TrackState
from privcam_edge.tracking import kalman, matching
from privcam_edge.tracking.active_track import FloatArray, Live, seen_boxes, states
from privcam_edge.tracking.clutter import Clutter
from privcam_edge.tracking.gallery import Descriptor
from privcam_edge.tracking.occlusion import part_of_each_other

_NS_PER_S = 1e9
# A detection is where a track was expected if their IoU is at least this. Lower values let a long-lost track take over
# a stranger, higher ones lose people at 5 frames/s.
_EXPECTED_IOU = 0.2
# A runner covers two body heights a second; half a height on top for a box that jumps when a part is hidden.
_RUN_HEIGHTS_PER_S = 2.0
_JUMP_HEIGHTS = 0.5
# Who falls comes to lie at most so far, middle to middle.
_FALL_HEIGHTS = 1.0


@dataclass(frozen=True)
class Association:
    """Matches tracks and detections. The parameters are those of `DeepSort`.

    Raises ValueError for a value outside its range.
    """

    score: float
    weak_score: float
    faint_score: float
    max_distance: float
    twin_distance: float
    motion_weight: float
    min_iou: float
    weak_min_iou: float

    def __post_init__(self) -> None:
        if not 0 <= self.faint_score <= self.weak_score <= self.score <= 1:
            raise ValueError(
                f"faint_score, weak_score, score: are {self.faint_score}, {self.weak_score}, {self.score}, need "
                "0 <= faint_score <= weak_score <= score <= 1"
            )
        if not 0 <= self.twin_distance <= self.max_distance <= 2 or self.max_distance == 0:
            raise ValueError(
                f"twin_distance, max_distance: are {self.twin_distance}, {self.max_distance}, cosine distances need "
                "0 <= twin_distance <= max_distance <= 2 and max_distance above 0"
            )
        for name in ("motion_weight", "min_iou", "weak_min_iou"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name}: is {value}, must be within 0 and 1")

    def match(
        self,
        live: Sequence[Live],
        boxes: FloatArray,
        scores: npt.NDArray[np.float32],
        descriptors: Descriptor | None,
        clutter: Clutter,
        stamp_ns: int,
    ) -> tuple[list[tuple[int, int]], list[int]]:
        """Return the pairs (live row, detection) of all four stages, and the strong detections that are left.

        boxes: (N, 4) px. scores: (N,). descriptors: (N, D) unit vectors, None: without looks.
        """
        strong = np.flatnonzero(scores >= self.score).tolist()
        if not live:
            return [], strong
        weak = np.flatnonzero((scores >= self.weak_score) & (scores < self.score)).tolist()
        ages = [track.lost_frames for track in live]
        young = [row for row, track in enumerate(live) if track.state is TrackState.TENTATIVE]
        known = [row for row, track in enumerate(live) if track.state is not TrackState.TENTATIVE]

        measurements = kalman.to_measurements(boxes)
        overlap_cost = 1 - np.asarray(iou(kalman.to_boxes(states(live)[0]), boxes), np.float64)
        looks_cost = self._cost(live, measurements, overlap_cost, descriptors, stamp_ns)
        first = matching.cascade(looks_cost, ages, known, strong)
        just_seen = [row for row in first.tracks if ages[row] == 0]
        cost = np.where(overlap_cost <= 1 - self.min_iou, overlap_cost, matching.FORBIDDEN)
        second = matching.assign(cost, young + just_seen, first.detections)
        cost = np.where(overlap_cost <= 1 - self.weak_min_iou, overlap_cost, matching.FORBIDDEN)
        third = matching.assign(cost, [row for row in second.tracks if row in just_seen], weak)
        pairs = first.pairs + second.pairs + third.pairs
        left = sorted(set(known) - {row for row, _ in pairs})
        if not left or descriptors is None:  # without looks nothing says whether a faint box is somebody
            return pairs, second.detections
        faint = np.flatnonzero((scores >= self.faint_score) & (scores < self.score))
        faint = faint[~clutter.known(boxes[faint], stamp_ns)]
        # Beside somebody who was found, a faint box is another view of the same person, or of two in one box.
        taken = boxes[[column for _, column in pairs] + second.detections]
        faint = faint[~part_of_each_other(boxes[faint], taken)]
        faint_cost = self._faint_cost(live, measurements, descriptors, stamp_ns)
        fourth = matching.cascade(faint_cost, ages, left, faint.tolist())
        return pairs + fourth.pairs, second.detections

    def _cost(
        self,
        live: Sequence[Live],
        measurements: FloatArray,
        overlap_cost: FloatArray,
        descriptors: Descriptor | None,
        stamp_ns: int,
    ) -> FloatArray:
        """Return (tracks, detections) costs in [0, 1] of the cascade, FORBIDDEN outside the gates."""
        means, covariances = states(live)
        motion = kalman.gating_distances(means, covariances, measurements) / kalman.GATE
        allowed = (motion <= 1) & _reachable(live, measurements, stamp_ns)
        expected = overlap_cost <= 1 - _EXPECTED_IOU
        if descriptors is None:
            cost = overlap_cost
            allowed &= expected
        else:
            looks = _looks(live, descriptors)
            allowed &= looks <= np.where(expected, self.max_distance, self.twin_distance)
            cost = self.motion_weight * overlap_cost + (1 - self.motion_weight) * looks / self.max_distance
        return np.where(allowed, cost, matching.FORBIDDEN)

    def _faint_cost(
        self, live: Sequence[Live], measurements: FloatArray, descriptors: Descriptor, stamp_ns: int
    ) -> FloatArray:
        """Return the same for faint boxes. Who falls is not where walking on would lead, so looks and reach decide."""
        looks = _looks(live, descriptors)
        allowed = _reachable(live, measurements, stamp_ns, _FALL_HEIGHTS) & (looks <= self.max_distance)
        return np.where(allowed, looks / self.max_distance, matching.FORBIDDEN)


def _looks(live: Sequence[Live], descriptors: Descriptor) -> FloatArray:
    """Return (tracks, detections) cosine distances."""
    return np.stack([track.gallery.distances(descriptors) for track in live])


def _reachable(
    live: Sequence[Live], measurements: FloatArray, stamp_ns: int, most_heights: float = np.inf
) -> npt.NDArray[np.bool_]:
    """Return (tracks, detections) whether somebody can have got there since the track was seen."""
    unseen_s = np.array([stamp_ns - track.seen_at for track in live]) / _NS_PER_S
    seen = kalman.to_measurements(seen_boxes(live))
    reach = np.minimum(_JUMP_HEIGHTS + _RUN_HEIGHTS_PER_S * unseen_s, most_heights) * seen[:, 3]
    moved = np.linalg.norm(measurements[None, :, :2] - seen[:, None, :2], axis=2)
    return np.asarray(moved <= reach[:, None])
