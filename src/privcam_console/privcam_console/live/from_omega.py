"""Turns Ω into what is drawn of it: whole steps of the picture, and nothing that a drawing does not need."""

from math import ceil

from privcam_console.live.messages import EPSILON_PARTS, PARTS, Hello, Pose, Position, Subject
from privcam_core.drawing.body import MIN_KEYPOINTS
from privcam_core.drawing.joints import HIPS, SHOULDERS, Joints, seen_joints
from privcam_core.drawing.stature import plausible, stature_from
from privcam_core.types.omega import Omega, SubjectPose, Verdict
from privcam_core.types.skeleton import HEAD, KEYPOINT_COUNT, Joint

# Steps along the longer side of the picture: finer ones are not seen on a screen, and cost bits.
STEPS = 1024
NS_PER_MS = 1_000_000
# With none of these joints, or with too few joints, a subject is drawn as a marker in its box.
_SPINE = (*SHOULDERS, *HIPS, *HEAD)
_JOINTS = tuple(Joint)


def hello_of(omega: Omega) -> Hello:
    """Return the HELLO of the camera of an Ω."""
    width, height = omega.environment.width, omega.environment.height
    step_px = ceil(max(width, height) / STEPS)
    return Hello(omega.key.camera_id, width, height, KEYPOINT_COUNT, step_px, omega.schema)


def pose_of(omega: Omega) -> Pose:
    """Return the POSE of an Ω."""
    step_px, privacy = hello_of(omega).step_px, omega.privacy
    ordered = sorted(omega.poses, key=lambda pose: pose.layer)
    return Pose(
        frame_id=omega.key.frame_id,
        stamp_ms=omega.key.stamp_ns // NS_PER_MS,
        passed=privacy.verdict is Verdict.PASS,
        sight=privacy.sight,
        withheld=round(privacy.withheld_fraction * PARTS),
        epsilon=round(privacy.epsilon * EPSILON_PARTS) if privacy.epsilon >= 0 else None,
        replay=privacy.replay,
        subjects=tuple(subject_of(pose, step_px) for pose in ordered),
        unseen=privacy.unseen_people,
    )


def subject_of(pose: SubjectPose, step_px: int) -> Subject:
    """Return what is drawn of one subject, in steps of so many px."""
    seen = seen_joints(pose)
    stature = stature_from(seen, pose.box)
    joints = plausible(seen, stature)
    is_marker = len(joints) < MIN_KEYPOINTS or not any(joint in joints for joint in _SPINE)
    x0, y0, x1, y1 = (round(value / step_px) for value in pose.box)
    return Subject(
        subject_id=pose.subject_id,
        layer=pose.layer,
        stature=max(round(stature / step_px), 1),
        joints=tuple(_position(joints, joint, step_px) for joint in _JOINTS),
        box=(x0, y0, x1, y1) if is_marker else None,
    )


def _position(joints: Joints, joint: Joint, step_px: int) -> Position:
    if joint not in joints:
        return None
    u, v = joints[joint].tolist()
    return round(u / step_px), round(v / step_px)
