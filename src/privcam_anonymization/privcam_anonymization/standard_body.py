"""The standard body: computes the keypoints of one body from a posture. Nothing of a person's build is in them."""

from dataclasses import dataclass, replace
from math import asin, cos, sin

import numpy as np

from privcam_core.drawing.geometry import length, right_of, unit
from privcam_core.drawing.stature import TRUNK_LENGTH
from privcam_core.types.arrays import BoolArray, Float64Array
from privcam_core.types.skeleton import HEAD, KEYPOINT_COUNT, Joint

# Lengths as fractions of the stature (Drillis and Contini 1966, in Winter, "Biomechanics", fig. 4.1).
UPPER_ARM = 0.186
FOREARM = 0.146
THIGH = 0.245
SHIN = 0.246
# From the middle of the shoulders to the middle of the head, as a fraction of the stature.
NECK_FRACTION = 0.13
# Between the shoulders, seen from the front, as a fraction of the stature.
SHOULDERS_FRACTION = 0.22
# Between the hips, seen from the front, as a fraction of the stature.
HIPS_FRACTION = 0.13

# The directions of a posture in this order: the trunk from hips to shoulders, each arm from shoulder to wrist, each
# thigh and shin.
TRUNK, LEFT_ARM, RIGHT_ARM, LEFT_THIGH, LEFT_SHIN, RIGHT_THIGH, RIGHT_SHIN = range(7)
ARMS = slice(LEFT_ARM, LEFT_THIGH)
LEGS = slice(LEFT_THIGH, RIGHT_SHIN + 1)
# Full lengths of the directions, as fractions of the stature.
FULL = np.array([TRUNK_LENGTH, *[UPPER_ARM + FOREARM] * 2, *[THIGH, SHIN] * 2])
# Directions of a body part that is not visible.
REST = np.array([(0.0, -1.0)] + [(0.0, 1.0)] * 6)
DIRECTIONS = len(REST)
_ANKLES = [Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE]
_BELOW_HEAD = [
    Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.LEFT_HIP, Joint.RIGHT_HIP, Joint.LEFT_KNEE, Joint.RIGHT_KNEE,
]  # fmt: skip

# Face keypoints of the standard head, from its middle, as fractions of the stature: to the subject's left, up, forward.
_FACE = {
    Joint.NOSE: (0.0, -0.015, 0.06),
    Joint.LEFT_EYE: (0.018, 0.008, 0.05),
    Joint.RIGHT_EYE: (-0.018, 0.008, 0.05),
    Joint.LEFT_EAR: (0.042, 0.0, 0.0),
    Joint.RIGHT_EAR: (-0.042, 0.0, 0.0),
}


@dataclass(frozen=True, eq=False)
class Posture:
    """The posture of a body, without its build.

    place: (2,) px, its ground contact (see `ground_contact`). stature: px. directions: (7, 2) in the picture, in the
    order above; a length below 1 is foreshortening, or a bent arm. turn: of the trunk, 1 is the front, 0 a side, -1 the
    back. gaze: sine of the head's yaw, 1 looks to the picture's right.
    """

    place: Float64Array
    stature: float
    directions: Float64Array
    turn: float
    gaze: float

    def interpolate(self, other: "Posture", fraction: float) -> "Posture":
        """Return the posture at `fraction` of the straight way from this posture to another."""
        return Posture(
            place=self.place + fraction * (other.place - self.place),
            stature=self.stature + fraction * (other.stature - self.stature),
            directions=self.directions + fraction * (other.directions - self.directions),
            turn=self.turn + fraction * (other.turn - self.turn),
            gaze=self.gaze + fraction * (other.gaze - self.gaze),
        )


def ground_contact(points: Float64Array, visible: BoolArray) -> Float64Array:
    """Return the ground contact of a body in px, (2,): below the middle of its trunk, at its lowest visible keypoint.

    points: (17, 2) px. visible: (17,), at least one. Without a trunk, the middle of all visible keypoints counts.
    """
    trunk = [j for j in (Joint.LEFT_HIP, Joint.RIGHT_HIP, Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER) if visible[j]]
    across = points[trunk, 0] if trunk else points[visible, 0]
    return np.array([across.mean(), points[visible, 1].max()])


def hidden_below(posture: Posture, visible: BoolArray) -> float:
    """Return how far the feet of the standard body are below its lowest visible keypoint, in statures.

    visible: (17,). The legs of which no ankle is visible continue the trunk: whoever is upright stands or sits, and of
    somebody who lies they lie. Of a body without a visible trunk or knee nothing is assumed: it may be too far away for
    its keypoints to be found.
    """
    if not visible[_BELOW_HEAD].any() or visible[_ANKLES].any():
        return 0.0
    points = place_body(replace(posture, place=np.zeros(2), stature=1.0), visible)
    down = -unit(posture.directions[TRUNK])
    knees = [joint for joint in (Joint.LEFT_KNEE, Joint.RIGHT_KNEE) if visible[joint]]
    hips = points[[Joint.LEFT_HIP, Joint.RIGHT_HIP]].mean(axis=0)
    feet = [points[joint] + down * SHIN for joint in knees] or [hips + down * (THIGH + SHIN)]
    return max(0.0, *(float(foot[1]) for foot in feet))


def place_body(posture: Posture, visible: BoolArray) -> Float64Array:
    """Return the (17, 2) keypoints in px of the standard body in a posture, with its ground contact in its place.

    visible: (17,) keypoints that count for the ground contact, at least one.
    """
    bones = posture.directions * FULL[:, None]
    points = np.zeros((KEYPOINT_COUNT, 2))
    up = unit(posture.directions[TRUNK])
    # The picture's right of an upright body is the subject's left when the front is seen.
    aside = right_of(up) * posture.turn / 2
    for side, hip, knee, ankle, shoulder, elbow, wrist, thigh, arm in (
        (1, 11, 13, 15, 5, 7, 9, LEFT_THIGH, LEFT_ARM),
        (-1, 12, 14, 16, 6, 8, 10, RIGHT_THIGH, RIGHT_ARM),
    ):
        points[hip] = side * aside * HIPS_FRACTION
        points[knee] = points[hip] + bones[thigh]
        points[ankle] = points[knee] + bones[thigh + 1]
        points[shoulder] = bones[TRUNK] + side * aside * SHOULDERS_FRACTION
        points[elbow] = points[shoulder] + _elbow(bones[arm], side * aside)
        points[wrist] = points[shoulder] + bones[arm]
    back = posture.turn < 0 and not visible[Joint.NOSE]
    points[list(HEAD)] = bones[TRUNK] + up * NECK_FRACTION + _face(up, posture.gaze, back)
    points *= posture.stature
    return points + posture.place - ground_contact(points, visible)


def _elbow(wrist: Float64Array, outwards: Float64Array) -> Float64Array:
    """Return the elbow, from the shoulder: on the lower side of the arm, or outwards where both sides are equally low.

    wrist: (2,) from the shoulder. outwards: (2,) away from the body. Both are fractions of the stature.
    """
    reach = min(max(length(wrist), 1e-6), UPPER_ARM + FOREARM)
    along = wrist / reach
    # The elbow lies on the circles around the shoulder and around the wrist.
    far = min(max((UPPER_ARM**2 - FOREARM**2 + reach**2) / (2 * reach), -UPPER_ARM), UPPER_ARM)
    off = (UPPER_ARM**2 - far**2) ** 0.5
    sides = [along * far + right_of(along) * off * sign for sign in (1, -1)]
    return max(sides, key=lambda elbow: float(elbow[1] + 0.1 * elbow @ outwards))


def _face(up: Float64Array, gaze: float, back: bool) -> Float64Array:
    """Return the (5, 2) face keypoints from the middle of the head, as fractions of the stature."""
    yaw = asin(min(max(gaze, -1.0), 1.0))
    aside = -cos(yaw) if back else cos(yaw)
    return np.array(
        [(left * aside + forward * sin(yaw)) * right_of(up) + high * up for left, high, forward in _FACE.values()]
    )
