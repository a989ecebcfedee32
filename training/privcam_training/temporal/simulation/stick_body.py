"""A stick figure in three dimensions: joint angles in, COCO-17 joints out, and the camera that looks at it.

Lengths are in body heights H. Body frame: x to the body's left, y up, z where it faces. Bone lengths as in
`privcam_core.drawing.body` (Drillis and Contini).
"""

from dataclasses import dataclass, fields, replace
from math import radians

import numpy as np

from privcam_core.types.arrays import Float64Array
from privcam_core.types.skeleton import KEYPOINT_COUNT, Joint

TRUNK, UPPER_ARM, FOREARM, THIGH, SHIN = 0.288, 0.186, 0.146, 0.245, 0.246
_SHOULDER_HALF, _HIP_HALF, _NECK_TO_NOSE = 0.11, 0.06, 0.11
_EYE, _EAR = 0.018, 0.04


@dataclass(frozen=True)
class Posture:
    """Angles in degrees, absolute, from hanging straight down (legs, arms) or standing straight up (trunk).

    pitch: trunk, forward positive. roll: of the whole body about the line of sight of the body, left positive.
    thigh_*, shin_*, arm_*, forearm_*: forward positive. spread: arms to the sides. hip: height of the hips over the
    floor, H.
    """

    pitch: float = 5.0
    roll: float = 0.0
    thigh_left: float = 0.0
    thigh_right: float = 0.0
    shin_left: float = 0.0
    shin_right: float = 0.0
    arm_left: float = 0.0
    arm_right: float = 0.0
    forearm_left: float = 10.0
    forearm_right: float = 10.0
    spread: float = 8.0
    hip: float = THIGH + SHIN

    def blend(self, other: "Posture", fraction: float) -> "Posture":
        """Return the posture on the way to another one, at `fraction` in [0, 1]."""
        return Posture(*(a + fraction * (b - a) for a, b in zip(_values(self), _values(other), strict=True)))

    def vary(self, random: np.random.Generator, degrees: float) -> "Posture":
        """Return the posture as another person would take it: each angle by about so many degrees otherwise."""
        changes = {
            field.name: getattr(self, field.name) + random.normal(0.0, degrees)
            for field in fields(self)
            if field.name not in ("hip", "roll")
        }
        return replace(self, **changes)


STANDING = Posture()
SITTING = Posture(pitch=0.0, thigh_left=85.0, thigh_right=85.0, arm_left=20, arm_right=20, forearm_left=60,
                  forearm_right=60, hip=0.27)  # fmt: skip
FLOOR_SITTING = replace(SITTING, hip=0.08, shin_left=60.0, shin_right=60.0)
BENDING = Posture(pitch=75.0, thigh_left=-8.0, thigh_right=-8.0, arm_left=15.0, arm_right=15.0, hip=0.47)
CROUCHING = Posture(pitch=35.0, thigh_left=95.0, thigh_right=95.0, shin_left=-35.0, shin_right=-35.0, hip=0.18)
KNEELING = Posture(pitch=5.0, thigh_left=5.0, thigh_right=5.0, shin_left=-85.0, shin_right=-85.0, hip=0.26)
PROSTRATE = Posture(pitch=100.0, thigh_left=40.0, thigh_right=40.0, shin_left=-85.0, shin_right=-85.0, arm_left=150.0,
                    arm_right=150.0, hip=0.2)  # fmt: skip
SUPINE = Posture(pitch=-88.0, thigh_left=88.0, thigh_right=88.0, shin_left=86.0, shin_right=86.0, arm_left=60.0,
                 arm_right=60.0, spread=30.0, hip=0.06)  # fmt: skip
PRONE = Posture(pitch=88.0, thigh_left=-88.0, thigh_right=-88.0, shin_left=-88.0, shin_right=-88.0, arm_left=130.0,
                arm_right=130.0, spread=30.0, hip=0.06)  # fmt: skip
ON_SIDE = Posture(roll=88.0, pitch=10.0, thigh_left=30.0, thigh_right=50.0, shin_left=-20.0, shin_right=-30.0,
                  arm_left=50.0, arm_right=60.0, hip=0.1)  # fmt: skip


def _values(posture: Posture) -> list[float]:
    return [getattr(posture, field.name) for field in fields(posture)]


def joints(posture: Posture, heading: float, place: Float64Array) -> Float64Array:
    """Return the joints, (17, 3) H in the room: x right, y up, z away from the camera.

    heading: where the body faces, degrees, 0 is towards the camera. place: (2,) of the hips on the floor, x and z.
    """
    hips = np.zeros(3)
    up = _forward(180.0 - posture.pitch)  # hips to shoulders: straight up at pitch 0
    neck = hips + TRUNK * up
    left = np.array([1.0, 0.0, 0.0])
    body: Float64Array = np.zeros((KEYPOINT_COUNT, 3))
    face = _forward(90.0 - posture.pitch)
    nose = neck + _NECK_TO_NOSE * up + 0.05 * face
    body[Joint.NOSE] = nose
    for side, sign in (("LEFT", 1.0), ("RIGHT", -1.0)):
        body[Joint[f"{side}_EYE"]] = nose + sign * _EYE * left + 0.02 * up
        body[Joint[f"{side}_EAR"]] = nose + sign * _EAR * left + 0.01 * up - 0.05 * face
        shoulder = neck + sign * _SHOULDER_HALF * left
        elbow = shoulder + UPPER_ARM * _spread(_along(posture, f"arm_{side.lower()}"), sign * posture.spread)
        wrist = elbow + FOREARM * _spread(_along(posture, f"forearm_{side.lower()}"), sign * posture.spread * 0.5)
        hip = hips + sign * _HIP_HALF * left
        knee = hip + THIGH * _along(posture, f"thigh_{side.lower()}")
        ankle = knee + SHIN * _along(posture, f"shin_{side.lower()}")
        for name, point in (("SHOULDER", shoulder), ("ELBOW", elbow), ("WRIST", wrist), ("HIP", hip), ("KNEE", knee),
                            ("ANKLE", ankle)):  # fmt: skip
            body[Joint[f"{side}_{name}"]] = point
    body = body @ _about_z(posture.roll).T
    body[:, 1] += posture.hip
    # Nothing goes through the floor.
    body[:, 1] = np.maximum(body[:, 1], 0.02)
    body = body @ _about_y(heading + 180.0).T
    body[:, 0] *= -1.0  # with z away from the camera the room is left-handed
    body[:, 0] += place[0]
    body[:, 2] += place[1]
    return body


@dataclass(frozen=True)
class Camera:
    """Looks down on the room. tilt: degrees below the horizon. distance: from the middle of the room, H."""

    tilt: float
    distance: float

    def project(self, points: Float64Array) -> Float64Array:
        """Return (N, 2) picture coordinates in H at the middle of the room, y down."""
        tilt = radians(self.tilt)
        y, z = points[:, 1] - 0.5, points[:, 2]
        down = -(y * np.cos(tilt) + z * np.sin(tilt))
        away = z * np.cos(tilt) - y * np.sin(tilt)
        scale = self.distance / np.maximum(self.distance + away, 0.3 * self.distance)
        return np.stack((points[:, 0] * scale, down * scale), axis=1)


def _along(posture: Posture, limb: str) -> Float64Array:
    return _forward(getattr(posture, limb))


def _forward(degrees: float) -> Float64Array:
    """Return the direction that hangs down at 0, points forward at 90 and up at 180."""
    angle = radians(degrees)
    return np.array([0.0, -np.cos(angle), np.sin(angle)])


def _spread(direction: Float64Array, degrees: float) -> Float64Array:
    angle = radians(degrees)
    turned = direction * np.cos(angle) + np.array([np.sin(angle), 0.0, 0.0])
    return np.asarray(turned / np.linalg.norm(turned), np.float64)


def _about_z(degrees: float) -> Float64Array:
    c, s = np.cos(radians(degrees)), np.sin(radians(degrees))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _about_y(degrees: float) -> Float64Array:
    c, s = np.cos(radians(degrees)), np.sin(radians(degrees))
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
