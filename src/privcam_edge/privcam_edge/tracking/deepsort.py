"""DeepSORT (Wojke, Bewley, Paulus 2017): people keep their number from frame to frame, also through short hiding.

Kept from the paper: the Kalman filter and its Mahalanobis gate, the matching cascade by age with the cosine distance
to a gallery of appearances, IoU as second stage for young and just seen tracks, and the life of a track. Changed:
- Time is seconds between the stamps of κ, never a count of frames, so 5 and 30 frames/s and skipped frames are alike.
- A third stage, from ByteTrack (Zhang et al. 2022), lets a box that scores too low to be believed alone go on with a
  track that was just seen. In `privcam_cli.evaluation.tracking` HOTA and IDF1 are lower without it at 10 and 30
  frames/s; at 6 it makes no clear difference.
- A fourth stage lets somebody who is known go on with a faint box, as people on the floor have: where they can be, that
  looks like them, and is of nothing that was found there before they came (`clutter.py`).
- The camera stands still, so how well the boxes fit counts beside the looks (the paper's λ is 0, for moving cameras),
  and somebody who is found where nobody was expected has to look the same much more closely. Nobody is found farther
  from where they were last seen than a runner gets. Without descriptors only boxes that overlap can match.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privcam_core.boxes import areas, intersections, iou
from privcam_core.perception import Box, Detections, Track, TrackState
from privcam_edge.tracking import kalman, matching
from privcam_edge.tracking.clutter import Clutter
from privcam_edge.tracking.gallery import Descriptor, Gallery

FloatArray = npt.NDArray[np.float64]

_NS_PER_S = 1e9
# While nobody sees the person, walking goes on, but growing and falling is not extrapolated for longer than this.
_GROWTH_KEPT_S, _FALLING_KEPT_S = 0.1, 0.3
# However fast a box shrank, a prediction keeps this share of the height and of the width over height last seen.
_LEAST_SHAPE = 0.3
# Two matches this far apart prove as much as n_init of them in a row: at 5 frames/s three would take 0.4 s.
_CONFIRM_S = 0.1
# A detection is where a track was expected if their IoU is at least this. Lower values let a long-lost track take over
# a stranger, higher ones lose people at 5 frames/s.
_EXPECTED_IOU = 0.2
# A runner covers two body heights a second; half a height on top for a box that jumps when a part is hidden.
_RUN_HEIGHTS_PER_S = 2.0
_JUMP_HEIGHTS = 0.5
# Who falls comes to lie at most so far, middle to middle.
_FALL_HEIGHTS = 1.0
# A descriptor of a box that another box covers by more than this shows two people and is not remembered.
_SHARED = 0.3


@dataclass
class _Live:
    """One track with its filter state: mean (8,), covariance (8, 8)."""

    subject_id: int
    mean: FloatArray
    covariance: FloatArray
    began_at: int  # stamp of the first match, ns
    seen_at: int  # stamp of the last match, ns
    seen_box: Box
    score: float
    state: TrackState = TrackState.TENTATIVE
    hits: int = 1
    age: int = 1
    lost_frames: int = 0
    gallery: Gallery = field(default_factory=Gallery)

    def public(self, box: Box | None = None) -> Track:
        if box is None:
            box = _as_box(kalman.to_boxes(self.mean[None])[0])
        du, dv, shape, growth = map(float, self.mean[4:])
        score = self.score if self.state is not TrackState.LOST else 0.0
        return Track(
            self.subject_id, box, (du, dv, shape, growth), score, self.state, self.hits, self.age, self.lost_frames
        )


class DeepSort:
    """Follows people through the frames of one camera.

    max_age_s: how long a confirmed track outlives its last detection.
    n_init: matches that make a track confirmed (or fewer, at least two, over 0.1 s); a miss before that ends it.
    score: a detection below it starts no track. weak_score: one below it is not believed where the track was just seen
    and nothing else speaks for it. faint_score: one below it is not used at all.
    max_distance: largest cosine distance to the gallery where the track was expected. With the descriptor of
    `perception.appearance` 0.15 keeps 99 of 100 looks of a person who falls, bends or turns, a second or more after
    the last look, and turns away half of the other people in the same picture. twin_distance: the same where the
    track was not expected; 0.04 keeps 19 of 20 looks of a person who walks and lets 3 of 100 others in.
    motion_weight: λ in [0, 1], share of the overlap in the cost of the cascade, the rest are looks.
    min_iou, weak_min_iou: smallest overlap of prediction and box in the second and the third stage.
    Raises ValueError for a value outside its range.
    """

    def __init__(
        self,
        max_age_s: float = 3.0,
        n_init: int = 3,
        score: float = 0.35,
        weak_score: float = 0.2,
        faint_score: float = 0.12,
        max_distance: float = 0.15,
        twin_distance: float = 0.04,
        motion_weight: float = 0.7,
        min_iou: float = 0.3,
        weak_min_iou: float = 0.3,
    ) -> None:
        if max_age_s <= 0:
            raise ValueError(f"max_age_s: is {max_age_s}, must be above 0 seconds")
        if n_init < 1:
            raise ValueError(f"n_init: is {n_init}, must be at least 1 match")
        if not 0 <= faint_score <= weak_score <= score <= 1:
            raise ValueError(
                f"faint_score, weak_score, score: are {faint_score}, {weak_score}, {score}, need "
                "0 <= faint_score <= weak_score <= score <= 1"
            )
        if not 0 <= twin_distance <= max_distance <= 2 or max_distance == 0:
            raise ValueError(
                f"twin_distance, max_distance: are {twin_distance}, {max_distance}, cosine distances need "
                "0 <= twin_distance <= max_distance <= 2 and max_distance above 0"
            )
        for name, value in (("motion_weight", motion_weight), ("min_iou", min_iou), ("weak_min_iou", weak_min_iou)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name}: is {value}, must be within 0 and 1")
        self._max_age_ns = int(max_age_s * _NS_PER_S)
        self._n_init = n_init
        self._score = score
        self._weak_score = weak_score
        self._faint_score = faint_score
        self._max_distance = max_distance
        self._twin_distance = twin_distance
        self._motion_weight = motion_weight
        self._min_iou = min_iou
        self._weak_min_iou = weak_min_iou
        self._clutter = Clutter()
        self._live: list[_Live] = []
        self._dropped: list[Track] = []
        self._last_id = 0
        self._stamp: int | None = None

    @property
    def dropped(self) -> list[Track]:
        """Confirmed tracks that the last update gave up, as LOST, with the box in which they were last seen."""
        return list(self._dropped)

    def update(self, detections: Detections, descriptors: Descriptor | None, stamp_ns: int) -> list[Track]:
        """Return all live tracks after one frame, in the order of their SubjectID, the LOST ones with predicted boxes.

        descriptors: (N, D) unit vectors, one for each detection, or None to follow by motion alone.
        stamp_ns: of κ. Raises ValueError for a stamp that is not later than the last one, a wrong count of
        descriptors, and a box without area or with a value that is not finite.
        """
        self._require(detections, descriptors, stamp_ns)
        dt = 0.0 if self._stamp is None else (stamp_ns - self._stamp) / _NS_PER_S
        self._stamp = stamp_ns
        self._predict(dt)
        self._drop_old(stamp_ns)

        boxes = np.asarray(detections.boxes, np.float64)
        measurements = kalman.to_measurements(boxes)
        pairs, unmatched = self._match(boxes, measurements, detections.scores, descriptors, stamp_ns)
        self._learn(pairs, measurements, detections, descriptors, stamp_ns)
        free = np.setdiff1d(np.flatnonzero(detections.scores >= self._faint_score), [column for _, column in pairs])
        self._clutter.add(self._lonely(boxes[np.setdiff1d(free, unmatched)]), stamp_ns)
        matched = {row for row, _ in pairs}
        self._miss([track for row, track in enumerate(self._live) if row not in matched])
        self._begin(unmatched, measurements, detections, descriptors, stamp_ns)
        return [track.public() for track in self._live]

    def _require(self, detections: Detections, descriptors: Descriptor | None, stamp_ns: int) -> None:
        if self._stamp is not None and stamp_ns <= self._stamp:
            raise ValueError(f"stamp_ns: {stamp_ns} is not later than the last frame's {self._stamp}; sort the frames")
        if descriptors is not None and len(descriptors) != len(detections):
            raise ValueError(f"descriptors: {len(descriptors)} for {len(detections)} detections, need one for each")
        boxes = detections.boxes
        good = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        if not good.all():
            worst = int(np.flatnonzero(~good)[0])
            raise ValueError(f"boxes[{worst}]: {boxes[worst].tolist()} has no area or a value that is not finite")

    def _predict(self, dt: float) -> None:
        if not self._live or dt == 0:
            return
        means, covariances = self._states(self._live)
        lost = np.array([track.state is TrackState.LOST for track in self._live])
        means[lost, 6:] *= np.exp(-dt / _GROWTH_KEPT_S)
        means[lost, 5] *= np.exp(-dt / _FALLING_KEPT_S)
        means, covariances = kalman.predict(means, covariances, dt)
        seen = kalman.to_measurements(np.array([track.seen_box for track in self._live]))
        means[:, 2:4] = np.maximum(means[:, 2:4], _LEAST_SHAPE * seen[:, 2:4])
        self._store(self._live, means, covariances)
        for track in self._live:
            track.age += 1

    def _drop_old(self, stamp_ns: int) -> None:
        old = [track for track in self._live if stamp_ns - track.seen_at > self._max_age_ns]
        self._live = [track for track in self._live if stamp_ns - track.seen_at <= self._max_age_ns]
        confirmed = [track for track in old if track.state is not TrackState.TENTATIVE]
        for track in confirmed:
            track.state = TrackState.LOST
        self._dropped = [track.public(track.seen_box) for track in confirmed]

    def _match(
        self,
        boxes: FloatArray,
        measurements: FloatArray,
        scores: npt.NDArray[np.float32],
        descriptors: Descriptor | None,
        stamp_ns: int,
    ) -> tuple[list[tuple[int, int]], list[int]]:
        """Return the pairs (live row, detection) of all four stages, and the strong detections that are left."""
        strong = np.flatnonzero(scores >= self._score).tolist()
        if not self._live:
            return [], strong
        weak = np.flatnonzero((scores >= self._weak_score) & (scores < self._score)).tolist()
        ages = [track.lost_frames for track in self._live]
        young = [row for row, track in enumerate(self._live) if track.state is TrackState.TENTATIVE]
        known = [row for row, track in enumerate(self._live) if track.state is not TrackState.TENTATIVE]

        overlap_cost = 1 - np.asarray(iou(kalman.to_boxes(self._states(self._live)[0]), boxes), np.float64)
        looks_cost = self._cost(measurements, overlap_cost, descriptors, stamp_ns)
        first = matching.cascade(looks_cost, ages, known, strong)
        just_seen = [row for row in first.tracks if ages[row] == 0]
        cost = np.where(overlap_cost <= 1 - self._min_iou, overlap_cost, matching.FORBIDDEN)
        second = matching.assign(cost, young + just_seen, first.detections)
        cost = np.where(overlap_cost <= 1 - self._weak_min_iou, overlap_cost, matching.FORBIDDEN)
        third = matching.assign(cost, [row for row in second.tracks if row in just_seen], weak)
        pairs = first.pairs + second.pairs + third.pairs
        left = sorted(set(known) - {row for row, _ in pairs})
        if not left or descriptors is None:  # without looks nothing says whether a faint box is somebody
            return pairs, second.detections
        faint = np.flatnonzero((scores >= self._faint_score) & (scores < self._score))
        faint = faint[~self._clutter.known(boxes[faint], stamp_ns)]
        # Beside somebody who was found, a faint box is another view of the same person, or of two in one box.
        taken = boxes[[column for _, column in pairs] + second.detections]
        faint = faint[~_part_of_each_other(boxes[faint], taken)]
        fourth = matching.cascade(self._faint_cost(measurements, descriptors, stamp_ns), ages, left, faint.tolist())
        return pairs + fourth.pairs, second.detections

    def _cost(
        self, measurements: FloatArray, overlap_cost: FloatArray, descriptors: Descriptor | None, stamp_ns: int
    ) -> FloatArray:
        """Return (tracks, detections) costs in [0, 1] of the cascade, FORBIDDEN outside the gates."""
        means, covariances = self._states(self._live)
        motion = kalman.gating_distances(means, covariances, measurements) / kalman.GATE
        allowed = (motion <= 1) & self._reachable(measurements, stamp_ns)
        expected = overlap_cost <= 1 - _EXPECTED_IOU
        if descriptors is None:
            cost = overlap_cost
            allowed &= expected
        else:
            looks = self._looks(descriptors)
            allowed &= looks <= np.where(expected, self._max_distance, self._twin_distance)
            cost = self._motion_weight * overlap_cost + (1 - self._motion_weight) * looks / self._max_distance
        return np.where(allowed, cost, matching.FORBIDDEN)

    def _faint_cost(self, measurements: FloatArray, descriptors: Descriptor, stamp_ns: int) -> FloatArray:
        """Return the same for faint boxes. Who falls is not where walking on would lead, so looks and reach decide."""
        looks = self._looks(descriptors)
        allowed = self._reachable(measurements, stamp_ns, _FALL_HEIGHTS) & (looks <= self._max_distance)
        return np.where(allowed, looks / self._max_distance, matching.FORBIDDEN)

    def _looks(self, descriptors: Descriptor) -> FloatArray:
        return np.stack([track.gallery.distances(descriptors) for track in self._live])

    def _reachable(
        self, measurements: FloatArray, stamp_ns: int, most_heights: float = np.inf
    ) -> npt.NDArray[np.bool_]:
        """Return (tracks, detections) whether somebody can have got there since the track was seen."""
        unseen_s = np.array([stamp_ns - track.seen_at for track in self._live]) / _NS_PER_S
        seen = kalman.to_measurements(np.array([track.seen_box for track in self._live]))
        reach = np.minimum(_JUMP_HEIGHTS + _RUN_HEIGHTS_PER_S * unseen_s, most_heights) * seen[:, 3]
        moved = np.linalg.norm(measurements[None, :, :2] - seen[:, None, :2], axis=2)
        return np.asarray(moved <= reach[:, None])

    def _lonely(self, boxes: FloatArray) -> FloatArray:
        """Return those boxes that touch nobody: what was not taken may still be of somebody who is there."""
        if not self._live:
            return boxes
        near = np.concatenate(
            (kalman.to_boxes(self._states(self._live)[0]), np.array([track.seen_box for track in self._live]))
        )
        return boxes[~(intersections(boxes, near) > 0).any(axis=1)]

    def _learn(
        self,
        pairs: Sequence[tuple[int, int]],
        measurements: FloatArray,
        detections: Detections,
        descriptors: Descriptor | None,
        stamp_ns: int,
    ) -> None:
        if not pairs:
            return
        tracks = [self._live[row] for row, _ in pairs]
        columns = [column for _, column in pairs]
        self._store(tracks, *kalman.update(*self._states(tracks), measurements[columns]))
        alone = _alone(detections.boxes)
        for track, column in zip(tracks, columns, strict=True):
            track.hits += 1
            track.lost_frames = 0
            proven = track.hits >= self._n_init or stamp_ns - track.began_at >= _CONFIRM_S * _NS_PER_S
            if track.state is TrackState.LOST or proven:
                track.state = TrackState.CONFIRMED
            track.seen_at = stamp_ns
            track.seen_box = _as_box(detections.boxes[column])
            track.score = float(detections.scores[column])
            if descriptors is not None and (alone[column] or not len(track.gallery)):
                track.gallery.add(descriptors[column])

    def _miss(self, tracks: list[_Live]) -> None:
        for track in tracks:
            track.lost_frames += 1
            if track.state is TrackState.CONFIRMED:
                track.state = TrackState.LOST
        ended = [id(track) for track in tracks if track.state is TrackState.TENTATIVE]
        self._live = [track for track in self._live if id(track) not in ended]

    def _begin(
        self,
        columns: list[int],
        measurements: FloatArray,
        detections: Detections,
        descriptors: Descriptor | None,
        stamp_ns: int,
    ) -> None:
        means, covariances = kalman.initiate(measurements[columns])
        for column, mean, covariance in zip(columns, means, covariances, strict=True):
            self._last_id += 1
            box, score = _as_box(detections.boxes[column]), float(detections.scores[column])
            track = _Live(self._last_id, mean, covariance, stamp_ns, stamp_ns, box, score)
            if self._n_init == 1:
                track.state = TrackState.CONFIRMED
            if descriptors is not None:
                track.gallery.add(descriptors[column])
            self._live.append(track)

    @staticmethod
    def _states(tracks: list[_Live]) -> tuple[FloatArray, FloatArray]:
        return np.stack([track.mean for track in tracks]), np.stack([track.covariance for track in tracks])

    @staticmethod
    def _store(tracks: list[_Live], means: FloatArray, covariances: FloatArray) -> None:
        for track, mean, covariance in zip(tracks, means, covariances, strict=True):
            track.mean, track.covariance = mean, covariance


def _as_box(values: npt.NDArray[np.floating]) -> Box:
    x0, y0, x1, y1 = map(float, values)
    return x0, y0, x1, y1


def _part_of_each_other(boxes: FloatArray, others: FloatArray) -> npt.NDArray[np.bool_]:
    """Return (N,) whether a box shares more than _SHARED of the smaller one with any other."""
    smaller = np.minimum(areas(boxes)[:, None], areas(others)[None])
    return np.asarray((intersections(boxes, others) > _SHARED * smaller).any(axis=1))


def _alone(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return (N,) True where no other box covers more than _SHARED of the box."""
    covered = intersections(boxes, boxes) / areas(boxes)[:, None]
    np.fill_diagonal(covered, 0)
    return np.asarray(covered.max(axis=1, initial=0) <= _SHARED)
