"""Detects faces with BlazeFace, which gives one score and one box for each anchor of a fixed grid."""

import numpy as np

from privcam_core.detection.person_detector import letterbox, suppress_non_maxima
from privcam_core.images.png import require_bgr8
from privcam_core.models import load
from privcam_core.types.arrays import Float32Array, Image
from privcam_core.types.perception import Detections

# Grids of anchors of each model, as (stride in px of the network input, anchors in each cell).
_GRIDS = {"face_short": ((8, 2), (16, 6)), "face_full": ((4, 1),)}
# Scores are logits; beyond this the sigmoid is 0 or 1 in float32.
_MAX_LOGIT = 80.0


class FaceDetector:
    """Detects face boxes, which reach from the brows to the chin and from ear to ear."""

    def __init__(self, model: str = "face_full", score: float = 0.5, threads: int = 1) -> None:
        """Load the model.

        model: face_short detects faces larger than about a sixth of the picture, face_full smaller ones too.
        score: keep boxes scoring at least this. threads: processor cores.

        Raises: ValueError for a score outside of [0, 1] or another model. ModelError where the model is missing.
        """
        if not 0.0 <= score <= 1.0:
            raise ValueError(f"score: {score} is not in [0, 1]")
        if model not in _GRIDS:
            raise ValueError(f"model: {model!r} is not a face detector; there are {', '.join(_GRIDS)}")
        self._score = score
        self._session = load(model, threads=threads)
        self._side = self._session.entry.input.size[0]
        self._anchors = anchor_centres(self._side, _GRIDS[model])

    def detect(self, image: Image) -> Detections:
        """Return the faces in a (H, W, 3) uint8 BGR picture, best first, boxes in px of that picture.

        Raises: ValueError for another kind of picture.
        """
        require_bgr8(image)
        canvas, scale = letterbox(image, (self._side, self._side))
        values, logits = self._session.run_picture(canvas)
        boxes, scores = decode_boxes(values[0], logits[0, :, 0], self._anchors, self._score)
        return suppress_non_maxima(boxes / np.float32(scale), scores)


def anchor_centres(side: int, grids: tuple[tuple[int, int], ...]) -> Float32Array:
    """Return the (N, 2) centres x, y of all anchors in px, in the order of the network's outputs.

    side: of the square network input in px. grids: (stride, anchors in each cell), rows first within a grid.
    """
    centres = []
    for stride, repeats in grids:
        middle = (np.arange(side // stride, dtype=np.float32) + 0.5) * stride
        x, y = np.meshgrid(middle, middle)
        centres.append(np.column_stack([x.ravel(), y.ravel()]).repeat(repeats, axis=0))
    return np.concatenate(centres)


def decode_boxes(
    values: Float32Array, logits: Float32Array, centres: Float32Array, score: float
) -> tuple[Float32Array, Float32Array]:
    """Return the boxes (N, 4) in px of the network input and their scores (N,) in [0, 1].

    values: (A, 4 or more), the offset of the box centre from the anchor, then width and height, in px of the input
    (keypoints follow and are not used). logits: (A,). centres: (A, 2). score: anchors below it are dropped.
    """
    scores = 1 / (1 + np.exp(-np.clip(logits, -_MAX_LOGIT, _MAX_LOGIT)))
    kept = np.flatnonzero(scores >= score)
    middle, half = centres[kept] + values[kept, :2], values[kept, 2:4] / 2
    return np.hstack([middle - half, middle + half]).astype(np.float32), scores[kept].astype(np.float32)
