"""The joints of a subject that are seen, by name."""

import numpy as np

from privcam_core.drawing.geometry import Vector
from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import Joint, seen

# Where each joint is, (2,) picture px; joints that are not visible are missing.
Joints = dict[Joint, Vector]

SHOULDERS = (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
HIPS = (Joint.LEFT_HIP, Joint.RIGHT_HIP)
_JOINTS = tuple(Joint)


def seen_joints(pose: SubjectPose) -> Joints:
    """Return the positions of the visible joints (ρ ≥ SEEN)."""
    points, visible = pose.keypoints[:, :2].astype(np.float64), seen(pose.keypoints).tolist()
    return {joint: points[joint] for joint in _JOINTS if visible[joint]}


def middle_of(joints: Joints, pair: tuple[Joint, Joint]) -> Vector | None:
    """Return the middle of two joints, the visible one if only one is visible, None if neither is."""
    points = [joints[joint] for joint in pair if joint in joints]
    return mean_of(points) if points else None


def mean_of(points: list[Vector]) -> Vector:
    """Return the middle of a few points; for so few, this is faster than `np.mean`."""
    total = points[0]
    for point in points[1:]:
        total = total + point
    return total / len(points)
