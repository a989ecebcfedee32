"""Estimates the keypoints of each person in a box with MoveNet."""

from collections.abc import Sequence

import numpy as np

from privcam_core.detection.contrast import normalize_contrast
from privcam_core.detection.crops import Square, require_boxes
from privcam_core.detection.turned_detection import turn_picture, turn_points_back
from privcam_core.images.png import require_bgr8
from privcam_core.models import Session, load
from privcam_core.types.arrays import Float32Array, FloatArray, Image
from privcam_core.types.perception import DetectionSource
from privcam_core.types.skeleton import KEYPOINT_COUNT


class PoseEstimator:
    """Estimates the pose of each person: K = 17 keypoints (u, v, ρ) for every box of a frame (Eq. 1)."""

    def __init__(
        self,
        fast: bool | None = None,
        threads: int = 1,
        accurate_model: str = "movenet_thunder",
        fast_model: str = "movenet_lightning",
    ) -> None:
        """Load the models.

        fast: True for the lighter model always, which takes about a quarter of the time, False for the more accurate
        one always, None for the one that is asked for. threads: processor cores. *_model: MoveNets of the manifest.

        Raises: ModelError where a model is missing.
        """
        self._accurate = load(fast_model if fast else accurate_model, threads=threads)
        self._light = load(fast_model, threads=threads) if fast is None else self._accurate

    def estimate(
        self,
        image: Image,
        boxes: FloatArray,
        turns: Sequence[DetectionSource] | None = None,
        *,
        accurate: bool = True,
    ) -> Float32Array:
        """Return (N, 17, 3) float32: u, v in picture px and the confidence ρ in [0, 1], in COCO-17 order.

        image: (H, W, 3) uint8 BGR. boxes: (N, 4) as x0, y0, x1, y1 in px. turns: how the crop of each box is turned
        before the network sees it; None: no crop is turned. Left and right are the subject's own with every turn.
        accurate: with the more accurate model.
        Raises: ValueError for another kind of picture or boxes, or another count of turns.
        """
        require_bgr8(image)
        require_boxes(boxes)
        turns = [DetectionSource.WHOLE] * len(boxes) if turns is None else turns
        session = self._accurate if accurate else self._light
        poses = np.empty((len(boxes), KEYPOINT_COUNT, 3), np.float32)
        for pose, box, turn in zip(poses, boxes, turns, strict=True):
            pose[:] = _estimate(session, image, Square.around(box, session.entry.decode["crop"]), turn)
        return poses


def _estimate(session: Session, image: Image, square: Square, turn: DetectionSource) -> Float32Array:
    # The contrast is that of the crop: a dark corner of a lit room is dark.
    crop = turn_picture(normalize_contrast(square.crop(image, session.entry.input.size[0])), turn)
    (output,) = session.run_picture(np.ascontiguousarray(crop))
    found = output.reshape(KEYPOINT_COUNT, 3)
    # A turned picture is no mirror image, so left and right stay.
    upright = turn_points_back(found[:, 1::-1], turn, 1.0, 1.0)
    return to_picture(np.column_stack([upright[:, ::-1], found[:, 2]]), square)


def to_picture(found: Float32Array, square: Square) -> Float32Array:
    """Return (17, 3) u, v, ρ in picture px from MoveNet's (17, 3) y, x, score, y and x as fractions of the square."""
    u = square.left + found[:, 1] * square.side
    v = square.top + found[:, 0] * square.side
    return np.column_stack([u, v, np.clip(found[:, 2], 0, 1)]).astype(np.float32)
