"""Ω as CDR, the bytes of the message privcam_msgs/msg/Omega, written and read without a middleware.

ROS can do this too, and what is written here is read by it and the other way round. Two things make it ours: a
middleware leaves whatever the process had in memory in the padding between fields, which must not leave the edge; and
it makes room for as many elements as hostile bytes announce before it looks at them. Padding here is zero, and every
count is checked before it is believed.

Encoding: XCDR1, little endian, of the message definition whose hash is `privcam_link.wire.TYPE_HASH`.
"""

import struct
from math import pi

import numpy as np

from privcam_core.types.omega import (
    MAX_EMBEDDING_VALUES,
    MAX_PNG_BYTES,
    MAX_SUBJECTS,
    SCHEMA,
    Embedding,
    Environment,
    HeadOrientation,
    InvalidOmega,
    Omega,
    PrivacyReport,
    SubjectPose,
    SyncKey,
    Verdict,
)
from privcam_core.types.skeleton import KEYPOINT_COUNT

_LITTLE_ENDIAN = b"\x00\x01\x00\x00"
# The last byte of the header may count padding bytes at the end, which bridges from DDS use.
_MAX_TRAILING = 3

# Everything but the PNG: 64 subjects of 244 bytes, the embedding, strings and numbers.
MAX_BARE_BYTES = 32 * 1024
MAX_OMEGA_BYTES = MAX_PNG_BYTES + MAX_BARE_BYTES

_MAX_STRING = 512
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
# What stands for the base of a picture that is no patch.
_WHOLE = bytes(32)
_NS = 10**9


def encode(omega: Omega) -> bytes:
    """Return Ω as CDR. The same Ω gives the same bytes; every byte comes from a field of Ω or is zero."""
    out = _Writer()
    out.numbers("I", omega.schema)
    out.key(omega.key)
    _write_environment(out, omega.environment)
    out.key(omega.key)
    _write_poses(out, omega)
    out.key(omega.key)
    _write_embedding(out, omega.embedding)
    out.key(omega.key)
    _write_privacy(out, omega.privacy)
    return bytes(out.data)


def decode(payload: bytes) -> Omega:
    """Return the Ω that `payload` holds.

    Raises InvalidOmega, naming the field, for bytes that are not such a message, end early or late, or hold a value
    that Ω does not allow. Padding is not looked at and does not survive.
    """
    if len(payload) > MAX_OMEGA_BYTES:
        raise InvalidOmega("payload", f"{len(payload)} bytes, limit {MAX_OMEGA_BYTES}")
    if payload[:3] != _LITTLE_ENDIAN[:3]:
        raise InvalidOmega("payload", f"starts with {payload[:4].hex()}, is not little-endian CDR")
    read = _Reader(payload)
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
    read = _Reader(payload)
    if schema:
        read.numbers("I", "schema")
    return read.key("key")


def head_of(valid: bool, yaw: float, pitch: float, roll: float) -> HeadOrientation | None:
    """Return h from the single-precision angles of a message (rad). π in single precision is a little above π."""
    if not valid:
        if (yaw, pitch, roll) != (0.0, 0.0, 0.0):
            raise InvalidOmega("pose.head", "is not valid but carries angles")
        return None
    return HeadOrientation(_angle(yaw, pi), _angle(pitch, pi / 2), _angle(roll, pi))


def verdict_of(value: int) -> Verdict:
    """Return the verdict that a message's number stands for. Raises InvalidOmega for any other number."""
    if value not in tuple(Verdict):
        raise InvalidOmega("privacy.verdict", f"{value} is neither WITHHOLD nor PASS")
    return Verdict(value)


def _angle(value: float, limit: float) -> float:
    above = limit < abs(value) <= float(np.float32(limit))
    return float(np.copysign(limit, value)) if above else value


def _require_same(part: SyncKey, key: SyncKey, field: str) -> None:
    if part != key:
        raise InvalidOmega(field, f"is {part}, Ω is of {key}")


def _write_environment(out: "_Writer", environment: Environment) -> None:
    out.key(environment.key)
    out.numbers("iI", 0, 0)  # header of the CompressedImage: the key says it all
    out.string("")
    out.string("png")
    out.blob(environment.png)
    out.data += environment.digest
    out.data += environment.base or _WHOLE
    out.numbers("II", environment.height, environment.width)
    out.numbers("f", environment.confirmed_fraction)
    out.numbers("I", environment.epoch)


def _read_environment(read: "_Reader") -> Environment:
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


def _write_poses(out: "_Writer", omega: Omega) -> None:
    table = np.zeros(len(omega.poses), _POSE)
    for row, pose in zip(table, sorted(omega.poses, key=lambda pose: pose.layer), strict=True):
        row["subject_id"], row["layer"] = pose.subject_id, pose.layer
        row["box"], row["keypoints"] = pose.box, pose.keypoints
        if pose.head is not None:
            row["head_valid"] = 1
            row["head"] = pose.head.yaw, pose.head.pitch, pose.head.roll
    out.numbers("I", len(table))
    # The last row's padding stays: a string follows, which starts at the same offset with or without it.
    out.data += table.tobytes()


def _read_poses(read: "_Reader") -> list[SubjectPose]:
    (count,) = read.numbers("I", "poses")
    if count > MAX_SUBJECTS:
        raise InvalidOmega("poses", f"{count} subjects, limit {MAX_SUBJECTS}")
    table = np.frombuffer(read.take(count * _POSE.itemsize, "poses"), _POSE)
    poses = []
    for row in table:
        if row["head_valid"] > 1:
            raise InvalidOmega("pose.head", f"head_valid {row['head_valid']} is neither 0 nor 1")
        head = head_of(bool(row["head_valid"]), *row["head"].tolist())
        x0, y0, x1, y1 = row["box"].tolist()
        keypoints = row["keypoints"].astype(np.float32)
        poses.append(SubjectPose(int(row["subject_id"]), (x0, y0, x1, y1), keypoints, head, int(row["layer"])))
    return poses


def _write_embedding(out: "_Writer", embedding: Embedding) -> None:
    out.string(embedding.encoder_id)
    out.numbers("I", len(embedding.shape))
    out.numbers("I" * len(embedding.shape), *embedding.shape)
    out.string(_DTYPE)
    out.numbers("f", embedding.scale)
    out.blob(embedding.data)
    out.numbers("ff", embedding.noise_sigma, embedding.clip_norm)


def _read_embedding(read: "_Reader") -> Embedding:
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


def _write_privacy(out: "_Writer", report: PrivacyReport) -> None:
    out.numbers("fff", report.excluded_fraction, report.withheld_fraction, report.quarantined_fraction)
    out.numbers("B", report.verdict)
    out.string(report.reason)
    out.numbers("fd", report.epsilon, report.delta)


def _read_privacy(read: "_Reader") -> PrivacyReport:
    areas = read.numbers("fff", "privacy.excluded_fraction")
    (verdict,) = read.numbers("B", "privacy.verdict")
    reason = read.string("privacy.reason")
    epsilon, delta = read.numbers("fd", "privacy.epsilon")
    return PrivacyReport(areas[0], areas[1], areas[2], verdict_of(verdict), reason, epsilon, delta)


def _to_float32(value: float) -> float:
    """Return `value` as single precision; what is too large becomes infinite, which the other end refuses."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))


class _Writer:
    """Appends CDR values. Offsets count from after the four header bytes, which keep every alignment up to 4."""

    def __init__(self) -> None:
        self.data = bytearray(_LITTLE_ENDIAN)

    def align(self, size: int) -> None:
        self.data += bytes(-(len(self.data) - len(_LITTLE_ENDIAN)) % size)

    def numbers(self, codes: str, *values: float) -> None:
        for code, value in zip(codes, values, strict=True):
            self.align(struct.calcsize(code))
            self.data += struct.pack("<" + code, _to_float32(value) if code == "f" else value)

    def string(self, text: str) -> None:
        self.blob(text.encode() + b"\x00")

    def blob(self, data: bytes) -> None:
        self.numbers("I", len(data))
        self.data += data

    def key(self, key: SyncKey) -> None:
        self.string(key.camera_id)
        self.numbers("QiI", key.frame_id, key.stamp_ns // _NS, key.stamp_ns % _NS)


class _Reader:
    """Takes CDR values one after the other. Every method names the field that it reads, for the error."""

    def __init__(self, payload: bytes) -> None:
        self._payload = memoryview(payload)
        self.offset = len(_LITTLE_ENDIAN)

    def take(self, count: int, field: str) -> memoryview:
        end = self.offset + count
        if end > len(self._payload):
            raise InvalidOmega(field, f"needs {count} bytes, the payload ends after {len(self._payload) - self.offset}")
        part = self._payload[self.offset : end]
        self.offset = end
        return part

    def numbers(self, codes: str, field: str) -> tuple[int, ...]:
        values = []
        for code in codes:
            size = struct.calcsize(code)
            self.take(-(self.offset - len(_LITTLE_ENDIAN)) % size, field)
            values.append(struct.unpack("<" + code, self.take(size, field))[0])
        return tuple(values)

    def blob(self, limit: int, field: str) -> bytes:
        (count,) = self.numbers("I", field)
        if count > limit:
            raise InvalidOmega(field, f"{count} bytes, limit {limit}")
        return bytes(self.take(count, field))

    def string(self, field: str) -> str:
        data = self.blob(_MAX_STRING, field)
        if not data.endswith(b"\x00") or b"\x00" in data[:-1]:
            raise InvalidOmega(field, "is not a terminated string")
        try:
            return data[:-1].decode()
        except UnicodeDecodeError as error:
            raise InvalidOmega(field, f"is not UTF-8 ({error.reason})") from error

    def key(self, field: str) -> SyncKey:
        camera_id = self.string(f"{field}.camera_id")
        frame_id, seconds, nanoseconds = self.numbers("QiI", field)
        if nanoseconds >= _NS:
            raise InvalidOmega(f"{field}.stamp", f"{nanoseconds} ns do not fit into a second")
        return SyncKey(camera_id, frame_id, seconds * _NS + nanoseconds)
