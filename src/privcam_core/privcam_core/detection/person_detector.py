"""Detects people with NanoDet, an anchor-free detector: it predicts distributions of the distance to each box side."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.detection import thresholds
from privcam_core.detection.contrast import normalize_contrast
from privcam_core.images.png import require_bgr8
from privcam_core.models import load
from privcam_core.types.arrays import Float32Array, Image
from privcam_core.types.perception import Detections

# The network halves its input five times, so its sides are multiples of this, px.
_MULTIPLE = 32
# Grey level around the picture in the network's training.
_FILL = 114
# Input pixels: 320×416 detects as many people as 416×416 at three quarters of the cost.
_INPUT_PIXELS = 320 * 416
# Allowed factor above that, because sides are multiples of 32.
_INPUT_SLACK = 1.05
# Boxes with a higher IoU are one person. On COCO, 0.5 detects as many people as 0.6 with a fifth fewer false boxes; 0.4
# merges people who stand together.
_SAME_PERSON_IOU = 0.5
_SMALLEST_SIDE_PX = 1.0


class PersonDetector:
    """Detects person boxes."""

    def __init__(
        self,
        score: float = thresholds.REPORT,
        threads: int = 1,
        model: str = "nanodet",
        *,
        normalize: bool = True,
        input_pixels: int = _INPUT_PIXELS,
    ) -> None:
        """Load the model.

        score: keep boxes scoring at least this; low, because the privacy engine needs low-score boxes as well.
        threads: processor cores. model: a NanoDet of the manifest. normalize: stretch the contrast of dark pictures;
        False where the pictures are parts of one that was normalised as a whole. input_pixels: about so many pixels the
        network sees; the time is in proportion. Fewer are enough where one person fills the picture.

        Raises: ValueError for a score outside of [0, 1] or too few pixels. ModelError where the model is missing.
        """
        if not 0.0 <= score <= 1.0:
            raise ValueError(f"score: {score} is not in [0, 1]")
        if input_pixels < _MULTIPLE**2:
            raise ValueError(f"input_pixels: {input_pixels} is less than the network's smallest input, {_MULTIPLE**2}")
        self._score = score
        self._normalize = normalize
        self._input_pixels = input_pixels
        self._session = load(model, threads=threads)

    def detect(self, image: Image) -> Detections:
        """Return the people in a (H, W, 3) uint8 BGR picture, best first, boxes in px of that picture.

        Raises: ValueError for another kind of picture.
        """
        require_bgr8(image)
        height, width = image.shape[:2]
        size = input_size(height, width, self._input_pixels)
        canvas, scale = letterbox(normalize_contrast(image) if self._normalize else image, size)
        outputs = self._session.run_picture(canvas)
        how = self._session.entry.decode
        boxes, scores = decode_boxes(outputs, size, self._score, how["strides"], how["bins"], how["person"])
        return suppress_non_maxima(boxes / np.float32(scale), scores)


def input_size(height: int, width: int, pixels: int = _INPUT_PIXELS) -> tuple[int, int]:
    """Return the height and width of the network input that shows a picture of this size largest.

    Both are multiples of 32, and their product is near `pixels` for every aspect ratio.
    """
    limit = pixels * _INPUT_SLACK
    choices = []
    for rows in range(_MULTIPLE, int(limit) // _MULTIPLE + 1, _MULTIPLE):
        columns = int(limit / rows) // _MULTIPLE * _MULTIPLE
        # A long side beyond what the picture fills would be padding only.
        columns = min(columns, -(-rows * width // height // _MULTIPLE) * _MULTIPLE)
        if columns >= _MULTIPLE:
            choices.append((min(rows / height, columns / width), -rows * columns, (rows, columns)))
    return max(choices)[2]


def letterbox(image: Image, size: tuple[int, int]) -> tuple[Image, float]:
    """Return the picture scaled into the top left of a grey (height, width, 3) canvas, and canvas px per picture px."""
    height, width = image.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = np.full((*size, 3), _FILL, np.uint8)
    cv2.resize(image, inner, dst=canvas[: inner[1], : inner[0]], interpolation=cv2.INTER_LINEAR)
    return canvas, scale


def decode_boxes(
    outputs: Sequence[npt.NDArray[np.floating]],
    size: tuple[int, int],
    score: float,
    strides: Sequence[int],
    bins: int,
    person: int,
) -> tuple[Float32Array, Float32Array]:
    """Return the boxes (N, 4) in px of the network input and their scores (N,).

    outputs: for each stride the class scores (1, cells, classes), then for each stride the logits (1, cells, 4 · bins)
    over the distance to the left, top, right and bottom side, in strides. score: cells below it are dropped.
    person: index of the class. Source: generalized focal loss, as in NanoDet.
    """
    levels = len(strides)
    boxes, scores = [], []
    for stride, classes, distances in zip(strides, outputs[:levels], outputs[levels:], strict=True):
        found = classes[0, :, person]
        cells = np.flatnonzero(found >= score)
        columns = size[1] // stride
        centres = (np.column_stack([cells % columns, cells // columns]) + 0.5) * stride
        reach = _expected_bin(distances[0, cells].reshape(len(cells), 4, bins)) * stride
        boxes.append(np.hstack([centres - reach[:, :2], centres + reach[:, 2:]]))
        scores.append(found[cells])
    return np.concatenate(boxes).astype(np.float32), np.concatenate(scores).astype(np.float32)


def _expected_bin(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return the expected bin of softmax distributions over the last axis."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    expected: npt.NDArray[np.floating] = weights @ np.arange(logits.shape[-1]) / weights.sum(axis=-1)
    return expected


def suppress_non_maxima(boxes: Float32Array, scores: Float32Array) -> Detections:
    """Return the best box of each group with high IoU, highest score first. Drops boxes without area."""
    sides = boxes[:, 2:] - boxes[:, :2]
    real = np.flatnonzero((sides >= _SMALLEST_SIDE_PX).all(axis=1))
    corner_and_size = np.hstack([boxes[real, :2], sides[real]])
    # No score threshold here: the caller has applied it.
    order = cv2.dnn.NMSBoxes(corner_and_size.tolist(), scores[real].tolist(), 0.0, _SAME_PERSON_IOU)
    kept = real[np.asarray(order, np.int64).reshape(-1)]
    return Detections(boxes[kept], scores[kept])
