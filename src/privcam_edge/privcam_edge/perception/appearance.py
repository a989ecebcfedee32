"""What clothes look like: a hand-made descriptor that tells people of one scene apart for seconds to minutes.

No weights of a re-identification network are among the default models. The descriptor is personal data: it stays in
the memory of the tracker process, is never published or stored, and goes with the track.
"""

import cv2
import numpy as np

from privcam_core.images.png import require_bgr8
from privcam_core.types.arrays import Float32Array, Float64Array, FloatArray, Image

# A person is looked at in this size, small enough that a fold or a face is gone and the colours are left.
_WIDTH, _HEIGHT = 24, 48
# Head, shoulders, chest, hips, thighs, legs: clothes differ from top to bottom.
_STRIPES = 6
# Histogram bins for lightness, and for each of the colour axes a and b of CIELAB.
_LIGHT_BINS = 8
_COLOUR_BINS = 8
# Clothes stay within about this distance from grey on a and b; what is beyond counts as the outermost bin.
_COLOUR_REACH = 48.0
_GREY = 128.0
# Orientations of edges: a stripe with pockets or a checked shirt has others than a plain one.
_EDGE_BINS = 6
# Share of light, a, b and edges in the squared length of the descriptor. Colour changes least with light and pose.
_SHARES = (0.25, 0.3, 0.3, 0.15)
# The background is at the sides of a box: the weight of a column falls off like a Gaussian of this width (of the box).
_CENTRE_SIGMA = 0.22
_SMALLEST = 1e-6


class AppearanceDescriptor:
    """Describes people by soft colour and edge histograms in horizontal stripes, weighted towards the middle."""

    size = _STRIPES * (_LIGHT_BINS + 2 * _COLOUR_BINS + _EDGE_BINS)

    def __init__(self) -> None:
        columns = (np.arange(_WIDTH) + 0.5) / _WIDTH - 0.5
        weight = np.exp(-0.5 * (columns / _CENTRE_SIGMA) ** 2)
        self._weight = np.tile(weight, _HEIGHT).astype(np.float32)
        self._stripe = np.repeat(np.arange(_HEIGHT) * _STRIPES // _HEIGHT, _WIDTH)

    def describe(self, image: Image, boxes: FloatArray) -> Float32Array:
        """Return (N, D) unit vectors of the people in `boxes`.

        image: (H, W, 3) uint8 BGR. boxes: (N, 4) x0, y0, x1, y1 in px; the part inside of the picture is described,
        and a box with no part inside gives the same vector as a black one. Raises ValueError for another kind of
        picture, and for boxes of another shape or with a value that is not finite.
        """
        require_bgr8(image)
        boxes = np.asarray(boxes, np.float64)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"boxes: have shape {boxes.shape}, need (N, 4)")
        if not np.isfinite(boxes).all():
            raise ValueError("boxes: a value is not finite")
        described = [self._describe_crop(_crop(image, box)) for box in boxes]
        return np.stack(described) if described else np.zeros((0, self.size), np.float32)

    def _describe_crop(self, crop: Image) -> Float32Array:
        lab = cv2.cvtColor(crop, cv2.COLOR_BGR2LAB).astype(np.float32)
        light, a, b = (lab[..., channel] for channel in range(3))
        across, down = cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)
        angle = np.arctan2(down, across) / np.pi % 1.0
        colour = [np.clip((plane - _GREY) / _COLOUR_REACH, -1, 1) / 2 + 0.5 for plane in (a, b)]
        parts = (
            self._histogram(light / 255, _LIGHT_BINS, self._weight),
            self._histogram(colour[0], _COLOUR_BINS, self._weight),
            self._histogram(colour[1], _COLOUR_BINS, self._weight),
            self._histogram(angle, _EDGE_BINS, self._weight * np.hypot(across, down).ravel(), circular=True),
        )
        # The square root makes the dot product the Bhattacharyya coefficient of the histograms.
        vector = np.concatenate([np.sqrt(share * part) for share, part in zip(_SHARES, parts, strict=True)], axis=None)
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    def _histogram(self, values: FloatArray, bins: int, weight: FloatArray, circular: bool = False) -> Float32Array:
        """Return (stripes, bins) soft histograms of values in [0, 1], each stripe with sum 1 (or 0 without weight)."""
        place = values.ravel() * (bins if circular else bins - 1)
        low = np.minimum(place.astype(np.intp), bins - 1)
        share = (place - low).astype(np.float32)
        high = (low + 1) % bins if circular else np.minimum(low + 1, bins - 1)
        index = np.concatenate((self._stripe * bins + low, self._stripe * bins + high))
        count = np.bincount(index, np.concatenate((weight * (1 - share), weight * share)), _STRIPES * bins)
        count = count.reshape(_STRIPES, bins)
        return np.asarray(count / (count.sum(axis=1, keepdims=True) + _SMALLEST), np.float32)


def _crop(image: Image, box: Float64Array) -> Image:
    """Return the part of the box that is in the picture as (_HEIGHT, _WIDTH, 3)."""
    height, width = image.shape[:2]
    x0, y0 = np.floor(np.clip(box[:2], 0, (width, height))).astype(int)
    x1, y1 = np.ceil(np.clip(box[2:], 0, (width, height))).astype(int)
    if x1 <= x0 or y1 <= y0:
        return np.zeros((_HEIGHT, _WIDTH, 3), np.uint8)
    return np.asarray(cv2.resize(image[y0:y1, x0:x1], (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
