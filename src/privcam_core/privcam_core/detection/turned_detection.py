"""Detects people in an enlarged and turned region of a picture.

The detector was trained on people who stand. Turned until the body is upright, it also detects people who lie. Picture
coordinates are px with the origin in the top left corner of the top left pixel, so that turning is exact.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from privcam_core.detection.tiling import PictureDetector
from privcam_core.types.arrays import Float32Array, FloatArray, Image, Region
from privcam_core.types.perception import Detections, DetectionSource

_ROTATIONS = {
    DetectionSource.TURNED_LEFT: cv2.ROTATE_90_COUNTERCLOCKWISE,
    DetectionSource.TURNED_RIGHT: cv2.ROTATE_90_CLOCKWISE,
    DetectionSource.UPSIDE_DOWN: cv2.ROTATE_180,
}
# Boxes with a higher IoU are one person, as in the person detector.
_SAME_PERSON_IOU = 0.5


def turn_picture(image: Image, source: DetectionSource) -> Image:
    """Return the picture turned as `source` says. WHOLE and ENLARGED turn nothing."""
    rotation = _ROTATIONS.get(source)
    return image if rotation is None else np.asarray(cv2.rotate(image, rotation), np.uint8)


def turn_points_back(points: FloatArray, source: DetectionSource, height: float, width: float) -> FloatArray:
    """Return points (..., 2), x and y, of a turned picture in the picture before, which is height x width."""
    x, y = points[..., 0], points[..., 1]
    if source is DetectionSource.TURNED_LEFT:
        return np.stack([width - y, x], axis=-1)
    if source is DetectionSource.TURNED_RIGHT:
        return np.stack([y, height - x], axis=-1)
    if source is DetectionSource.UPSIDE_DOWN:
        return np.stack([width - x, height - y], axis=-1)
    return points


def turn_boxes_back(boxes: FloatArray, source: DetectionSource, height: float, width: float) -> FloatArray:
    """Return boxes (N, 4) of a turned picture in the picture before, which is height x width."""
    corners = turn_points_back(boxes.reshape(-1, 2, 2), source, height, width)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def detect_in_region(detector: PictureDetector, image: Image, region: Region, source: DetectionSource) -> Detections:
    """Return the people in a region that is enlarged to the network's input and turned as `source` says.

    image: (H, W, 3) uint8 BGR. The boxes are in px of `image`.
    """
    x0, y0, x1, y1 = region
    found = detector.detect(np.ascontiguousarray(turn_picture(image[y0:y1, x0:x1], source)))
    boxes = turn_boxes_back(found.boxes, source, y1 - y0, x1 - x0) + np.array([x0, y0, x0, y0], np.float32)
    return Detections(boxes.astype(np.float32), found.scores, np.full(len(found), source, np.uint8))


@dataclass(frozen=True)
class TurnedDetector:
    """A detector that turns every picture as `turn` says before `detector` sees it. Boxes are in px of the picture."""

    detector: PictureDetector
    turn: DetectionSource

    def detect(self, image: Image) -> Detections:
        """Return the detections in a (H, W, 3) uint8 BGR picture, best first."""
        return detect_in_region(self.detector, image, (0, 0, image.shape[1], image.shape[0]), self.turn)


def merge_detections(first: Detections, second: Detections) -> Detections:
    """Return the best box of each group with high IoU of both, highest score first."""
    boxes: Float32Array = np.concatenate([first.boxes, second.boxes])
    scores = np.concatenate([first.scores, second.scores])
    sources = np.concatenate([first.sources, second.sources])
    corner_and_size = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    order = cv2.dnn.NMSBoxes(corner_and_size.tolist(), scores.tolist(), 0.0, _SAME_PERSON_IOU)
    kept = np.asarray(order, np.int64).reshape(-1)
    return Detections(boxes[kept], scores[kept], sources[kept])
