"""Describes the appearance of clothes: a hand-crafted descriptor that separates the persons of one scene for minutes.

The default models include no re-identification network. The descriptor is personal data: it stays in the memory of the
tracker process, is never published or stored, and is deleted with its track.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from privcam_core.detection.turned_detection import turn_picture
from privcam_core.images.png import require_bgr8
from privcam_core.types.arrays import Float32Array, Float64Array, FloatArray, Image
from privcam_core.types.boxes import pixel_slices
from privcam_core.types.perception import DetectionSource

# Size in px to which a person is scaled: small enough to remove folds and faces and to keep the colours.
_WIDTH = 24
_HEIGHT = 48
# Head, shoulders, chest, hips, thighs, legs: clothes differ from top to bottom.
_STRIPES = 6
# Histogram bins of the lightness.
_LIGHTNESS_BINS = 8
# Histogram bins of each of the colour axes a and b of CIELAB.
_COLOUR_BINS = 8
# Colours of clothes stay within about this distance from grey on a and b; colours beyond count in the outermost bin.
_COLOUR_REACH = 48.0
# Value of grey on a and b, in 8 bits.
_GREY = 128.0
# Histogram bins of the orientation of edges: a checked shirt has other edges than a plain one.
_EDGE_BINS = 6
# Fraction of the lightness in the squared length of the descriptor; the four fractions add up to 1.
_LIGHTNESS_FRACTION = 0.25
# Fraction of each of the colour axes a and b: colour depends least on lighting and pose.
_COLOUR_FRACTION = 0.3
# Fraction of the edges.
_EDGE_FRACTION = 0.15
# The background is at the sides of a box: columns have a Gaussian weight of this standard deviation, in box widths.
_CENTRE_SIGMA = 0.22
# Added to the sum of a histogram, so that one without weight gives 0.
_EPSILON = 1e-6


class AppearanceDescriptor:
    """Describes persons by soft colour and edge histograms in horizontal stripes, weighted towards the middle."""

    size = _STRIPES * (_LIGHTNESS_BINS + 2 * _COLOUR_BINS + _EDGE_BINS)

    def __init__(self) -> None:
        columns = (np.arange(_WIDTH) + 0.5) / _WIDTH - 0.5
        weight = np.exp(-0.5 * (columns / _CENTRE_SIGMA) ** 2)
        self._weight = np.tile(weight, _HEIGHT).astype(np.float32)
        self._stripe = np.repeat(np.arange(_HEIGHT) * _STRIPES // _HEIGHT, _WIDTH)

    def describe(self, image: Image, boxes: FloatArray, turns: Sequence[DetectionSource] | None = None) -> Float32Array:
        """Return (N, D) unit vectors of the persons in `boxes`.

        image: (H, W, 3) uint8 BGR. boxes: (N, 4) x0, y0, x1, y1 in px; only the part inside the picture is
        described; a box outside the picture gives the vector of a black picture. turns: how each person is turned to
        be upright; None: all are. Raises ValueError for another kind of picture, for boxes of another shape, for
        another count of turns, and for a value that is not finite.
        """
        require_bgr8(image)
        boxes = np.asarray(boxes, np.float64)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"boxes: have shape {boxes.shape}, need (N, 4)")
        if not np.isfinite(boxes).all():
            raise ValueError("boxes: a value is not finite")
        turns = [DetectionSource.WHOLE] * len(boxes) if turns is None else turns
        crops = [_crop(image, box, turn) for box, turn in zip(boxes, turns, strict=True)]
        return self._describe_crops(np.stack(crops)) if crops else np.zeros((0, self.size), np.float32)

    def _describe_crops(self, crops: Image) -> Float32Array:
        """Return (N, D) unit vectors of (N, _HEIGHT, _WIDTH, 3) crops, all computed together."""
        lab = cv2.cvtColor(crops.reshape(-1, _WIDTH, 3), cv2.COLOR_BGR2LAB).reshape(crops.shape).astype(np.float32)
        lightness, a, b = (lab[..., channel] for channel in range(3))
        edges = [(cv2.Sobel(one, cv2.CV_32F, 1, 0), cv2.Sobel(one, cv2.CV_32F, 0, 1)) for one in lightness]
        across, down = np.stack([one for one, _ in edges]), np.stack([one for _, one in edges])
        angle = np.arctan2(down, across) / np.pi % 1.0
        colour = [np.clip((plane - _GREY) / _COLOUR_REACH, -1, 1) / 2 + 0.5 for plane in (a, b)]
        weight = np.tile(self._weight, (len(crops), 1))
        parts = (
            self._histograms(lightness / 255, _LIGHTNESS_BINS, weight),
            self._histograms(colour[0], _COLOUR_BINS, weight),
            self._histograms(colour[1], _COLOUR_BINS, weight),
            self._histograms(angle, _EDGE_BINS, weight * np.hypot(across, down).reshape(weight.shape), circular=True),
        )
        # The square root makes the dot product the Bhattacharyya coefficient of the histograms.
        fractions = _LIGHTNESS_FRACTION, _COLOUR_FRACTION, _COLOUR_FRACTION, _EDGE_FRACTION
        vectors = np.concatenate([np.sqrt(f * part) for f, part in zip(fractions, parts, strict=True)], axis=1)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    def _histograms(self, values: FloatArray, bins: int, weight: FloatArray, circular: bool = False) -> Float32Array:
        """Return (N, stripes * bins) soft histograms of values in [0, 1]; a stripe's sum is 1, or 0 without weight.

        values: (N, _HEIGHT, _WIDTH). weight: (N, pixels).
        """
        place = values.reshape(weight.shape) * (bins if circular else bins - 1)
        low = np.minimum(place.astype(np.intp), bins - 1)
        remainder = (place - low).astype(np.float32)
        high = (low + 1) % bins if circular else np.minimum(low + 1, bins - 1)
        first = (np.arange(len(values))[:, None] * _STRIPES + self._stripe) * bins
        index = np.concatenate((first + low, first + high), axis=None)
        shares = np.concatenate((weight * (1 - remainder), weight * remainder), axis=None)
        count = np.bincount(index, shares, len(values) * _STRIPES * bins).reshape(len(values), _STRIPES, bins)
        fractions = count / (count.sum(axis=2, keepdims=True) + _EPSILON)
        return np.asarray(fractions.reshape(len(values), -1), np.float32)


def _crop(image: Image, box: Float64Array, turn: DetectionSource) -> Image:
    """Return the part of the box, px, that is inside the picture, turned and scaled to (_HEIGHT, _WIDTH, 3)."""
    crop = image[pixel_slices(box, image.shape[0], image.shape[1])]
    if not crop.size:
        return np.zeros((_HEIGHT, _WIDTH, 3), np.uint8)
    return np.asarray(cv2.resize(turn_picture(crop, turn), (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
