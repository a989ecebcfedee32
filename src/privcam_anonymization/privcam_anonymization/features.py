"""Extracts the features of a pose: the 20 clipped numbers from which everything that is published of it is computed.

Noise is added to the features before anything is published, so their limits determine the sensitivity of the mechanism.
The features, (20,): place 2 (fractions of the picture's width and height), ln of the box's height over the stature of
the subject, ln of the box's width over its height, turn, gaze, directions 7 x 2 (see `Posture`). None of them is a
size: a subject that is taller by any factor, at the same place, has the same features.
"""

from math import log, sin

import numpy as np

from privcam_anonymization.standard_body import (
    DIRECTIONS,
    FULL,
    LEFT_ARM,
    LEFT_THIGH,
    REST,
    RIGHT_ARM,
    RIGHT_THIGH,
    SHOULDERS_FRACTION,
    TRUNK,
    UPPER_ARM,
    ground_contact,
)
from privcam_core.drawing.geometry import length, right_of, unit
from privcam_core.types.arrays import BoolArray, Float64Array
from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import HEAD, Joint

# Where each feature is.
PLACE = slice(0, 2)
HEIGHT = 2
SHAPE = 3
TURN = 4
GAZE = 5
TOWARDS = slice(6, 6 + 2 * DIRECTIONS)

# Limits of the features before the directions. A place may be half a picture beyond the border.
MIN_FEATURES = np.array([-0.5, -0.5, log(0.1), log(0.25), -1.0, -1.0])
MAX_FEATURES = np.array([1.5, 1.5, log(2.0), log(4.0), 1.0, 1.0])

# A face is turned fully aside when the nose is this far from the middle between the ears, as a fraction of the stature.
_NOSE_ASIDE_FRACTION = 0.06

_SHOULDERS = (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
_HIPS = (Joint.LEFT_HIP, Joint.RIGHT_HIP)
_EARS = (Joint.LEFT_EAR, Joint.RIGHT_EAR)
_ARMS = (
    (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_WRIST),
    (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST),
)
_LEGS = (
    (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE),
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE),
)


def clip_features(features: Float64Array) -> Float64Array:
    """Return the (20,) features within their limits: directions in the unit disk, the others in their range."""
    directions = features[TOWARDS].reshape(DIRECTIONS, 2)
    directions = directions / np.maximum(np.hypot(*directions.T), 1.0)[:, None]
    return np.concatenate([np.clip(features[: TOWARDS.start], MIN_FEATURES, MAX_FEATURES), directions.ravel()])


def extract_features(
    pose: SubjectPose, visible: BoolArray, stature: float, full: Float64Array, shape: tuple[int, int]
) -> tuple[Float64Array, BoolArray]:
    """Return the (20,) clipped features of a pose, and (7,) which directions are known; the others are at rest.

    visible: (17,) keypoints that count. stature: px. full: (7,) px, the length of each direction without
    foreshortening. shape: (H, W) of the picture.
    """
    points = pose.keypoints[:, :2].astype(np.float64)
    vectors, known = measure_directions(points, visible)
    directions = np.where(known[:, None], vectors / full[:, None], REST)
    up = unit(directions[TRUNK])
    x0, y0, x1, y1 = pose.box
    place = ground_contact(points, visible) if visible.any() else np.array([(x0 + x1) / 2, y1])
    features = [
        *(place / (shape[1], shape[0])),
        log((y1 - y0) / max(stature, 1.0)),
        log((x1 - x0) / (y1 - y0)),
        _turn(points, visible, up, stature),
        _gaze(pose, points, visible, up, stature),
        *directions.ravel(),
    ]
    return clip_features(np.array(features)), known


def measure_directions(points: Float64Array, visible: BoolArray) -> tuple[Float64Array, BoolArray]:
    """Return the (7, 2) directions in px, and (7,) which of them are known.

    points: (17, 2) px. visible: (17,). An arm without its wrist continues as its upper arm; a leg without its knee is
    straight.
    """
    directions, known = np.zeros((DIRECTIONS, 2)), np.zeros(DIRECTIONS, np.bool_)
    shoulders, hips = _middle(points, visible, _SHOULDERS), _middle(points, visible, _HIPS)
    if shoulders is not None and hips is not None and length(shoulders - hips) > 0:
        directions[TRUNK], known[TRUNK] = shoulders - hips, True
    for row, (shoulder, elbow, wrist) in zip((LEFT_ARM, RIGHT_ARM), _ARMS, strict=True):
        if visible[shoulder] and visible[wrist]:
            directions[row], known[row] = points[wrist] - points[shoulder], True
        elif visible[shoulder] and visible[elbow]:
            directions[row], known[row] = (points[elbow] - points[shoulder]) * FULL[row] / UPPER_ARM, True
    for row, (hip, knee, ankle) in zip((LEFT_THIGH, RIGHT_THIGH), _LEGS, strict=True):
        if visible[hip] and visible[ankle] and not visible[knee]:
            directions[row : row + 2] = (points[ankle] - points[hip]) / 2
            known[row : row + 2] = True
        for bone, (near, far) in ((row, (hip, knee)), (row + 1, (knee, ankle))):
            if visible[near] and visible[far]:
                directions[bone], known[bone] = points[far] - points[near], True
    return directions, known


def _middle(points: Float64Array, visible: BoolArray, joints: tuple[Joint, ...]) -> Float64Array | None:
    found = [points[j] for j in joints if visible[j]]
    return np.asarray(np.mean(found, axis=0)) if found else None


def _turn(points: Float64Array, visible: BoolArray, up: Float64Array, stature: float) -> float:
    """Return how far the front of the trunk is seen, from the breadth of the shoulders; 1 if one is not visible."""
    if not all(visible[j] for j in _SHOULDERS):
        return 1.0
    left, right = (points[j] for j in _SHOULDERS)
    return float((left - right) @ right_of(up)) / (SHOULDERS_FRACTION * max(stature, 1.0))


def _gaze(pose: SubjectPose, points: Float64Array, visible: BoolArray, up: Float64Array, stature: float) -> float:
    """Return the sine of the head's yaw: from the head orientation, else from the place of the nose, else 0."""
    if pose.head is not None:
        return sin(pose.head.yaw)
    middle = _middle(points, visible, _EARS)
    if middle is None:
        middle = _middle(points, visible, tuple(j for j in HEAD if j is not Joint.NOSE))
    if middle is None or not visible[Joint.NOSE]:
        return 0.0
    return float((points[Joint.NOSE] - middle) @ right_of(up)) / (_NOSE_ASIDE_FRACTION * max(stature, 1.0))
