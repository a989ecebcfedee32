"""One standard body for everyone: posture numbers in, the keypoints of that body out. Nothing of a person's build."""

from dataclasses import dataclass
from math import asin, cos, sin

import numpy as np
import numpy.typing as npt

from privcam_core.drawing.geometry import length, right_of, unit
from privcam_core.drawing.stature import TRUNK_LENGTH
from privcam_core.types.skeleton import HEAD, KEYPOINT_COUNT, Joint

Vector = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# Shares of the stature (Drillis and Contini 1966, in Winter, "Biomechanics", fig. 4.1).
UPPER_ARM, FOREARM, THIGH, SHIN = 0.186, 0.146, 0.245, 0.246
# From the middle of the shoulders to that of the head; between the shoulders and between the hips, seen in front.
NECK_SHARE, SHOULDERS_SHARE, HIPS_SHARE = 0.13, 0.22, 0.13

# The directions of a posture in this order: the trunk from hips to shoulders, each arm from shoulder to wrist, each
# thigh and shin. Their full lengths as shares of the stature, and how they are when nothing is seen of them.
TRUNK, LEFT_ARM, RIGHT_ARM, LEFT_THIGH, LEFT_SHIN, RIGHT_THIGH, RIGHT_SHIN = range(7)
ARMS, LEGS = slice(LEFT_ARM, LEFT_THIGH), slice(LEFT_THIGH, RIGHT_SHIN + 1)
FULL = np.array([TRUNK_LENGTH, *[UPPER_ARM + FOREARM] * 2, *[THIGH, SHIN] * 2])
REST = np.array([(0.0, -1.0)] + [(0.0, 1.0)] * 6)
DIRECTIONS = len(REST)

# On a standard head, as shares of the stature from its middle: to the subject's left, up, forward.
_FACE = {
    Joint.NOSE: (0.0, -0.015, 0.06),
    Joint.LEFT_EYE: (0.018, 0.008, 0.05),
    Joint.RIGHT_EYE: (-0.018, 0.008, 0.05),
    Joint.LEFT_EAR: (0.042, 0.0, 0.0),
    Joint.RIGHT_EAR: (-0.042, 0.0, 0.0),
}


@dataclass(frozen=True, eq=False)
class Posture:
    """What a body does, without how it is built.

    place: (2,) px, its ground contact (see `contact`). stature: px. directions: (7, 2) in the picture, in the order
    above; a length below 1 is foreshortening, or a bent arm. turn: of the trunk, 1 shows the front, 0 a side, -1 the
    back. gaze: sine of the head's yaw, 1 looks to the picture's right.
    """

    place: Vector
    stature: float
    directions: Vector
    turn: float
    gaze: float

    def towards(self, other: "Posture", share: float) -> "Posture":
        """Return the posture on the straight way to another, `share` of it made."""
        return Posture(*[a + share * (b - a) for a, b in zip(self._numbers(), other._numbers(), strict=True)])

    def _numbers(self) -> tuple[Vector, float, Vector, float, float]:
        return self.place, self.stature, self.directions, self.turn, self.gaze


def contact(points: Vector, shown: BoolArray) -> Vector:
    """Return the ground contact of a body in px, (2,): below the middle of its trunk at the lowest point shown.

    points: (17, 2) px. shown: (17,), at least one. Without a trunk the middle of all that is shown counts.
    """
    trunk = [j for j in (Joint.LEFT_HIP, Joint.RIGHT_HIP, Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER) if shown[j]]
    across = points[trunk, 0] if trunk else points[shown, 0]
    return np.array([across.mean(), points[shown, 1].max()])


def stand(posture: Posture, shown: BoolArray) -> Vector:
    """Return the (17, 2) keypoints in px of the standard body in a posture, with its ground contact in its place.

    shown: (17,) which keypoints count for the contact, at least one.
    """
    bones = posture.directions * FULL[:, None]
    points = np.zeros((KEYPOINT_COUNT, 2))
    up = unit(posture.directions[TRUNK])
    # The picture's right of a body that stands upright is the subject's left when it shows the front.
    aside = right_of(up) * posture.turn / 2
    for side, hip, knee, ankle, shoulder, elbow, wrist, thigh, arm in (
        (1, 11, 13, 15, 5, 7, 9, LEFT_THIGH, LEFT_ARM),
        (-1, 12, 14, 16, 6, 8, 10, RIGHT_THIGH, RIGHT_ARM),
    ):
        points[hip] = side * aside * HIPS_SHARE
        points[knee] = points[hip] + bones[thigh]
        points[ankle] = points[knee] + bones[thigh + 1]
        points[shoulder] = bones[TRUNK] + side * aside * SHOULDERS_SHARE
        points[elbow] = points[shoulder] + _elbow(bones[arm], side * aside)
        points[wrist] = points[shoulder] + bones[arm]
    back = posture.turn < 0 and not shown[Joint.NOSE]
    points[list(HEAD)] = bones[TRUNK] + up * NECK_SHARE + _face(up, posture.gaze, back)
    points *= posture.stature
    return points + posture.place - contact(points, shown)


def _elbow(wrist: Vector, outwards: Vector) -> Vector:
    """Return where the elbow is, from the shoulder: on the lower side of the arm, outwards where both are as low.

    wrist: (2,) from the shoulder. outwards: (2,) away from the body. Shares of the stature.
    """
    reach = min(max(length(wrist), 1e-6), UPPER_ARM + FOREARM)
    along = wrist / reach
    # The elbow lies on both circles around the shoulder and the wrist.
    far = min(max((UPPER_ARM**2 - FOREARM**2 + reach**2) / (2 * reach), -UPPER_ARM), UPPER_ARM)
    off = (UPPER_ARM**2 - far**2) ** 0.5
    sides = [along * far + right_of(along) * off * sign for sign in (1, -1)]
    return max(sides, key=lambda elbow: float(elbow[1] + 0.1 * elbow @ outwards))


def _face(up: Vector, gaze: float, back: bool) -> Vector:
    """Return the (5, 2) face keypoints from the middle of the head, as shares of the stature."""
    yaw = asin(min(max(gaze, -1.0), 1.0))
    aside = -cos(yaw) if back else cos(yaw)
    return np.array(
        [(left * aside + forward * sin(yaw)) * right_of(up) + high * up for left, high, forward in _FACE.values()]
    )
