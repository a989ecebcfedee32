"""Segments people: a segmentation network, a body drawn around each skeleton, and a fail-safe to the whole box.

No mask of a network is complete, so these masks alone do not guarantee privacy; the background model builds on them.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from privcam_core.detection.crops import Square, require_boxes
from privcam_core.images.png import require_bgr8
from privcam_core.models import Session, load
from privcam_core.types.arrays import BoolArray, FloatArray, Image, Mask
from privcam_core.types.boxes import pixel_region
from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import HEAD, KEYPOINT_COUNT, LIMBS, TORSO, Joint, seen

# Probability from which a pixel is a person. Low: a pixel too many costs background, a pixel too few costs privacy.
_PERSON = 0.2
# How far a person's mask may extend beyond the box, in box sizes; farther pixels may be of a neighbour.
_REACH = 0.15
# Minimum fraction of the box that a mask fills; with less, the whole box is masked.
_MIN_FILL = 0.3

# The mask is grown by this many px by default.
_DILATION = 8

# Widths of the body in units of `body_scale`. Half width of an arm:
_ARM = 0.16
# Half width of a leg:
_LEG = 0.2
# Distance from the line between joints of the trunk to its outline:
_TRUNK = 0.14
# Radius of the head:
_HEAD = 0.38
# Width of the shoulders of an average adult, in lengths of the trunk.
_SHOULDERS_TO_TRUNK = 0.75
_SMALLEST_SCALE_PX = 4.0
# OpenCV draws integer coordinates with this many fractional bits.
_SUBPIXEL_BITS = 4


class PersonMasks:
    """Segments all people in a frame."""

    def __init__(self, threads: int = 1, dilation: int = _DILATION, model: str = "selfie") -> None:
        """Load the model.

        threads: processor cores. dilation: px by which the result is grown. model: of the manifest; gives the
        probability that each pixel of a square around a person is of that person.

        Raises: ValueError for a negative dilation. ModelError where the model is missing.
        """
        if dilation < 0:
            raise ValueError(f"dilation: {dilation} px is negative")
        self._session = load(model, threads=threads)
        self._dilation = dilation

    def segment(self, image: Image, boxes: FloatArray, keypoints: FloatArray) -> BoolArray:
        """Return (H, W) bool, True where a person is or may be.

        image: (H, W, 3) uint8 BGR. boxes: (N, 4) px. keypoints: (N, 17, 3) of the same people, px and ρ.
        Raises: ValueError for another kind of picture, or if boxes and keypoints differ in number.
        """
        require_bgr8(image)
        require_boxes(boxes)
        if keypoints.shape != (len(boxes), KEYPOINT_COUNT, 3):
            raise ValueError(f"keypoints: have shape {keypoints.shape}, need {(len(boxes), KEYPOINT_COUNT, 3)}")
        union = np.zeros(image.shape[:2], np.uint8)
        for points in keypoints:
            draw_body(union, points)
        union = dilate(union, self._dilation)
        for box in boxes:
            add_person(union, image, box, self._session, self._dilation)
        return union.view(np.bool_)

    def segment_poses(self, image: Image, poses: Sequence[SubjectPose]) -> BoolArray:
        """Return the mask of the people with these poses. Shapes and errors as for `segment`."""
        boxes = np.array([pose.box for pose in poses], np.float32).reshape(-1, 4)
        keypoints = np.array([pose.keypoints for pose in poses], np.float32).reshape(-1, KEYPOINT_COUNT, 3)
        return self.segment(image, boxes, keypoints)


def add_person(union: Mask, image: Image, box: FloatArray, session: Session, dilation: int) -> None:
    """Set the pixels of the person in the box to 1: the segment grown by `dilation` px, or the whole box.

    Pixels farther from the box than _REACH are not set.
    """
    height, width = image.shape[:2]
    reach = _REACH * (box[2:] - box[:2])
    region = pixel_region(np.concatenate([box[:2] - reach, box[2:] + reach]), height, width)
    if region[0] >= region[2] or region[1] >= region[3]:
        return  # the box lies outside of the picture
    square = Square.around(box, session.entry.decode["crop"])
    # The network was trained without black borders, so the border pixels are repeated.
    cut = square.crop(image, session.entry.input.size[0], cv2.BORDER_REPLICATE)
    probability = session.run_picture(cut)[0].reshape(session.entry.input.size)
    found = square.paste_back(probability, region) >= _PERSON
    union[region[1] : region[3], region[0] : region[2]] |= dilate(found.view(np.uint8), dilation)
    x0, y0, x1, y1 = pixel_region(box, height, width)
    in_box = found[y0 - region[1] : y1 - region[1], x0 - region[0] : x1 - region[0]]
    if in_box.size and np.count_nonzero(in_box) < _MIN_FILL * in_box.size:
        union[y0:y1, x0:x1] = 1


def body_mask(shape: tuple[int, int], keypoints: FloatArray) -> BoolArray:
    """Return (H, W), True on the body around the skeletons.

    shape: (H, W) px. keypoints: (N, 17, 3) px and ρ; points that are not visible are skipped with their limbs.
    """
    mask = np.zeros(shape, np.uint8)
    for points in keypoints:
        draw_body(mask, points)
    return mask.view(np.bool_)


def draw_body(mask: Mask, keypoints: FloatArray) -> None:
    """Set the pixels of one body around its skeleton to 1. keypoints: (17, 3) px and ρ."""
    visible = seen(keypoints)
    scale = body_scale(keypoints)
    for near, far in LIMBS:
        if visible[near] and visible[far]:
            _thick_line(mask, keypoints[near], keypoints[far], scale * (_LEG if near >= Joint.LEFT_HIP else _ARM))
    trunk = [keypoints[joint] for joint in TORSO if visible[joint]]
    if len(trunk) > 2:
        cv2.fillConvexPoly(mask, cv2.convexHull(np.array([_fixed(p) for p in trunk])), 1, shift=_SUBPIXEL_BITS)
    for start, end in zip(trunk, trunk[1:] + trunk[:1], strict=True):
        _thick_line(mask, start, end, scale * _TRUNK)
    head = keypoints[[joint for joint in HEAD if visible[joint]]]
    if len(head):
        _disc(mask, head[:, :2].mean(axis=0), scale * _HEAD)


def body_scale(keypoints: FloatArray) -> float:
    """Return the unit of body widths in px: the length of the trunk, or its estimate from the shoulders if longer.

    The maximum is used, because foreshortening only shortens.
    """
    measures = [_SMALLEST_SCALE_PX]
    for near, far, ratio in (
        (Joint.LEFT_SHOULDER, Joint.LEFT_HIP, 1.0),
        (Joint.RIGHT_SHOULDER, Joint.RIGHT_HIP, 1.0),
        (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, _SHOULDERS_TO_TRUNK),
    ):
        if seen(keypoints[[near, far]]).all():
            measures.append(float(np.hypot(*(keypoints[near, :2] - keypoints[far, :2]))) / ratio)
    return max(measures)


def outline_poses(shape: tuple[int, int], poses: Sequence[SubjectPose]) -> BoolArray:
    """Return (H, W), True on the bodies around the skeletons and near them: `PersonMasks` without the network.

    For whoever excludes the boxes of the poses anyway, with more margin than a segment may have. Arms and legs reach
    beyond a box; what the network finds does not.
    """
    keypoints = np.array([pose.keypoints for pose in poses], np.float32).reshape(-1, KEYPOINT_COUNT, 3)
    return dilate(body_mask(shape, keypoints).view(np.uint8), _DILATION).view(np.bool_)


def dilate(mask: Mask, pixels: int) -> Mask:
    """Return the 0/1 mask grown by `pixels` in all directions."""
    if pixels == 0 or not mask.any():
        return mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return np.asarray(cv2.dilate(mask, kernel), np.uint8)


def _fixed(point: FloatArray) -> tuple[int, int]:
    return round(float(point[0]) * 2**_SUBPIXEL_BITS), round(float(point[1]) * 2**_SUBPIXEL_BITS)


def _thick_line(mask: Mask, start: FloatArray, end: FloatArray, radius: float) -> None:
    # OpenCV gives thick lines round ends.
    cv2.line(mask, _fixed(start), _fixed(end), 1, max(1, round(2 * radius)), shift=_SUBPIXEL_BITS)


def _disc(mask: Mask, centre: FloatArray, radius: float) -> None:
    cv2.circle(mask, _fixed(centre), round(radius * 2**_SUBPIXEL_BITS), 1, cv2.FILLED, shift=_SUBPIXEL_BITS)
