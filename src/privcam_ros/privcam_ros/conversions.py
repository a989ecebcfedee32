"""Messages to core types and back.

`to_msg(value, key)` and `from_msg(message)` go by the type of what they get; lists, which may be empty, have functions
of their own. Whatever comes from a message is checked by the core type, which raises InvalidOmega with the field.
Bytes go into `uint8[]` as `bytes`: everything else is copied value by value.
"""

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from privcam_msgs import msg

from privcam_core.types import omega as core
from privcam_core.types.arrays import Box
from privcam_core.types.omega import InvalidOmega, SyncKey
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_core.types.skeleton import KEYPOINT_COUNT
from privcam_core.types.time import NS_PER_S, stamp_ns_of


def stamp_to_msg(stamp_ns: int) -> Time:
    """Return a time in ns since the epoch as a message."""
    seconds, nanoseconds = divmod(stamp_ns, NS_PER_S)
    return Time(sec=seconds, nanosec=nanoseconds)


def stamp_from_msg(stamp: Time) -> int:
    """Return a message's time in ns since the epoch."""
    return stamp_ns_of(stamp.sec, stamp.nanosec)


def key_to_msg(key: SyncKey) -> msg.SyncKey:
    """Return κ as a message."""
    return msg.SyncKey(camera_id=key.camera_id, frame_id=key.frame_id, stamp=stamp_to_msg(key.stamp_ns))


def key_from_msg(message: msg.SyncKey) -> SyncKey:
    """Return the κ of a message."""
    return SyncKey(message.camera_id, int(message.frame_id), stamp_from_msg(message.stamp))


@singledispatch
def to_msg(value: object, key: SyncKey | None = None) -> Any:
    """Return `value` as its message. `key` is κ of the frame, for values that do not carry it themselves."""
    raise TypeError(f"to_msg: no message for {type(value).__name__} with key {key}")


@singledispatch
def from_msg(message: object) -> Any:
    """Return the core value of a message. Raises InvalidOmega, naming the field, for a value that is not allowed.

    Arrays come without their κ, which is `key_from_msg(message.key)`.
    """
    raise TypeError(f"from_msg: no core type for {type(message).__name__}")


to_msg.register(SyncKey, lambda value, _key=None: key_to_msg(value))
from_msg.register(msg.SyncKey, key_from_msg)


@to_msg.register
def _(value: Detections, key: SyncKey) -> msg.DetectionArray:
    found = [msg.Detection(box=box, score=float(score)) for box, score in zip(value.boxes, value.scores, strict=True)]
    return msg.DetectionArray(key=key_to_msg(key), detections=found)


@from_msg.register
def _(message: msg.DetectionArray) -> Detections:
    boxes = np.array([found.box for found in message.detections], np.float32).reshape(-1, 4)
    scores = np.array([found.score for found in message.detections], np.float32)
    if not np.isfinite(boxes).all() or not (boxes[:, 2:] > boxes[:, :2]).all():
        raise InvalidOmega("detections.box", "has a box that is empty, turned round or not finite")
    if not ((scores >= 0) & (scores <= 1)).all():
        raise InvalidOmega("detections.score", "has a score outside of [0, 1]")
    return Detections(boxes, scores)


def tracks_to_msg(tracks: Sequence[Track], key: SyncKey) -> msg.TrackArray:
    """Return the live tracks of one frame as a message."""
    return msg.TrackArray(key=key_to_msg(key), tracks=[_track_to_msg(track) for track in tracks])


def _track_to_msg(track: Track) -> msg.Track:
    return msg.Track(
        subject_id=track.subject_id,
        box=np.array(track.box, np.float32),
        velocity=np.array(track.velocity, np.float32),
        score=track.score,
        state=int(track.state),
        hits=track.hits,
        age=track.age,
        lost_frames=track.lost_frames,
    )


@from_msg.register
def _(message: msg.TrackArray) -> list[Track]:
    return [_track_from_msg(track) for track in message.tracks]


def _track_from_msg(message: msg.Track) -> Track:
    box = _box("tracks.box", message.box)
    if not np.isfinite(message.velocity).all():
        raise InvalidOmega("tracks.velocity", f"{message.velocity} is not finite")
    if not 0 <= message.score <= 1:
        raise InvalidOmega("tracks.score", f"{message.score} is not in [0, 1]")
    if message.state not in tuple(TrackState):
        raise InvalidOmega("tracks.state", f"{message.state} is not TENTATIVE, CONFIRMED or LOST")
    if message.subject_id == 0:
        raise InvalidOmega("tracks.subject_id", "0 is no subject")
    vx, vy, va, vh = message.velocity.tolist()
    return Track(
        subject_id=int(message.subject_id),
        box=box,
        velocity=(vx, vy, va, vh),
        score=float(message.score),
        state=TrackState(message.state),
        hits=int(message.hits),
        age=int(message.age),
        lost_frames=int(message.lost_frames),
    )


def poses_to_msg(poses: Sequence[core.SubjectPose], key: SyncKey) -> msg.SubjectPoseArray:
    """Return the poses of one frame as a message, ordered by layer."""
    ordered = sorted(poses, key=lambda pose: pose.layer)
    return msg.SubjectPoseArray(key=key_to_msg(key), poses=[_pose_to_msg(pose) for pose in ordered])


def _pose_to_msg(pose: core.SubjectPose) -> msg.SubjectPose:
    message = msg.SubjectPose(subject_id=pose.subject_id, box=np.array(pose.box, np.float32), layer=pose.layer)
    # A new message has made its keypoints already; making them once more would double the time.
    for point, (u, v, rho) in zip(message.keypoints, pose.keypoints.tolist(), strict=True):
        point.u, point.v, point.rho = u, v, rho
    if pose.head is not None:
        message.head_valid = True
        message.head_yaw, message.head_pitch, message.head_roll = pose.head.yaw, pose.head.pitch, pose.head.roll
    return message


@from_msg.register
def _(message: msg.SubjectPoseArray) -> list[core.SubjectPose]:
    return [_pose_from_msg(pose) for pose in message.poses]


def _pose_from_msg(message: msg.SubjectPose) -> core.SubjectPose:
    keypoints = np.array([(p.u, p.v, p.rho) for p in message.keypoints], np.float32).reshape(KEYPOINT_COUNT, 3)
    head = core.head_from_angles(message.head_valid, message.head_yaw, message.head_pitch, message.head_roll)
    box = tuple(message.box.tolist())  # checked by the pose itself
    return core.SubjectPose(int(message.subject_id), box, keypoints, head, int(message.layer))


@to_msg.register
def _(value: core.Environment, _key: SyncKey | None = None) -> msg.Environment:
    message = msg.Environment(
        key=key_to_msg(value.key),
        sha256=np.frombuffer(value.digest, np.uint8),
        base=np.frombuffer(value.base or bytes(32), np.uint8),
        height=value.height,
        width=value.width,
        confirmed_fraction=value.confirmed_fraction,
        epoch=value.epoch,
    )
    message.png.format = "png"
    message.png.data = value.png
    return message


@from_msg.register
def _(message: msg.Environment) -> core.Environment:
    if message.png.format != "png":
        raise InvalidOmega("environment.png.format", f"{message.png.format!r} is not 'png'")
    return core.Environment(
        key=key_from_msg(message.key),
        png=bytes(message.png.data),
        digest=message.sha256.tobytes(),
        base=message.base.tobytes() if message.base.any() else b"",
        height=int(message.height),
        width=int(message.width),
        confirmed_fraction=float(message.confirmed_fraction),
        epoch=int(message.epoch),
    )


@to_msg.register
def _(value: core.Embedding, key: SyncKey) -> msg.Embedding:
    return msg.Embedding(
        key=key_to_msg(key),
        encoder_id=value.encoder_id,
        shape=value.shape,
        dtype="int8",
        scale=value.scale,
        data=value.data,
        noise_sigma=value.noise_sigma,
        clip_norm=value.clip_norm,
    )


@from_msg.register
def _(message: msg.Embedding) -> core.Embedding:
    if message.dtype != "int8":
        raise InvalidOmega("embedding.dtype", f"{message.dtype!r} is not 'int8'")
    return core.Embedding(
        encoder_id=message.encoder_id,
        shape=tuple(int(n) for n in message.shape),
        scale=float(message.scale),
        data=bytes(message.data),
        noise_sigma=float(message.noise_sigma),
        clip_norm=float(message.clip_norm),
    )


@to_msg.register
def _(value: core.PrivacyReport, key: SyncKey) -> msg.PrivacyReport:
    return msg.PrivacyReport(
        key=key_to_msg(key),
        excluded_fraction=value.excluded_fraction,
        withheld_fraction=value.withheld_fraction,
        quarantined_fraction=value.quarantined_fraction,
        verdict=int(value.verdict),
        reason=value.reason,
        epsilon=value.epsilon,
        delta=value.delta,
    )


@from_msg.register
def _(message: msg.PrivacyReport) -> core.PrivacyReport:
    return core.PrivacyReport(
        excluded_fraction=float(message.excluded_fraction),
        withheld_fraction=float(message.withheld_fraction),
        quarantined_fraction=float(message.quarantined_fraction),
        verdict=core.verdict_from_number(message.verdict),
        reason=message.reason,
        epsilon=float(message.epsilon),
        delta=float(message.delta),
    )


@to_msg.register
def _(value: core.Omega, _key: SyncKey | None = None) -> msg.Omega:
    return msg.Omega(
        schema=value.schema,
        key=key_to_msg(value.key),
        environment=to_msg(value.environment),
        poses=poses_to_msg(value.poses, value.key),
        embedding=to_msg(value.embedding, value.key),
        privacy=to_msg(value.privacy, value.key),
    )


@from_msg.register
def _(message: msg.Omega) -> core.Omega:
    key = key_from_msg(message.key)
    for name in ("poses", "embedding", "privacy"):
        part_key = key_from_msg(getattr(message, name).key)
        if part_key != key:
            raise InvalidOmega(f"{name}.key", f"is {part_key}, Ω is of {key}")
    environment, poses = from_msg(message.environment), from_msg(message.poses)
    return core.Omega(
        key, environment, poses, from_msg(message.embedding), from_msg(message.privacy), int(message.schema)
    )


def _box(field: str, values: Any) -> Box:
    x0, y0, x1, y1 = (float(value) for value in values)
    if not (np.isfinite((x0, y0, x1, y1)).all() and x1 > x0 and y1 > y0):
        raise InvalidOmega(field, f"{(x0, y0, x1, y1)} is empty, turned round or not finite")
    return (x0, y0, x1, y1)
