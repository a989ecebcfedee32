"""A track as the tracker holds it, with its filter state and its gallery."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from privcam_core.types.arrays import Box, Float64Array, FloatArray
from privcam_core.types.perception import DetectionSource, Track, TrackState
from privcam_perception.tracking import kalman
from privcam_perception.tracking.gallery import Gallery


@dataclass
class ActiveTrack:
    """One track with its filter state: mean (8,), covariance (8, 8)."""

    subject_id: int
    mean: Float64Array
    covariance: Float64Array
    began_at: int  # stamp of the first match, ns
    seen_at: int  # stamp of the last match, ns
    seen_box: Box  # box of the last match, px
    score: float
    state: TrackState = TrackState.TENTATIVE
    hits: int = 1
    age: int = 1
    lost_frames: int = 0
    source: DetectionSource = DetectionSource.WHOLE  # of the last match
    gallery: Gallery = field(default_factory=Gallery)

    def to_track(self, box: Box | None = None) -> Track:
        """Return the track that is published: with this box, px, or with the box of its filter state."""
        if box is None:
            box = as_box(kalman.to_boxes(self.mean[None])[0])
        du, dv, shape, growth = map(float, self.mean[4:])
        score = self.score if self.state is not TrackState.LOST else 0.0
        return Track(
            self.subject_id,
            box,
            (du, dv, shape, growth),
            score,
            self.state,
            self.hits,
            self.age,
            self.lost_frames,
            self.source,
        )


def stack_states(tracks: Sequence[ActiveTrack]) -> tuple[Float64Array, Float64Array]:
    """Return the means (N, 8) and the covariances (N, 8, 8) of one or more tracks."""
    return np.stack([track.mean for track in tracks]), np.stack([track.covariance for track in tracks])


def store_states(tracks: Sequence[ActiveTrack], means: Float64Array, covariances: Float64Array) -> None:
    """Give the tracks new filter states: means (N, 8), covariances (N, 8, 8)."""
    for track, mean, covariance in zip(tracks, means, covariances, strict=True):
        track.mean, track.covariance = mean, covariance


def last_seen_boxes(tracks: Sequence[ActiveTrack]) -> Float64Array:
    """Return the boxes (N, 4) px in which one or more tracks were last seen."""
    return np.array([track.seen_box for track in tracks])


def as_box(values: FloatArray) -> Box:
    """Return an array of four numbers as a box."""
    x0, y0, x1, y1 = map(float, values)
    return x0, y0, x1, y1
