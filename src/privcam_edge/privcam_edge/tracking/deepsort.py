"""DeepSORT (Wojke, Bewley, Paulus 2017): people keep their number from frame to frame, also through short hiding.

Kept from the paper: the Kalman filter and its Mahalanobis gate, the matching cascade by age with the cosine distance
to a gallery of appearances, IoU as second stage for young and just seen tracks, and the life of a track. Changed:
- Time is seconds between the stamps of κ, never a count of frames, so 5 and 30 frames/s and skipped frames are alike.
- A third stage, from ByteTrack (Zhang et al. 2022), lets a box that scores too low to be believed alone go on with a
  track that was just seen. In `privcam_evaluation.tracking.tracking_eval` HOTA and IDF1 are lower without it at 10 and
  30 frames/s; at 6 it makes no clear difference.
- A fourth stage lets somebody who is known go on with a faint box, as people on the floor have: where they can be, that
  looks like them, and is of nothing that was found there before they came (`clutter.py`).
- The camera stands still, so how well the boxes fit counts beside the looks (the paper's λ is 0, for moving cameras),
  and somebody who is found where nobody was expected has to look the same much more closely. Nobody is found farther
  from where they were last seen than a runner gets. Without descriptors only boxes that overlap can match.
"""

from collections.abc import Sequence

import numpy as np

from privcam_core.types.boxes import intersections
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_edge.tracking import kalman
from privcam_edge.tracking.active_track import FloatArray, Live, as_box, seen_boxes, states, store
from privcam_edge.tracking.association import Association
from privcam_edge.tracking.clutter import Clutter
from privcam_edge.tracking.gallery import Descriptor
from privcam_edge.tracking.occlusion import alone

_NS_PER_S = 1e9
# While nobody sees the person, walking goes on, but growing and falling is not extrapolated for longer than this.
_GROWTH_KEPT_S, _FALLING_KEPT_S = 0.1, 0.3
# However fast a box shrank, a prediction keeps this share of the height and of the width over height last seen.
_LEAST_SHAPE = 0.3
# Two matches this far apart prove as much as n_init of them in a row: at 5 frames/s three would take 0.4 s.
_CONFIRM_S = 0.1


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
        self._max_age_ns = int(max_age_s * _NS_PER_S)
        self._n_init = n_init
        self._faint_score = faint_score
        self._association = Association(
            score=score,
            weak_score=weak_score,
            faint_score=faint_score,
            max_distance=max_distance,
            twin_distance=twin_distance,
            motion_weight=motion_weight,
            min_iou=min_iou,
            weak_min_iou=weak_min_iou,
        )
        self._clutter = Clutter()
        self._live: list[Live] = []
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
        pairs, unmatched = self._association.match(
            self._live, boxes, detections.scores, descriptors, self._clutter, stamp_ns
        )
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
        means, covariances = states(self._live)
        lost = np.array([track.state is TrackState.LOST for track in self._live])
        means[lost, 6:] *= np.exp(-dt / _GROWTH_KEPT_S)
        means[lost, 5] *= np.exp(-dt / _FALLING_KEPT_S)
        means, covariances = kalman.predict(means, covariances, dt)
        seen = kalman.to_measurements(seen_boxes(self._live))
        means[:, 2:4] = np.maximum(means[:, 2:4], _LEAST_SHAPE * seen[:, 2:4])
        store(self._live, means, covariances)
        for track in self._live:
            track.age += 1

    def _drop_old(self, stamp_ns: int) -> None:
        old = [track for track in self._live if stamp_ns - track.seen_at > self._max_age_ns]
        self._live = [track for track in self._live if stamp_ns - track.seen_at <= self._max_age_ns]
        confirmed = [track for track in old if track.state is not TrackState.TENTATIVE]
        for track in confirmed:
            track.state = TrackState.LOST
        self._dropped = [track.public(track.seen_box) for track in confirmed]

    def _lonely(self, boxes: FloatArray) -> FloatArray:
        """Return those boxes that touch nobody: what was not taken may still be of somebody who is there."""
        if not self._live:
            return boxes
        near = np.concatenate((kalman.to_boxes(states(self._live)[0]), seen_boxes(self._live)))
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
        store(tracks, *kalman.update(*states(tracks), measurements[columns]))
        unshared = alone(detections.boxes)
        for track, column in zip(tracks, columns, strict=True):
            track.hits += 1
            track.lost_frames = 0
            proven = track.hits >= self._n_init or stamp_ns - track.began_at >= _CONFIRM_S * _NS_PER_S
            if track.state is TrackState.LOST or proven:
                track.state = TrackState.CONFIRMED
            track.seen_at = stamp_ns
            track.seen_box = as_box(detections.boxes[column])
            track.score = float(detections.scores[column])
            if descriptors is not None and (unshared[column] or not len(track.gallery)):
                track.gallery.add(descriptors[column])

    def _miss(self, tracks: list[Live]) -> None:
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
            box, score = as_box(detections.boxes[column]), float(detections.scores[column])
            track = Live(self._last_id, mean, covariance, stamp_ns, stamp_ns, box, score)
            if self._n_init == 1:
                track.state = TrackState.CONFIRMED
            if descriptors is not None:
                track.gallery.add(descriptors[column])
            self._live.append(track)
