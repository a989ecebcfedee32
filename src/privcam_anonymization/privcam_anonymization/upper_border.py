"""Heads at the upper border of the picture: what is published of them there is a function of the place alone.

Where a head leaves the picture depends on the stature: people whose height is known teach an attacker the row, and some
minutes of others' walks then tell theirs. So of a body that the border cuts off, or would cut off were it taller, those
keypoints are published that the standard body would show in its place, whether or not they are in the picture. What is
published of a head above the border is the standard head; nothing of the person is in it.
"""

from math import log

import numpy as np

from privcam_anonymization.features import GAZE, HEIGHT, SHAPE, TURN
from privcam_anonymization.standard_body import TRUNK, Posture, place_body
from privcam_core.types.arrays import BoolArray, Float32Array, Float64Array
from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import HEAD, KEYPOINT_COUNT, SEEN, Joint

# A box that ends this near to the border, in fractions of the picture's height, is taken to be cut off by it.
_BORDER = 0.02
# The box of the tallest people is so many times as high as the standard body ...
_TALLEST = 1.25
# ... while they are upright: the trunk is not foreshortened to less than this, nor tilted.
_MIN_UPRIGHT = 0.8
_SHOULDERS = (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
_ARMS = (
    (Joint.LEFT_SHOULDER, [Joint.LEFT_ELBOW, Joint.LEFT_WRIST]),
    (Joint.RIGHT_SHOULDER, [Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST]),
)
_UPPER = np.isin(np.arange(KEYPOINT_COUNT), (*HEAD, *_SHOULDERS))
_FACE = np.isin(np.arange(KEYPOINT_COUNT), (Joint.NOSE, Joint.LEFT_EYE, Joint.RIGHT_EYE))
# What a subject that was never seen whole is published with: upright, seen from the front, looking straight ahead.
_UPRIGHT = {HEIGHT: 0.0, SHAPE: log(0.4), TURN: 1.0, GAZE: 0.0}


def is_cut_off(pose: SubjectPose, last: Posture | None, shape: tuple[int, int]) -> bool:
    """Return whether the upper border of the picture cuts off this subject, or would cut off a taller one.

    last: what was published of it last. shape: (H, W) px.
    """
    would_be = (
        last is not None
        and last.place[1] < _TALLEST * last.stature
        and -float(last.directions[TRUNK][1]) >= _MIN_UPRIGHT
    )
    return would_be or pose.box[1] <= _BORDER * shape[0]


def without_the_cut(features: Float64Array, visible: BoolArray) -> tuple[Float64Array, BoolArray]:
    """Return the (20,) features of somebody cut off, and which of height, shape, turn and gaze are known, (4,).

    The box ends at the border, and keypoints beyond it tell nothing of turn and gaze. visible: (17,).
    """
    known = np.array([False, False, visible[list(_SHOULDERS)].all(), visible[list(HEAD)].any()])
    features = features.copy()
    for measured, (feature, upright) in zip(known, _UPRIGHT.items(), strict=True):
        if not measured:
            features[feature] = upright
    return features, known


def publishable(confidence: Float32Array, posture: Posture, *, cut_off: bool) -> Float32Array:
    """Return the (17,) confidences to publish, of those that were estimated.

    cut_off: see `is_cut_off`. Keypoints of head and shoulders of such a subject that are not seen, and of arms whose
    shoulder is not, are published as if they were, where the standard body has them in the picture; whoever is seen
    from behind keeps hiding the face.
    """
    visible = confidence >= SEEN
    if not visible.any():
        return confidence
    in_picture = place_body(posture, visible)[:, 1] >= 0
    added = _UPPER & ~(_FACE & (posture.turn < 0))
    for shoulder, arm in _ARMS:
        added[arm] = not visible[shoulder]
    added &= ~visible & cut_off
    return np.where(in_picture, np.where(added, np.float32(1), confidence), np.float32(0))
