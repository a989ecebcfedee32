"""Finds people: NanoDet, an anchor-free detector that predicts the distance to each side of a box as a distribution."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.images.png import require_bgr8
from privcam_core.models import load
from privcam_core.types.arrays import Float32Array, Image
from privcam_core.types.perception import Detections

# The network halves its picture five times.
_MULTIPLE = 32
# The grey around the picture in the network's training.
_FILL = 114
# As many input pixels as 320×416, which finds what 416×416 finds at three quarters of the cost. A little more is
# allowed, because sides come in steps of 32.
_INPUT_PIXELS = 320 * 416
_INPUT_SLACK = 1.05
# Two boxes that share more of their union than this are one person. 0.5 finds whom 0.6 finds on COCO
# pictures, with a fifth fewer boxes that are nobody's; 0.4 loses people who stand together.
_SAME_PERSON = 0.5
_SMALLEST_SIDE_PX = 1.0


class Detector:
    """Person boxes of a picture."""

    def __init__(self, score: float = 0.05, threads: int = 1, model: str = "nanodet") -> None:
        """Load the model.

        score: keep boxes scoring at least this; low, because the privacy engine wants weak boxes as well (use
        `Detections.at_least` for the others). threads: processor cores. model: a NanoDet of the manifest.

        Raises: ValueError for a score outside of [0, 1]. ModelError where the model is missing.
        """
        if not 0.0 <= score <= 1.0:
            raise ValueError(f"score: {score} is not in [0, 1]")
        self._score = score
        self._session = load(model, threads=threads)

    def __call__(self, image: Image) -> Detections:
        """Return the people in a (H, W, 3) uint8 BGR picture, best first, boxes in px of that picture.

        Raises: ValueError for another kind of picture.
        """
        require_bgr8(image)
        height, width = image.shape[:2]
        size = input_size(height, width)
        canvas, scale = letterbox(image, size)
        outputs = self._session.run_picture(canvas)
        how = self._session.entry.decode
        boxes, scores = decode(outputs, size, self._score, how["strides"], how["bins"], how["person"])
        return best_of_each(boxes / np.float32(scale), scores)


def input_size(height: int, width: int) -> tuple[int, int]:
    """Return the height and width of the network input that shows a picture of this size largest.

    Both are multiples of 32, and their product is near that of 320×416 for every aspect ratio.
    """
    limit = _INPUT_PIXELS * _INPUT_SLACK
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


def decode(
    outputs: Sequence[npt.NDArray[np.floating]],
    size: tuple[int, int],
    score: float,
    strides: Sequence[int],
    bins: int,
    person: int,
) -> tuple[Float32Array, Float32Array]:
    """Return the boxes (N, 4) in px of the network input and their scores (N,).

    outputs: for each stride the class scores (1, cells, classes), then for each stride the logits (1, cells, 4 · bins)
    over the distance to the left, top, right and bottom side, in strides. score: cells below it are left out.
    person: index of the class. Source: generalized focal loss, as in NanoDet.
    """
    levels = len(strides)
    boxes, scores = [], []
    for stride, classes, distances in zip(strides, outputs[:levels], outputs[levels:], strict=True):
        found = classes[0, :, person]
        cells = np.flatnonzero(found >= score)
        columns = size[1] // stride
        centres = (np.column_stack([cells % columns, cells // columns]) + 0.5) * stride
        reach = _expected(distances[0, cells].reshape(len(cells), 4, bins)) * stride
        boxes.append(np.hstack([centres - reach[:, :2], centres + reach[:, 2:]]))
        scores.append(found[cells])
    return np.concatenate(boxes).astype(np.float32), np.concatenate(scores).astype(np.float32)


def _expected(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return the expected bin of softmax distributions over the last axis."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    expected: npt.NDArray[np.floating] = weights @ np.arange(logits.shape[-1]) / weights.sum(axis=-1)
    return expected


def best_of_each(boxes: Float32Array, scores: Float32Array) -> Detections:
    """Return the best of the boxes that show one person, best first (non-maximum suppression). Drops empty boxes."""
    sides = boxes[:, 2:] - boxes[:, :2]
    real = np.flatnonzero((sides >= _SMALLEST_SIDE_PX).all(axis=1))
    corner_and_size = np.hstack([boxes[real, :2], sides[real]])
    # No score threshold here: what is too weak was left out before.
    order = cv2.dnn.NMSBoxes(corner_and_size.tolist(), scores[real].tolist(), 0.0, _SAME_PERSON)
    kept = real[np.asarray(order, np.int64).reshape(-1)]
    return Detections(boxes[kept], scores[kept])
