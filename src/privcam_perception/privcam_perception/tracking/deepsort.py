"""DeepSORT (Wojke, Bewley, Paulus 2017): persons keep their SubjectID from frame to frame, also while briefly hidden.

Kept from the article: the Kalman filter and its Mahalanobis gate, the matching cascade by age with the cosine distance
to a gallery of appearances, IoU as second stage for tentative and just seen tracks, and the life of a track. Changed:
- Time is seconds between the stamps of κ, never a count of frames. So 5 and 30 frames/s and skipped frames are alike.
- A third stage, from ByteTrack (Zhang et al. 2022), extends a just seen track with a low-score box, which could not
  start a track. In `privcam_evaluation.tracking.tracking_eval` HOTA and IDF1 are lower without it at 10 and
  30 frames/s; at 6 it makes no clear difference.
- A fourth stage extends an existing track with a low-confidence box, as persons on the floor have: the box is within
  reach, its appearance matches, and no static object was detected there before (`clutter.py`).
- A box that was found when the detector looked again (`perception/look_again.py`) extends a track that was last seen
  there from match_threshold on, and starts one only from look_activation_threshold on: enlarged and turned, furniture
  resembles people.
- The camera does not move, so the overlap of the boxes counts beside the appearance (the article's λ is 0, for moving
  cameras), and a person at an unexpected place needs a much closer appearance match. A person never moves farther than
  a runner. Without descriptors, only overlapping boxes can match.
"""

from collections.abc import Sequence

import numpy as np

from privcam_core.detection import thresholds
from privcam_core.types.arrays import BoolArray, Float64Array
from privcam_core.types.boxes import intersections
from privcam_core.types.perception import TURNED, Detections, DetectionSource, Track, TrackState
from privcam_core.types.time import NS_PER_S
from privcam_perception.tracking import kalman
from privcam_perception.tracking.active_track import (
    ActiveTrack,
    as_box,
    last_seen_boxes,
    stack_states,
    store_states,
)
from privcam_perception.tracking.association import Association
from privcam_perception.tracking.clutter import Clutter
from privcam_perception.tracking.gallery import Descriptor
from privcam_perception.tracking.occlusion import isolated

# Time constant after which the prediction of a lost track stops to grow or shrink.
_GROWTH_KEPT_S = 0.1
# Time constant after which a lost track is predicted to move down or up no more; it keeps walking on, unless it lies.
_FALLING_KEPT_S = 0.3
# However fast a box shrank, a prediction keeps this fraction of the last seen height and of the width over height.
_MIN_SHAPE = 0.3
# Two matches this far apart prove as much as n_init of them in a row: at 5 frames/s three would take 0.4 s.
_CONFIRM_S = 0.1
# The detector looks at the regions in turn: a tentative track that began with a look outlives misses for this long.
_LOOK_TIMEOUT_S = 0.5


class DeepSort:
    """Tracks the persons of one camera.

    max_age_s: how long a confirmed track outlives its last detection.
    n_init: matches that make a track confirmed (or fewer, two or more, over 0.1 s); a miss before that ends it.
    track_activation_threshold: a detection in the whole picture that scores less starts no track. match_threshold: a
    detection that scores less cannot extend a just seen track by overlap alone. low_confidence_threshold: a detection
    that scores less is not used at all. look_activation_threshold: a detection that was found by looking again and
    scores less starts no track.
    max_cosine_distance: to the gallery, where the track was expected. With the descriptor of
    `perception.appearance`, 0.15 keeps 99 of 100 views of a person who falls, bends or turns, a second or more after
    the last view, and turns away half of the other persons in the same picture. strict_cosine_distance: the same where
    the track was not expected; 0.04 keeps 19 of 20 views of a person who walks and lets 3 of 100 others in.
    motion_weight: λ in [0, 1], weight of the overlap in the cost of the cascade, the rest is appearance.
    min_iou, low_score_min_iou: smallest overlap of prediction and box in the second and the third stage.
    Raises ValueError for a value outside its range.
    """

    def __init__(
        self,
        max_age_s: float = 3.0,
        n_init: int = 3,
        track_activation_threshold: float = thresholds.TRACK_ACTIVATION,
        match_threshold: float = thresholds.MATCH,
        low_confidence_threshold: float = thresholds.LOW_CONFIDENCE,
        look_activation_threshold: float = thresholds.LOOK_ACTIVATION,
        max_cosine_distance: float = 0.15,
        strict_cosine_distance: float = 0.04,
        motion_weight: float = 0.7,
        min_iou: float = 0.3,
        low_score_min_iou: float = 0.3,
    ) -> None:
        if max_age_s <= 0:
            raise ValueError(f"max_age_s: is {max_age_s}, must be above 0 seconds")
        if n_init < 1:
            raise ValueError(f"n_init: is {n_init}, must be at least 1 match")
        self._max_age_ns = int(max_age_s * NS_PER_S)
        self._n_init = n_init
        self._low_confidence_threshold = low_confidence_threshold
        self._association = Association(
            track_activation_threshold=track_activation_threshold,
            match_threshold=match_threshold,
            low_confidence_threshold=low_confidence_threshold,
            look_activation_threshold=look_activation_threshold,
            max_cosine_distance=max_cosine_distance,
            strict_cosine_distance=strict_cosine_distance,
            motion_weight=motion_weight,
            min_iou=min_iou,
            low_score_min_iou=low_score_min_iou,
        )
        self._clutter = Clutter()
        self._tracks: list[ActiveTrack] = []
        self._dropped: list[Track] = []
        self._last_id = 0
        self._stamp: int | None = None

    @property
    def dropped(self) -> list[Track]:
        """Confirmed tracks that the last update gave up, as LOST, with the box in which they were last seen."""
        return list(self._dropped)

    def update(self, detections: Detections, descriptors: Descriptor | None, stamp_ns: int) -> list[Track]:
        """Return all live tracks after one frame, in the order of their SubjectID, the LOST ones with predicted boxes.

        descriptors: (N, D) unit vectors, one for each detection, or None to track by motion alone.
        stamp_ns: of κ. Raises ValueError for a stamp that is not later than the last one, a wrong count of
        descriptors, and a box without area or with a value that is not finite.
        """
        _validate(detections, descriptors)
        self._advance(stamp_ns)
        boxes = np.asarray(detections.boxes, np.float64)
        measurements = kalman.to_measurements(boxes)
        pairs, unmatched = self._association.match(
            self._tracks,
            boxes,
            detections.scores,
            descriptors,
            self._clutter,
            stamp_ns,
            self._found_by_look(detections),
        )
        self._update_matched(pairs, measurements, detections, descriptors, stamp_ns)
        usable = np.flatnonzero(detections.scores >= self._low_confidence_threshold)
        free = np.setdiff1d(usable, [column for _, column in pairs])
        self._clutter.add(self._away_from_tracks(boxes[np.setdiff1d(free, unmatched)]), stamp_ns)
        matched = {row for row, _ in pairs}
        self._update_unmatched([track for row, track in enumerate(self._tracks) if row not in matched], stamp_ns)
        self._start_tracks(unmatched, measurements, detections, descriptors, stamp_ns)
        return [track.to_track() for track in self._tracks]

    def predict(self, stamp_ns: int) -> list[Track]:
        """Return all live tracks, predicted to a frame at which the detector did not look.

        Raises ValueError for a stamp that is not later than the last one.
        """
        self._advance(stamp_ns)
        return [track.to_track() for track in self._tracks]

    def _advance(self, stamp_ns: int) -> None:
        if self._stamp is not None and stamp_ns <= self._stamp:
            raise ValueError(f"stamp_ns: {stamp_ns} is not later than the last frame's {self._stamp}; sort the frames")
        dt = 0.0 if self._stamp is None else (stamp_ns - self._stamp) / NS_PER_S
        self._stamp = stamp_ns
        self._predict(dt)
        self._drop_old(stamp_ns)

    def _found_by_look(self, detections: Detections) -> BoolArray:
        return np.asarray(detections.sources != DetectionSource.WHOLE)

    def _predict(self, dt: float) -> None:
        if not self._tracks or dt == 0:
            return
        means, covariances = stack_states(self._tracks)
        lost = np.array([track.state is TrackState.LOST for track in self._tracks])
        means[lost, 6:] *= np.exp(-dt / _GROWTH_KEPT_S)
        means[lost, 5] *= np.exp(-dt / _FALLING_KEPT_S)
        lying = np.array([track.source in TURNED for track in self._tracks])
        means[lost & lying, 4] *= np.exp(-dt / _FALLING_KEPT_S)
        means, covariances = kalman.predict(means, covariances, dt)
        last = kalman.to_measurements(last_seen_boxes(self._tracks))
        means[:, 2:4] = np.maximum(means[:, 2:4], _MIN_SHAPE * last[:, 2:4])
        store_states(self._tracks, means, covariances)
        for track in self._tracks:
            track.age += 1

    def _drop_old(self, stamp_ns: int) -> None:
        old = [track for track in self._tracks if stamp_ns - track.seen_at > self._max_age_ns]
        self._tracks = [track for track in self._tracks if stamp_ns - track.seen_at <= self._max_age_ns]
        confirmed = [track for track in old if track.state is not TrackState.TENTATIVE]
        for track in confirmed:
            track.state = TrackState.LOST
        self._dropped = [track.to_track(track.seen_box) for track in confirmed]

    def _away_from_tracks(self, boxes: Float64Array) -> Float64Array:
        """Return the boxes that touch no track: another box may still show a part of a tracked person."""
        if not self._tracks:
            return boxes
        near = np.concatenate((kalman.to_boxes(stack_states(self._tracks)[0]), last_seen_boxes(self._tracks)))
        return boxes[~(intersections(boxes, near) > 0).any(axis=1)]

    def _update_matched(
        self,
        pairs: Sequence[tuple[int, int]],
        measurements: Float64Array,
        detections: Detections,
        descriptors: Descriptor | None,
        stamp_ns: int,
    ) -> None:
        if not pairs:
            return
        tracks = [self._tracks[row] for row, _ in pairs]
        columns = [column for _, column in pairs]
        store_states(tracks, *kalman.update(*stack_states(tracks), measurements[columns]))
        unshared = isolated(detections.boxes)
        for track, column in zip(tracks, columns, strict=True):
            track.hits += 1
            track.lost_frames = 0
            confirmed = track.hits >= self._n_init or stamp_ns - track.began_at >= _CONFIRM_S * NS_PER_S
            if track.state is TrackState.LOST or confirmed:
                track.state = TrackState.CONFIRMED
            track.seen_at = stamp_ns
            track.seen_box = as_box(detections.boxes[column])
            track.score = float(detections.scores[column])
            track.source = DetectionSource(detections.sources[column])
            if descriptors is not None and (unshared[column] or not len(track.gallery)):
                track.gallery.add(descriptors[column])

    def _update_unmatched(self, tracks: list[ActiveTrack], stamp_ns: int) -> None:
        for track in tracks:
            track.lost_frames += 1
            if track.state is TrackState.CONFIRMED:
                track.state = TrackState.LOST
        ended = [id(track) for track in tracks if track.state is TrackState.TENTATIVE and not _is_due(track, stamp_ns)]
        self._tracks = [track for track in self._tracks if id(track) not in ended]

    def _start_tracks(
        self,
        columns: list[int],
        measurements: Float64Array,
        detections: Detections,
        descriptors: Descriptor | None,
        stamp_ns: int,
    ) -> None:
        means, covariances = kalman.initiate(measurements[columns])
        for column, mean, covariance in zip(columns, means, covariances, strict=True):
            self._last_id += 1
            box, score = as_box(detections.boxes[column]), float(detections.scores[column])
            track = ActiveTrack(self._last_id, mean, covariance, stamp_ns, stamp_ns, box, score)
            track.source = DetectionSource(detections.sources[column])
            if self._n_init == 1:
                track.state = TrackState.CONFIRMED
            if descriptors is not None:
                track.gallery.add(descriptors[column])
            self._tracks.append(track)


def _is_due(track: ActiveTrack, stamp_ns: int) -> bool:
    """Return whether the detector may still look where it found this track."""
    found_by_look = track.source is not DetectionSource.WHOLE
    return found_by_look and stamp_ns - track.seen_at <= _LOOK_TIMEOUT_S * NS_PER_S


def _validate(detections: Detections, descriptors: Descriptor | None) -> None:
    if descriptors is not None and len(descriptors) != len(detections):
        raise ValueError(f"descriptors: {len(descriptors)} for {len(detections)} detections, need one for each")
    boxes = detections.boxes
    good = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    if not good.all():
        worst = int(np.flatnonzero(~good)[0])
        raise ValueError(f"boxes[{worst}]: {boxes[worst].tolist()} has no area or a value that is not finite")
