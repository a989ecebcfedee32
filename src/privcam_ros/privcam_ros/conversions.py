"""Converts ROS messages to core types and back.

The core type checks every value of a message and raises InvalidOmega, which names the field. Core types other than the
environment and Ω have no κ: it is a parameter here, and `key_from_msg(message.key)` reads it. Data of `uint8[]` fields
is assigned as `bytes`, because rclpy copies every other sequence value by value.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from privcam_msgs import msg

from privcam_core.types import omega as core
from privcam_core.types.arrays import Box
from privcam_core.types.omega import InvalidOmega, SyncKey
from privcam_core.types.perception import Detections, DetectionSource, Track, TrackState
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


def detections_to_msg(value: Detections, key: SyncKey) -> msg.DetectionArray:
    """Return the detections of one frame as a message."""
    found = [
        msg.Detection(box=box, score=float(score), source=int(source))
        for box, score, source in zip(value.boxes, value.scores, value.sources, strict=True)
    ]
    return msg.DetectionArray(key=key_to_msg(key), detections=found, fresh=value.fresh)


def detections_from_msg(message: msg.DetectionArray) -> Detections:
    """Return the detections of a message. Raises InvalidOmega."""
    boxes = np.array([found.box for found in message.detections], np.float32).reshape(-1, 4)
    scores = np.array([found.score for found in message.detections], np.float32)
    if not np.isfinite(boxes).all() or not (boxes[:, 2:] > boxes[:, :2]).all():
        raise InvalidOmega("detections.box", "has a box that is empty, turned round or not finite")
    if not ((scores >= 0) & (scores <= 1)).all():
        raise InvalidOmega("detections.score", "has a score outside of [0, 1]")
    sources = [_source("detections.source", found.source) for found in message.detections]
    return Detections(boxes, scores, np.array(sources, np.uint8), bool(message.fresh))


def tracks_to_msg(tracks: Sequence[Track], key: SyncKey) -> msg.TrackArray:
    """Return the active tracks of one frame as a message."""
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
        source=int(track.source),
    )


def tracks_from_msg(message: msg.TrackArray) -> list[Track]:
    """Return the tracks of a message. Raises InvalidOmega."""
    return [_track_from_msg(track) for track in message.tracks]


def _track_from_msg(message: msg.Track) -> Track:
    box = box_from_msg("tracks.box", message.box)
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
        source=_source("tracks.source", message.source),
    )


def poses_to_msg(poses: Sequence[core.SubjectPose], key: SyncKey) -> msg.SubjectPoseArray:
    """Return the poses of one frame as a message, ordered by layer."""
    ordered = sorted(poses, key=lambda pose: pose.layer)
    return msg.SubjectPoseArray(key=key_to_msg(key), poses=[_pose_to_msg(pose) for pose in ordered])


def _pose_to_msg(pose: core.SubjectPose) -> msg.SubjectPose:
    message = msg.SubjectPose(subject_id=pose.subject_id, box=np.array(pose.box, np.float32), layer=pose.layer)
    # A new message already has its 17 keypoints; creating them again would double the time.
    for point, (u, v, rho) in zip(message.keypoints, pose.keypoints.tolist(), strict=True):
        point.u, point.v, point.rho = u, v, rho
    if pose.head is not None:
        message.head_valid = True
        message.head_yaw, message.head_pitch, message.head_roll = pose.head.yaw, pose.head.pitch, pose.head.roll
    return message


def poses_from_msg(message: msg.SubjectPoseArray) -> list[core.SubjectPose]:
    """Return the poses of a message. Raises InvalidOmega."""
    return [_pose_from_msg(pose) for pose in message.poses]


def raw_poses_to_msg(poses: Sequence[core.SubjectPose], estimated: Collection[int], key: SyncKey) -> msg.RawPoseArray:
    """Return the poses of one frame before anonymisation as a message. estimated: subjects, by number."""
    ordered = poses_to_msg(poses, key)
    return msg.RawPoseArray(key=ordered.key, poses=ordered.poses, estimated=sorted(estimated))


def raw_poses_from_msg(message: msg.RawPoseArray) -> tuple[list[core.SubjectPose], frozenset[int]]:
    """Return the poses of a message, and the subjects whose pose was estimated in its frame. Raises InvalidOmega."""
    poses, estimated = [_pose_from_msg(pose) for pose in message.poses], frozenset(map(int, message.estimated))
    unknown = estimated - {pose.subject_id for pose in poses}
    if unknown:
        raise InvalidOmega("raw_poses.estimated", f"names the subjects {sorted(unknown)}, who have no pose")
    return poses, estimated


def _pose_from_msg(message: msg.SubjectPose) -> core.SubjectPose:
    keypoints = np.array([(p.u, p.v, p.rho) for p in message.keypoints], np.float32).reshape(KEYPOINT_COUNT, 3)
    head = core.head_from_angles(message.head_valid, message.head_yaw, message.head_pitch, message.head_roll)
    box = tuple(message.box.tolist())  # checked by the pose itself
    return core.SubjectPose(int(message.subject_id), box, keypoints, head, int(message.layer))


def environment_to_msg(value: core.Environment) -> msg.Environment:
    """Return an environment, which has its own κ, as a message."""
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


def environment_from_msg(message: msg.Environment) -> core.Environment:
    """Return the environment of a message. Raises InvalidOmega."""
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


def embedding_to_msg(value: core.Embedding, key: SyncKey) -> msg.Embedding:
    """Return the embedding of one frame as a message."""
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


def embedding_from_msg(message: msg.Embedding) -> core.Embedding:
    """Return the embedding of a message. Raises InvalidOmega."""
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


def privacy_to_msg(value: core.PrivacyReport, key: SyncKey) -> msg.PrivacyReport:
    """Return the privacy report of one frame as a message."""
    return msg.PrivacyReport(
        key=key_to_msg(key),
        excluded_fraction=value.excluded_fraction,
        withheld_fraction=value.withheld_fraction,
        quarantined_fraction=value.quarantined_fraction,
        verdict=int(value.verdict),
        sight=int(value.sight),
        replay=value.replay,
        reason=value.reason,
        epsilon=value.epsilon,
        delta=value.delta,
        detector_hz=value.detector_hz,
        pose_hz=value.pose_hz,
        unseen_people=value.unseen_people,
    )


def privacy_from_msg(message: msg.PrivacyReport) -> core.PrivacyReport:
    """Return the privacy report of a message. Raises InvalidOmega."""
    return core.PrivacyReport(
        excluded_fraction=float(message.excluded_fraction),
        withheld_fraction=float(message.withheld_fraction),
        quarantined_fraction=float(message.quarantined_fraction),
        verdict=core.verdict_from_number(message.verdict),
        sight=core.sight_from_number(message.sight),
        replay=bool(message.replay),
        reason=message.reason,
        epsilon=float(message.epsilon),
        delta=float(message.delta),
        detector_hz=float(message.detector_hz),
        pose_hz=float(message.pose_hz),
        unseen_people=int(message.unseen_people),
    )


def omega_to_msg(value: core.Omega) -> msg.Omega:
    """Return Ω as a message."""
    return msg.Omega(
        schema=value.schema,
        key=key_to_msg(value.key),
        environment=environment_to_msg(value.environment),
        poses=poses_to_msg(value.poses, value.key),
        embedding=embedding_to_msg(value.embedding, value.key),
        privacy=privacy_to_msg(value.privacy, value.key),
    )


def omega_from_msg(message: msg.Omega) -> core.Omega:
    """Return the Ω of a message. Raises InvalidOmega, also if a part has another κ than Ω."""
    key = key_from_msg(message.key)
    for name in ("poses", "embedding", "privacy"):
        part_key = key_from_msg(getattr(message, name).key)
        if part_key != key:
            raise InvalidOmega(f"{name}.key", f"is {part_key}, Ω is of {key}")
    return core.Omega(
        key,
        environment_from_msg(message.environment),
        poses_from_msg(message.poses),
        embedding_from_msg(message.embedding),
        privacy_from_msg(message.privacy),
        int(message.schema),
    )


def _source(field: str, value: int) -> DetectionSource:
    if value not in tuple(DetectionSource):
        raise InvalidOmega(field, f"{value} is no source of a detection")
    return DetectionSource(value)


def box_from_msg(field: str, values: Any) -> Box:
    """Return a box of a message. field: its name. Raises InvalidOmega."""
    x0, y0, x1, y1 = (float(value) for value in values)
    if not (np.isfinite((x0, y0, x1, y1)).all() and x1 > x0 and y1 > y0):
        raise InvalidOmega(field, f"{(x0, y0, x1, y1)} is empty, turned round or not finite")
    return (x0, y0, x1, y1)
