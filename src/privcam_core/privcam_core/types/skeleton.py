"""The skeleton of all poses: COCO-17 with its topology.

Keypoint arrays are (17, 3) float: u, v in picture pixels (origin top left) and the confidence ρ in [0, 1].
"Left" is the subject's own left.
"""

from enum import IntEnum

import numpy as np

from privcam_core.types.arrays import BoolArray, FloatArray


class Joint(IntEnum):
    """Index of each keypoint in the COCO-17 order."""

    NOSE = 0
    LEFT_EYE = 1
    RIGHT_EYE = 2
    LEFT_EAR = 3
    RIGHT_EAR = 4
    LEFT_SHOULDER = 5
    RIGHT_SHOULDER = 6
    LEFT_ELBOW = 7
    RIGHT_ELBOW = 8
    LEFT_WRIST = 9
    RIGHT_WRIST = 10
    LEFT_HIP = 11
    RIGHT_HIP = 12
    LEFT_KNEE = 13
    RIGHT_KNEE = 14
    LEFT_ANKLE = 15
    RIGHT_ANKLE = 16


KEYPOINT_COUNT = len(Joint)

HEAD = (Joint.NOSE, Joint.LEFT_EYE, Joint.RIGHT_EYE, Joint.LEFT_EAR, Joint.RIGHT_EAR)
TORSO = (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.RIGHT_HIP, Joint.LEFT_HIP)

# Limbs as (near joint, far joint), from the trunk outwards.
LIMBS: tuple[tuple[Joint, Joint], ...] = (
    (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW),
    (Joint.LEFT_ELBOW, Joint.LEFT_WRIST),
    (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW),
    (Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST),
    (Joint.LEFT_HIP, Joint.LEFT_KNEE),
    (Joint.LEFT_KNEE, Joint.LEFT_ANKLE),
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE),
    (Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE),
)

# A keypoint with a lower confidence is treated as not visible by all code that draws or measures.
SEEN = 0.2


def seen(keypoints: FloatArray, threshold: float = SEEN) -> BoolArray:
    """Return the (17,) mask of keypoints whose confidence reaches `threshold`."""
    return keypoints[:, 2] >= threshold


def midpoint(keypoints: FloatArray, a: Joint, b: Joint) -> FloatArray | None:
    """Return the (2,) midpoint of two joints in px, the visible one if only one is visible, None if neither is."""
    visible = [keypoints[j, :2] for j in (a, b) if keypoints[j, 2] >= SEEN]
    return np.mean(visible, axis=0) if visible else None
