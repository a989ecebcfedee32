"""Results of detection and tracking: boxes with scores, and tracks.

Boxes are x0, y0, x1, y1 in picture pixels (origin top left) and may extend beyond the picture.
"""

from dataclasses import dataclass
from enum import IntEnum

from privcam_core.types.arrays import Box, Float32Array


@dataclass(frozen=True, eq=False)
class Detections:
    """Person boxes of one frame, best first. boxes: (N, 4) float32 px. scores: (N,) float32 in [0, 1]."""

    boxes: Float32Array
    scores: Float32Array

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.scores), 4):
            raise ValueError(f"boxes: expected shape ({len(self.scores)}, 4) to go with scores, got {self.boxes.shape}")

    def __len__(self) -> int:
        return len(self.scores)

    def with_min_score(self, score: float) -> "Detections":
        """Return the detections that score at least `score`."""
        keep = self.scores >= score
        return Detections(self.boxes[keep], self.scores[keep])


class TrackState(IntEnum):
    """Life of a track."""

    TENTATIVE = 0  # matched in too few frames to be confirmed
    CONFIRMED = 1  # matched in this frame
    LOST = 2  # confirmed before, not matched in this frame: the box is the prediction


@dataclass(frozen=True)
class Track:
    """One tracked subject in one frame.

    velocity: of the box centre x and y (px/s), of the aspect ratio w/h (1/s), of the height (px/s).
    score: of the matched detection, 0 while lost. hits, age, lost_frames: counts of frames.
    """

    subject_id: int
    box: Box
    velocity: tuple[float, float, float, float]
    score: float
    state: TrackState
    hits: int
    age: int
    lost_frames: int
