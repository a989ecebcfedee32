"""Results of detection and tracking: boxes with scores, tracks, and the regions of presences.

Boxes are x0, y0, x1, y1 in picture pixels (origin top left) and may extend beyond the picture.
"""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from privcam_core.types.arrays import Box, Float32Array


class DetectionSource(IntEnum):
    """How a person was found. The turned ones name how the picture was turned before the network saw it."""

    WHOLE = 0  # in the whole picture
    ENLARGED = 1  # in an enlarged region
    TURNED_LEFT = 2  # in an enlarged region, turned by 90 degrees anticlockwise
    TURNED_RIGHT = 3  # in an enlarged region, turned by 90 degrees clockwise
    UPSIDE_DOWN = 4  # in an enlarged region, turned by 180 degrees


# The sources in which a body was found that is not upright.
TURNED = (DetectionSource.TURNED_LEFT, DetectionSource.TURNED_RIGHT, DetectionSource.UPSIDE_DOWN)


@dataclass(frozen=True, eq=False)
class Detections:
    """Person boxes of one frame, best first. boxes: (N, 4) float32 px. scores: (N,) float32 in [0, 1].

    sources: (N,) uint8, `DetectionSource`; without it all are WHOLE. fresh: False for the boxes of an earlier frame,
    which stand for those of this one, at which the detector did not look.
    """

    boxes: Float32Array
    scores: Float32Array
    sources: npt.NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    fresh: bool = True

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.scores), 4):
            raise ValueError(f"boxes: expected shape ({len(self.scores)}, 4) to go with scores, got {self.boxes.shape}")
        if not len(self.sources):
            object.__setattr__(self, "sources", np.full(len(self.scores), DetectionSource.WHOLE, np.uint8))
        if self.sources.shape != (len(self.scores),):
            raise ValueError(f"sources: expected shape ({len(self.scores)},), got {self.sources.shape}")

    def __len__(self) -> int:
        return len(self.scores)

    def with_min_score(self, score: float) -> "Detections":
        """Return the detections that score at least `score`."""
        keep = self.scores >= score
        return Detections(self.boxes[keep], self.scores[keep], self.sources[keep], self.fresh)


class TrackState(IntEnum):
    """Life of a track."""

    TENTATIVE = 0  # matched in too few frames to be confirmed
    CONFIRMED = 1  # matched in the last frame at which the detector looked
    LOST = 2  # confirmed before, not matched in that frame: the box is the prediction


@dataclass(frozen=True)
class Track:
    """One tracked subject in one frame.

    velocity: of the box centre x and y (px/s), of the aspect ratio w/h (1/s), of the height (px/s).
    score: of the matched detection, 0 while lost. hits, age, lost_frames: counts of frames. source: of the last
    matched detection.
    """

    subject_id: int
    box: Box
    velocity: tuple[float, float, float, float]
    score: float
    state: TrackState
    hits: int
    age: int
    lost_frames: int
    source: DetectionSource = DetectionSource.WHOLE


@dataclass(frozen=True)
class PresenceRegion:
    """Where one presence of the privacy engine is. Privacy: it never leaves the edge.

    number: of the presence, from 1. box: px. animate: it moved by itself, or was taken for a person. followed: by a
    track. still_s: time since it was followed or moving.
    """

    number: int
    box: Box
    animate: bool
    followed: bool
    still_s: float
