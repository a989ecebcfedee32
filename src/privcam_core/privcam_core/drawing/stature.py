"""Estimates the stature of a subject in px, and finds keypoints that cannot be its own."""

from privcam_core.drawing.geometry import length
from privcam_core.drawing.joints import HIPS, SHOULDERS, Joints, middle_of, seen_joints
from privcam_core.types.arrays import Box
from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import Joint

# Bone lengths as fractions of the stature (Drillis and Contini 1966, in Winter, "Biomechanics", fig. 4.1).
TRUNK_LENGTH = 0.288
_BONES = (
    (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, 0.186),
    (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, 0.186),
    (Joint.LEFT_ELBOW, Joint.LEFT_WRIST, 0.146),
    (Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST, 0.146),
    (Joint.LEFT_HIP, Joint.LEFT_KNEE, 0.245),
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, 0.245),
    (Joint.LEFT_KNEE, Joint.LEFT_ANKLE, 0.246),
    (Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE, 0.246),
)
# Ear to ear and eye to eye, for a subject of which only the head is visible.
_HEAD_BONES = ((Joint.LEFT_EAR, Joint.RIGHT_EAR, 0.085), (Joint.LEFT_EYE, Joint.RIGHT_EYE, 0.037))
# A bone this many times longer than the stature allows has a keypoint on another person or on furniture.
_MAX_BONE_FACTOR = 1.8
# The stature against the longer side of the box. A box cut by the border or by furniture is shorter than the person,
# a box around raised arms is longer; beyond these the bones are wrong.
_STATURE_OF_BOX = (0.4, 2.5)


def stature_of(pose: SubjectPose) -> float:
    """Return how tall the subject would stand in px, measured along the visible bones.

    Foreshortening only shortens bones, so long ones are best; the longest may end in an outlier, so the second longest
    is used. Without a bone the head is measured, and without a head the longer side of the box.
    """
    return stature_from(seen_joints(pose), pose.box)


def stature_from(joints: Joints, box: Box) -> float:
    """Return the stature in px, see `stature_of`."""
    side = max(box[2] - box[0], box[3] - box[1])
    shoulders, hips = middle_of(joints, SHOULDERS), middle_of(joints, HIPS)
    found = _bone_statures(joints, _BONES)
    if shoulders is not None and hips is not None:
        found.append(length(shoulders - hips) / TRUNK_LENGTH)
    found = sorted(found or _bone_statures(joints, _HEAD_BONES), reverse=True)
    if not found:
        return side
    return min(max(found[min(1, len(found) - 1)], side * _STATURE_OF_BOX[0]), side * _STATURE_OF_BOX[1])


def plausible(joints: Joints, stature: float) -> Joints:
    """Return the joints without the far ends of bones that are too long for the stature."""
    outliers = {
        far
        for near, far, fraction in _BONES
        if near in joints
        and far in joints
        and length(joints[far] - joints[near]) > _MAX_BONE_FACTOR * fraction * stature
    }
    return {joint: point for joint, point in joints.items() if joint not in outliers}


def _bone_statures(joints: Joints, bones: tuple[tuple[Joint, Joint, float], ...]) -> list[float]:
    """Return the stature that each visible bone would have if it lay in the picture plane, px."""
    return [length(joints[a] - joints[b]) / fraction for a, b, fraction in bones if a in joints and b in joints]
