"""Serializes Ω as CDR, the bytes of the message privcam_msgs/msg/Omega, and parses it, without a ROS middleware.

The bytes are compatible with those of ROS in both directions. A middleware is not used for two reasons: it leaves
uninitialised memory in the padding between fields, which must not leave the edge; and it allocates as many elements as
malicious bytes announce before it checks them. Here padding is zero, and every count is checked before allocation.

Encoding: XCDR1, little endian, of the message definition whose hash is `privcam_link.wire.TYPE_HASH`.
"""

from collections.abc import Sequence

import numpy as np

from privcam_core.types.omega import (
    MAX_EMBEDDING_VALUES,
    MAX_PNG_BYTES,
    MAX_SUBJECTS,
    SCHEMA,
    Embedding,
    Environment,
    InvalidOmega,
    Omega,
    PrivacyReport,
    SubjectPose,
    SyncKey,
    head_from_angles,
    replay_from_number,
    sight_from_number,
    verdict_from_number,
)
from privcam_core.types.skeleton import KEYPOINT_COUNT
from privcam_link.cdr_stream import LITTLE_ENDIAN, CdrReader, CdrWriter

# Padding bytes at the end; bridges from DDS write them and count them in the last byte of the header.
_MAX_TRAILING = 3

# Everything but the PNG: 64 subjects of 244 bytes, the embedding, strings and numbers.
MAX_BARE_BYTES = 32 * 1024
MAX_OMEGA_BYTES = MAX_PNG_BYTES + MAX_BARE_BYTES

_MAX_DIMENSIONS = 4
_POSE = np.dtype(
    {
        "names": ["subject_id", "box", "keypoints", "head_valid", "head", "layer"],
        "formats": ["<u4", ("<f4", 4), ("<f4", (KEYPOINT_COUNT, 3)), "u1", ("<f4", 3), "u1"],
        "offsets": [0, 4, 20, 224, 228, 240],
        "itemsize": 244,
    }
)
_DTYPE = "int8"
# `base` of a picture that is not a patch.
_WHOLE = bytes(32)


def encode(omega: Omega) -> bytes:
    """Return Ω as CDR. Equal Ω give equal bytes; every byte is of a field of Ω or zero."""
    out = CdrWriter()
    out.numbers("I", omega.schema)
    out.key(omega.key)
    _write_environment(out, omega.environment)
    out.key(omega.key)
    _write_poses(out, omega.poses)
    out.key(omega.key)
    _write_embedding(out, omega.embedding)
    out.key(omega.key)
    _write_privacy(out, omega.privacy)
    return bytes(out.data)


def encode_part(key: SyncKey, part: Environment | Sequence[SubjectPose] | Embedding | PrivacyReport) -> bytes:
    """Return κ and one part of its Ω as CDR, the environment by digest alone: the bytes that seals are made of."""
    out = CdrWriter()
    out.key(key)
    if isinstance(part, Environment):
        _write_environment(out, part.without_png())
    elif isinstance(part, Embedding):
        _write_embedding(out, part)
    elif isinstance(part, PrivacyReport):
        _write_privacy(out, part)
    else:
        _write_poses(out, part)
    return bytes(out.data)


def decode(payload: bytes) -> Omega:
    """Return the Ω that `payload` holds.

    Raises InvalidOmega, naming the field, for bytes that are not such a message, end early or late, or hold a value
    that Ω does not allow. Padding is ignored.
    """
    if len(payload) > MAX_OMEGA_BYTES:
        raise InvalidOmega("payload", f"{len(payload)} bytes, limit {MAX_OMEGA_BYTES}")
    if payload[:3] != LITTLE_ENDIAN[:3]:
        raise InvalidOmega("payload", f"starts with {payload[:4].hex()}, is not little-endian CDR")
    read = CdrReader(payload)
    (schema,) = read.numbers("I", "schema")
    if schema != SCHEMA:
        raise InvalidOmega("schema", f"{schema} is not {SCHEMA}: the two ends run different versions")
    key = read.key("key")
    environment = _read_environment(read)
    _require_same(read.key("poses.key"), key, "poses.key")
    poses = _read_poses(read)
    _require_same(read.key("embedding.key"), key, "embedding.key")
    embedding = _read_embedding(read)
    _require_same(read.key("privacy.key"), key, "privacy.key")
    privacy = _read_privacy(read)
    left = len(payload) - read.offset
    if left > _MAX_TRAILING:
        raise InvalidOmega("payload", f"{left} bytes after the end of the message")
    return Omega(key, environment, poses, embedding, privacy, schema)


def peek_key(payload: bytes, *, schema: bool = True) -> SyncKey:
    """Return κ of a message that begins with it, as SceneReport does, or with the schema and it, as Ω does.

    Raises InvalidOmega for bytes that do not begin so. Nothing else of the message is looked at.
    """
    read = CdrReader(payload)
    if schema:
        read.numbers("I", "schema")
    return read.key("key")


def _require_same(part: SyncKey, key: SyncKey, field: str) -> None:
    if part != key:
        raise InvalidOmega(field, f"is {part}, Ω is of {key}")


def _write_environment(out: CdrWriter, environment: Environment) -> None:
    out.key(environment.key)
    out.numbers("iI", 0, 0)  # empty header of the CompressedImage: Ω has the key
    out.string("")
    out.string("png")
    out.blob(environment.png)
    out.data += environment.digest
    out.data += environment.base or _WHOLE
    out.numbers("II", environment.height, environment.width)
    out.numbers("f", environment.confirmed_fraction)
    out.numbers("I", environment.epoch)


def _read_environment(read: CdrReader) -> Environment:
    key = read.key("environment.key")
    header = (*read.numbers("iI", "environment.png.header"), read.string("environment.png.header"))
    if header != (0, 0, ""):
        raise InvalidOmega("environment.png.header", "is not empty")
    form = read.string("environment.png.format")
    if form != "png":
        raise InvalidOmega("environment.png.format", f"{form!r} is not 'png'")
    png = read.blob(MAX_PNG_BYTES, "environment.png")
    digest = bytes(read.take(32, "environment.sha256"))
    base = bytes(read.take(32, "environment.base"))
    height, width = read.numbers("II", "environment.size")
    (confirmed_fraction,) = read.numbers("f", "environment.confirmed_fraction")
    (epoch,) = read.numbers("I", "environment.epoch")
    return Environment(key, png, digest, height, width, confirmed_fraction, epoch, b"" if base == _WHOLE else base)


def _write_poses(out: CdrWriter, poses: Sequence[SubjectPose]) -> None:
    table = np.zeros(len(poses), _POSE)
    for row, pose in zip(table, sorted(poses, key=lambda pose: pose.layer), strict=True):
        row["subject_id"], row["layer"] = pose.subject_id, pose.layer
        row["box"], row["keypoints"] = pose.box, pose.keypoints
        if pose.head is not None:
            row["head_valid"] = 1
            row["head"] = pose.head.yaw, pose.head.pitch, pose.head.roll
    out.numbers("I", len(table))
    # The padding of the last row is written: the string that follows starts at the same offset with or without it.
    out.data += table.tobytes()


def _read_poses(read: CdrReader) -> list[SubjectPose]:
    (count,) = read.numbers("I", "poses")
    if count > MAX_SUBJECTS:
        raise InvalidOmega("poses", f"{count} subjects, limit {MAX_SUBJECTS}")
    table = np.frombuffer(read.take(count * _POSE.itemsize, "poses"), _POSE)
    poses = []
    for row in table:
        if row["head_valid"] > 1:
            raise InvalidOmega("pose.head", f"head_valid {row['head_valid']} is neither 0 nor 1")
        head = head_from_angles(bool(row["head_valid"]), *row["head"].tolist())
        x0, y0, x1, y1 = row["box"].tolist()
        keypoints = row["keypoints"].astype(np.float32)
        poses.append(SubjectPose(int(row["subject_id"]), (x0, y0, x1, y1), keypoints, head, int(row["layer"])))
    return poses


def _write_embedding(out: CdrWriter, embedding: Embedding) -> None:
    out.string(embedding.encoder_id)
    out.numbers("I", len(embedding.shape))
    out.numbers("I" * len(embedding.shape), *embedding.shape)
    out.string(_DTYPE)
    out.numbers("f", embedding.scale)
    out.blob(embedding.data)
    out.numbers("ff", embedding.noise_sigma, embedding.clip_norm)


def _read_embedding(read: CdrReader) -> Embedding:
    encoder_id = read.string("embedding.encoder_id")
    (dimensions,) = read.numbers("I", "embedding.shape")
    if dimensions > _MAX_DIMENSIONS:
        raise InvalidOmega("embedding.shape", f"{dimensions} dimensions, limit {_MAX_DIMENSIONS}")
    shape = read.numbers("I" * dimensions, "embedding.shape")
    dtype = read.string("embedding.dtype")
    if dtype != _DTYPE:
        raise InvalidOmega("embedding.dtype", f"{dtype!r} is not {_DTYPE!r}")
    (scale,) = read.numbers("f", "embedding.scale")
    data = read.blob(MAX_EMBEDDING_VALUES, "embedding.data")
    noise_sigma, clip_norm = read.numbers("ff", "embedding.noise_sigma")
    return Embedding(encoder_id, shape, scale, data, noise_sigma, clip_norm)


def _write_privacy(out: CdrWriter, report: PrivacyReport) -> None:
    out.numbers("fff", report.excluded_fraction, report.withheld_fraction, report.quarantined_fraction)
    out.numbers("BBB", report.verdict, report.sight, report.replay)
    out.string(report.reason)
    out.numbers("fd", report.epsilon, report.delta)
    out.numbers("ffB", report.detector_hz, report.pose_hz, report.unseen_people)


def _read_privacy(read: CdrReader) -> PrivacyReport:
    areas = read.numbers("fff", "privacy.excluded_fraction")
    verdict, sight, replay = read.numbers("BBB", "privacy.verdict")
    reason = read.string("privacy.reason")
    epsilon, delta = read.numbers("fd", "privacy.epsilon")
    detector_hz, pose_hz, unseen_people = read.numbers("ffB", "privacy.detector_hz")
    return PrivacyReport(
        excluded_fraction=areas[0],
        withheld_fraction=areas[1],
        quarantined_fraction=areas[2],
        verdict=verdict_from_number(verdict),
        reason=reason,
        epsilon=epsilon,
        delta=delta,
        sight=sight_from_number(sight),
        replay=replay_from_number(replay),
        detector_hz=detector_hz,
        pose_hz=pose_hz,
        unseen_people=unseen_people,
    )
