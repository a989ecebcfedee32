"""Writes the messages of the live view. A POSE is written as differences to the one before, or as a key frame."""

from privcam_console.live.messages import (
    PROTOCOL,
    CameraState,
    Env,
    Hello,
    Kind,
    Pose,
    Position,
    Report,
    Subject,
)
from privcam_console.live.varint import Writer

# Bits of the first byte of a POSE.
KEY_FRAME, REPLAY, PASSED, HAS_PRIVACY = 1, 2, 4, 8
# Bits of the first byte of a subject. Without FULL, what is not said to be there is as in the frame before.
FULL, HAS_LAYER, HAS_STATURE, HAS_VISIBLE, MOVED, HAS_BOX = 1, 2, 4, 8, 16, 32


def encode_hello(hello: Hello) -> bytes:
    """Return a HELLO."""
    out = Writer(Kind.HELLO)
    out.byte(PROTOCOL)
    out.text(hello.camera_id)
    for value in (hello.width, hello.height, hello.joints, hello.step_px, hello.schema):
        out.unsigned(value)
    return out.finish()


def encode_env(env: Env) -> bytes:
    """Return an ENV."""
    out = Writer(Kind.ENV)
    out.raw(env.digest)
    return out.finish()


def encode_state(state: CameraState) -> bytes:
    """Return a STATE."""
    out = Writer(Kind.STATE)
    out.byte(state.state)
    out.byte(state.sight)
    out.unsigned(state.age_ms)
    out.byte(state.recognised)
    return out.finish()


def encode_report(report: Report) -> bytes:
    """Return a REPORT."""
    out = Writer(Kind.REPORT)
    out.byte(report.replay)
    out.unsigned(len(report.events))
    for event in report.events:
        out.unsigned(event.event_id)
        out.text(event.label)
        out.byte(event.phase)
        out.byte(event.alarm)
        out.unsigned(event.confidence)
        out.unsigned(len(event.subject_ids))
        for subject_id in event.subject_ids:
            out.unsigned(subject_id)
        out.unsigned(event.start_ms)
        out.text(event.evidence)
    return out.finish()


def encode_pose(pose: Pose, last: Pose | None) -> bytes:
    """Return a POSE. last: the one that the client has decoded before this; None for a key frame, which needs none."""
    privacy = (pose.sight, pose.withheld, pose.epsilon, pose.unseen)
    has_privacy = last is None or privacy != (last.sight, last.withheld, last.epsilon, last.unseen)
    out = Writer(Kind.POSE)
    out.byte(KEY_FRAME * (last is None) | REPLAY * pose.replay | PASSED * pose.passed | HAS_PRIVACY * has_privacy)
    out.signed(pose.frame_id - (last.frame_id if last else 0))
    out.signed(pose.stamp_ms - (last.stamp_ms if last else 0))
    if has_privacy:
        out.byte(pose.sight)
        out.unsigned(pose.withheld)
        out.unsigned(0 if pose.epsilon is None else pose.epsilon + 1)
        out.unsigned(pose.unseen)
    before = {subject.subject_id: subject for subject in last.subjects} if last else {}
    out.unsigned(len(pose.subjects))
    for subject in pose.subjects:
        out.unsigned(subject.subject_id)
        _encode_subject(out, subject, before.get(subject.subject_id))
    return out.finish()


def visible_mask(joints: tuple[Position, ...]) -> int:
    """Return the visible joints as bits, the first joint in the lowest."""
    return sum(1 << place for place, position in enumerate(joints) if position is not None)


def start_of(place: int, before: tuple[Position, ...], done: Position) -> tuple[int, int]:
    """Return from where the difference of a joint counts: its own last position, else the joint before it, else 0, 0.

    done: position of the last joint that was written in this frame.
    """
    own = before[place] if place < len(before) else None
    return own or done or (0, 0)


def _encode_subject(out: Writer, subject: Subject, last: Subject | None) -> None:
    visible = visible_mask(subject.joints)
    before: tuple[Position, ...] = ()
    if last is None:
        flags = FULL | HAS_BOX * (subject.box is not None)
        last_layer, last_stature = 0, 0
    else:
        flags = HAS_LAYER * (subject.layer != last.layer) | HAS_STATURE * (subject.stature != last.stature)
        flags |= HAS_VISIBLE * (visible != visible_mask(last.joints)) | MOVED * (subject.joints != last.joints)
        flags |= HAS_BOX * (subject.box is not None)
        last_layer, last_stature, before = last.layer, last.stature, last.joints
    out.byte(flags)
    if flags & (FULL | HAS_LAYER):
        out.signed(subject.layer - last_layer)
    if flags & (FULL | HAS_STATURE):
        out.signed(subject.stature - last_stature)
    if flags & (FULL | HAS_VISIBLE):
        out.unsigned(visible)
    if flags & (FULL | MOVED):
        _encode_joints(out, subject.joints, before)
    if subject.box is not None:
        for value in subject.box:
            out.signed(value)


def _encode_joints(out: Writer, joints: tuple[Position, ...], before: tuple[Position, ...]) -> None:
    done: Position = None
    for place, position in enumerate(joints):
        if position is not None:
            start = start_of(place, before, done)
            for value, origin in zip(position, start, strict=True):
                out.signed(value - origin)
            done = position
