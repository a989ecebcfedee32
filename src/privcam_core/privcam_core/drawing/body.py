"""Builds the body of a skeleton from a few convex solids per subject, ordered from far to near.

Everything that draws a person (the proxy and the contour) draws these solids, so both show the same body. Coordinates
are picture pixels, origin top left. No appearance is used: every width is a fraction of the stature, the
same for everyone.
"""

from itertools import pairwise
from math import atan2, copysign, cos, sin, sqrt

import numpy as np

from privcam_core.drawing.body_model import Body, Kind, Part
from privcam_core.drawing.geometry import (
    Ellipse,
    Hull,
    Vector,
    capsule,
    inside,
    length,
    reach,
    right_of,
    unit,
)
from privcam_core.drawing.joints import HIPS, SHOULDERS, Joints, mean_of, middle_of, seen_joints
from privcam_core.drawing.stature import TRUNK_LENGTH, plausible, stature_from
from privcam_core.types.arrays import Box
from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import HEAD, Joint

_LEGS = ((Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE), (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE))
_ARMS = (
    (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_WRIST),
    (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST),
)

# Sizes are fractions of the stature, for a person in loose clothes, so that the figure is legible from a distance.
# Radii of an arm:
_SHOULDER = 0.033
_ELBOW = 0.027
_WRIST = 0.020
_HAND = 0.022
# Length of the hand beyond the wrist.
_HAND_REACH = 0.035
# Radii of a leg:
_HIP = 0.052
_KNEE = 0.037
_ANKLE = 0.024
_TOE = 0.018
# Length of the foot to the side, and along the lower leg.
_FOOT_REACH = 0.065
_FOOT_DROP = 0.022
# Radii of the trunk:
_CHEST = 0.064
_WAIST = 0.060
_PELVIS = 0.060
# Radius of a side of the waist.
_WAIST_SIDE = 0.034
# Width of the waist as a fraction of the width between the lines from shoulder to hip.
_WAIST_SPREAD = 0.80
# Distance of the widest part of the chest below the line of the shoulders.
_CHEST_DROP = 0.05
_NECK = 0.030
# Half axes of the head.
_HEAD_WIDTH = 0.053
_HEAD_HEIGHT = 0.072
# Distance from the line of the shoulders to the middle of the head.
_HEAD_RISE = 0.13
# Smallest and largest such distance that is drawn; keypoint jitter beyond is clipped.
_HEAD_REACH = (0.07, 0.19)
# Radius of the nose, and distances of its base and tip from the middle of the head.
_NOSE = 0.011
_NOSE_BASE = 0.030
_NOSE_TIP = 0.060
# Half axes of the face.
_FACE_WIDTH = 0.034
_FACE_HEIGHT = 0.028

# With fewer keypoints than this a subject is drawn as a marker.
MIN_KEYPOINTS = 3
# Size of a marker as a fraction of the box.
_MARKER_FRACTION = 0.8
# Smallest half axis of a marker, px.
_MIN_MARKER_PX = 4.0
# From this sine of the head's yaw on, the yaw shows which side of the body is nearer.
_TURNED = 0.4
# Breadth of the shoulders in a front view, and in a side view.
_FRONT_BREADTH = 0.20
_SIDE_BREADTH = 0.10
# Shoulders in mirrored order and at least this far apart show the back.
_BACK_VIEW = 0.06


def build_body(pose: SubjectPose) -> Body:
    """Return the body volume of a pose.

    Keypoints that are not seen (ρ < SEEN) are never used: a limb that cannot be known is left out, and the trunk is
    continued from what is seen, but not beyond the box. With almost nothing seen the body is one upright ellipse in
    the box. The result always has at least one part and is finite.
    """
    joints = seen_joints(pose)
    stature = stature_from(joints, pose.box)
    joints = plausible(joints, stature)
    spine = _spine(joints, pose.box, stature) if len(joints) >= MIN_KEYPOINTS else None
    if spine is None:
        return Body((_marker(pose.box),), stature)
    top, bottom, head = spine
    up = unit(top - bottom if length(top - bottom) > 0 else (head if head is not None else top) - bottom)
    turned = _facing(pose, joints, up, stature) * _sideways(joints, stature)
    # Who turns to the picture's right shows the right side of the body.
    right = 0 if abs(turned) < _TURNED else int(copysign(1, turned))
    arms: list[Part] = []
    legs: list[Part] = []
    for limbs, chains, fallback in ((legs, _LEGS, bottom), (arms, _ARMS, top)):
        for chain, depth in zip(chains, (-right, right), strict=True):
            limbs.extend(_limb(joints, chain, _root(joints, chain[0], fallback), depth, stature, turned))
    trunk = _trunk(joints, top, bottom, stature)
    if head is not None:
        trunk += _head(pose, joints, top, head, up, stature)
    far = [part for part in arms if part.depth < 0]
    near = [part for part in arms if part.depth >= 0]
    return Body((*far, *sorted(legs, key=lambda leg: leg.depth), *trunk, *near), stature)


def _spine(joints: Joints, box: Box, stature: float) -> tuple[Vector, Vector, Vector | None] | None:
    """Return (middle of the shoulders, middle of the hips, middle of the head or None), None if no end is known."""
    top, bottom, head = middle_of(joints, SHOULDERS), middle_of(joints, HIPS), _head_middle(joints)
    knees = middle_of(joints, (Joint.LEFT_KNEE, Joint.RIGHT_KNEE))
    if top is None and bottom is None and head is None:
        return None
    if top is not None and bottom is not None:
        down = unit(bottom - top)
    elif head is not None:
        low = next((point for point in (top, bottom, knees) if point is not None), None)
        down = unit(low - head) if low is not None else np.array([0.0, 1.0])
    else:
        known = top if top is not None else bottom
        down = unit(knees - known) if knees is not None and known is not None else np.array([0.0, 1.0])
    if top is None:
        top = head + reach(box, head, down, _HEAD_RISE * stature) if head is not None else None
        if top is None and bottom is not None:
            top = bottom + reach(box, bottom, -down, TRUNK_LENGTH * stature)
    assert top is not None  # one of the three ends was known
    if bottom is None:
        bottom = top + reach(box, top, down, TRUNK_LENGTH * stature)
    if head is None:
        # Without a keypoint on it the head is drawn only where the box says that the subject goes on.
        guess = top - down * _HEAD_RISE * stature
        head = guess if inside(box, guess) else None
    else:
        offset = head - top
        low_reach, high_reach = _HEAD_REACH[0] * stature, _HEAD_REACH[1] * stature
        head = top + unit(offset) * min(max(length(offset), low_reach), high_reach)
    return top, bottom, head


def _head_middle(joints: Joints) -> Vector | None:
    """Return the middle of the head: between the ears, else between one ear and the nose, else of what is seen."""
    ears = [joints[j] for j in (Joint.LEFT_EAR, Joint.RIGHT_EAR) if j in joints]
    if len(ears) == 1 and Joint.NOSE in joints:
        ears.append(joints[Joint.NOSE])
    points = ears or [joints[j] for j in HEAD if j in joints]
    return mean_of(points) if points else None


def _facing(pose: SubjectPose, joints: Joints, up: Vector, stature: float) -> float:
    """Return where the face is turned across the body: -1 the picture's left, 0 to or from the camera, 1 the right.

    Left and right are meant for an upright body; for a lying one they turn with `up`.
    """
    if pose.head is not None:
        return sin(pose.head.yaw)
    middle = _head_middle({joint: point for joint, point in joints.items() if joint is not Joint.NOSE})
    if Joint.NOSE not in joints or middle is None:
        return 0.0
    across = float((joints[Joint.NOSE] - middle) @ right_of(up))
    return min(max(across / (_HEAD_WIDTH * stature), -1.0), 1.0)


def _sideways(joints: Joints, stature: float) -> float:
    """Return how far the trunk is turned aside: 0 for shoulders at full breadth, 1 for a side view."""
    if not all(joint in joints for joint in SHOULDERS):
        return 1.0
    breadth = length(joints[Joint.LEFT_SHOULDER] - joints[Joint.RIGHT_SHOULDER]) / stature
    return min(max((_FRONT_BREADTH - breadth) / (_FRONT_BREADTH - _SIDE_BREADTH), 0.0), 1.0)


def _root(joints: Joints, root: Joint, fallback: Vector) -> Vector:
    """Return where a limb starts: its own root, else that of the other side (it hides this one), else the spine."""
    pair = HIPS if root in HIPS else SHOULDERS
    found = [joints[j] for j in (root, *pair) if j in joints]
    return found[0] if found else fallback


def _limb(
    joints: Joints, chain: tuple[Joint, Joint, Joint], root: Vector, depth: int, stature: float, turned: float
) -> list[Part]:
    """Return the solids of an arm or a leg as far as its joints are visible; an invisible middle joint is bridged."""
    leg = chain[0] in HIPS
    kind = Kind.LEG if leg else Kind.ARM
    radii = [radius * stature for radius in ((_HIP, _KNEE, _ANKLE) if leg else (_SHOULDER, _ELBOW, _WRIST))]
    points = [(root, radii[0])] + [(joints[j], r) for j, r in zip(chain[1:], radii[1:], strict=True) if j in joints]
    parts = [Part(kind, capsule(*a, *b), depth, chain[0]) for a, b in pairwise(points)]
    if chain[2] not in joints or not parts:
        return parts
    tip, along = points[-1][0], unit(points[-1][0] - points[-2][0])
    if leg:
        toe = tip + (along * _FOOT_DROP + right_of(-along) * turned * _FOOT_REACH) * stature
        return [*parts, Part(kind, capsule(tip, radii[2], toe, _TOE * stature), depth, chain[0])]
    hand = tip + along * _HAND_REACH * stature
    return [*parts, Part(kind, capsule(tip, radii[2], hand, _HAND * stature), depth, chain[0])]


def _trunk(joints: Joints, top: Vector, bottom: Vector, stature: float) -> list[Part]:
    """Return pelvis and chest, two hulls with a common waist. In a side view the spine keeps them thick."""
    chest = top + unit(bottom - top) * min(_CHEST_DROP * stature, length(bottom - top))
    middle = (top + bottom) / 2
    waist = [(middle, _WAIST)]
    for shoulder, hip in zip(SHOULDERS, HIPS, strict=True):
        if shoulder in joints and hip in joints:
            waist.append((middle + _WAIST_SPREAD * ((joints[shoulder] + joints[hip]) / 2 - middle), _WAIST_SIDE))
    upper = [*waist, (chest, _CHEST), *((joints[joint], _SHOULDER) for joint in SHOULDERS if joint in joints)]
    lower = [*waist, (bottom, _PELVIS), *((joints[joint], _HIP) for joint in HIPS if joint in joints)]
    hulls = (Hull(np.array([[*centre, radius * stature] for centre, radius in circles])) for circles in (lower, upper))
    return [Part(Kind.TRUNK, hull) for hull in hulls]


def _head(pose: SubjectPose, joints: Joints, top: Vector, head: Vector, up: Vector, stature: float) -> list[Part]:
    """Return neck, head and the face, as far as it is turned to the camera. A head turned aside gets a nose."""
    axis = unit(unit(head - top) + up)
    if pose.head is not None:
        axis = np.array([sin(pose.head.roll), -cos(pose.head.roll)])
    aside = right_of(axis)
    angle = atan2(axis[0], -axis[1])
    # Ears and eyes lie below the middle of the skull.
    skull = Ellipse(head + axis * _NOSE * stature, (_HEAD_WIDTH * stature, _HEAD_HEIGHT * stature), angle)
    parts = [Part(Kind.NECK, capsule(top, _NECK * stature, head, _NECK * stature))]
    facing = _facing(pose, joints, up, stature)
    toward = _toward_camera(pose, joints, up, facing, stature)
    if abs(facing) >= _TURNED:
        base, tip = head + aside * facing * _NOSE_BASE * stature, head + aside * facing * _NOSE_TIP * stature
        parts.append(Part(Kind.NOSE, capsule(base, 2 * _NOSE * stature, tip, _NOSE * stature)))
    parts.append(Part(Kind.HEAD, skull))
    if toward > 0:
        width = max(_FACE_WIDTH * toward, _NOSE) * stature
        tilt = sin(pose.head.pitch) if pose.head is not None else 0.0
        middle = head + aside * facing * (_HEAD_WIDTH * stature - width) + axis * tilt * _FACE_HEIGHT * stature
        parts.append(Part(Kind.FACE, Ellipse(middle, (width, _FACE_HEIGHT * stature), angle)))
    return parts


def _toward_camera(pose: SubjectPose, joints: Joints, up: Vector, facing: float, stature: float) -> float:
    """Return the visible fraction of the face: 1 all of it, 0 none or unknown."""
    if pose.head is not None:
        return max(cos(pose.head.yaw), 0.0)
    if Joint.NOSE not in joints:
        return 0.0
    if all(joint in joints for joint in SHOULDERS):
        # Pose models also guess a nose on the back of a head; the order of the shoulders shows a back view.
        left, right = (joints[joint] for joint in SHOULDERS)
        if float((left - right) @ right_of(up)) < -_BACK_VIEW * stature:
            return 0.0
    return sqrt(1.0 - facing**2)


def _marker(box: Box) -> Part:
    """Return the upright ellipse of a subject of which only the box is known."""
    centre = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    across, along = ((box[i + 2] - box[i]) / 2 * _MARKER_FRACTION for i in (0, 1))
    return Part(Kind.MARKER, Ellipse(centre, (max(across, _MIN_MARKER_PX), max(along, _MIN_MARKER_PX)), 0.0))
