"""κ, Ω and its parts as typed values that are valid by construction.

Every constructor checks its fields and raises `InvalidOmega`, which names the first invalid field. Both ends of the
link build these types from messages and bytes, so every value is checked by the same code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import isfinite, pi, prod

import numpy as np

from privcam_core.types.arrays import Box, Float32Array
from privcam_core.types.identifiers import camera_id_error, is_camera_id
from privcam_core.types.sight import Sight
from privcam_core.types.skeleton import KEYPOINT_COUNT
from privcam_core.types.time import NS_PER_S, seconds_from_ns

SCHEMA = 5

MAX_WIDTH, MAX_HEIGHT = 7680, 4320
MAX_SUBJECTS = 64
MAX_EMBEDDING_VALUES = 4096
MAX_PNG_BYTES = 16 * 1024 * 1024
# Largest distance of a keypoint or box from the origin, px: it may lie outside of the picture, but not far.
MAX_COORDINATE = 4.0 * MAX_WIDTH
NO_ACCOUNTING = -1.0
# A privacy report counts people whom nothing finds up to this number.
MAX_UNSEEN_PEOPLE = 15
# The rates per second that a privacy report may state. A short list, so that nothing can be hidden in their digits.
RATE_STEPS_HZ = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 15.0, 30.0, 60.0)


class InvalidOmega(ValueError):
    """A part of Ω is not valid. `field` is its dotted path, `reason` says what is wrong."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def _require(condition: bool, field: str, reason: str) -> None:
    if not condition:
        raise InvalidOmega(field, reason)


def _require_range(value: float, low: float, high: float, field: str) -> None:
    _require(isfinite(value) and low <= value <= high, field, f"{value} is not in [{low:g}, {high:g}]")


def _require_rate(value: float, field: str) -> None:
    steps = ", ".join(f"{step:g}" for step in RATE_STEPS_HZ)
    _require(value in RATE_STEPS_HZ, field, f"{value} is none of the steps {steps}")


def _require_box(box: Box, field: str) -> None:
    _require(len(box) == 4, field, f"has {len(box)} numbers, needs x0, y0, x1, y1")
    for value in box:
        _require_range(value, -MAX_COORDINATE, MAX_COORDINATE, field)
    _require(box[2] > box[0] and box[3] > box[1], field, f"{tuple(box)} is empty or reversed")


@dataclass(frozen=True, order=True)
class SyncKey:
    """The synchronisation key κ = ⟨camera_id, frame_id, t⟩ of Eq. 6.

    camera_id: [a-z0-9_]{1,64}. frame_id: from 1. stamp_ns: capture time in ns since the epoch, UTC.
    """

    camera_id: str
    frame_id: int
    stamp_ns: int

    def __post_init__(self) -> None:
        _require(is_camera_id(self.camera_id), "key.camera_id", camera_id_error(self.camera_id))
        _require(0 < self.frame_id < 2**64, "key.frame_id", f"{self.frame_id} is not in [1, 2^64)")
        _require(0 < self.stamp_ns < 2**31 * NS_PER_S, "key.stamp", f"{self.stamp_ns} ns is not a time after the epoch")

    @property
    def seconds(self) -> float:
        """Capture time in seconds since the epoch."""
        return seconds_from_ns(self.stamp_ns)


@dataclass(frozen=True)
class HeadOrientation:
    """The head orientation h of a subject in rad.

    yaw: 0 looks into the camera, positive to the picture's right. pitch: positive looks up. roll: positive clockwise.
    """

    yaw: float
    pitch: float
    roll: float

    def __post_init__(self) -> None:
        _require_range(self.yaw, -pi, pi, "pose.head.yaw")
        _require_range(self.pitch, -pi / 2, pi / 2, "pose.head.pitch")
        _require_range(self.roll, -pi, pi, "pose.head.roll")


def head_from_angles(valid: bool, yaw: float, pitch: float, roll: float) -> HeadOrientation | None:
    """Return h from the single-precision angles of a message, rad; None if not valid. Raises InvalidOmega.

    π in single precision is a little above π, so it is reduced to π.
    """
    if not valid:
        _require((yaw, pitch, roll) == (0.0, 0.0, 0.0), "pose.head", "is not valid but carries angles")
        return None
    return HeadOrientation(_limit_angle(yaw, pi), _limit_angle(pitch, pi / 2), _limit_angle(roll, pi))


def _limit_angle(angle: float, limit: float) -> float:
    above = limit < abs(angle) <= float(np.float32(limit))
    return float(np.copysign(limit, angle)) if above else angle


@dataclass(frozen=True, eq=False)
class SubjectPose:
    """The pose P of one subject with its box b, head orientation h and layer in π.

    keypoints: (17, 3) float32, u and v in px, ρ in [0, 1]. layer: 0 is drawn first (farthest).
    """

    subject_id: int
    box: Box
    keypoints: Float32Array
    head: HeadOrientation | None = None
    layer: int = 0

    def __post_init__(self) -> None:
        _require(0 < self.subject_id < 2**32, "pose.subject_id", f"{self.subject_id} is not in [1, 2^32)")
        _require_box(self.box, "pose.box")
        shape = self.keypoints.shape
        _require(shape == (KEYPOINT_COUNT, 3), "pose.keypoints", f"has shape {shape}, needs ({KEYPOINT_COUNT}, 3)")
        _require(bool(np.isfinite(self.keypoints).all()), "pose.keypoints", "has a value that is not finite")
        reach = float(np.abs(self.keypoints[:, :2]).max())
        _require(reach <= MAX_COORDINATE, "pose.keypoints", f"reaches {reach:g} px, the limit is {MAX_COORDINATE:g}")
        rho = self.keypoints[:, 2]
        _require(bool(((rho >= 0) & (rho <= 1)).all()), "pose.keypoints.rho", "has a confidence outside of [0, 1]")
        _require(0 <= self.layer < MAX_SUBJECTS, "pose.layer", f"{self.layer} is not in [0, {MAX_SUBJECTS})")


@dataclass(frozen=True)
class Environment:
    """The environment picture Ī. With empty `png`: the picture with this digest still holds.

    key: κ of the frame. png: 8-bit RGBA, alpha is the confirmed mask; with `base`, a patch on the picture with that
    digest (`privcam_link.patches`). digest: 32 bytes, `privcam_core.images.environment.picture_digest` of the whole
    picture. height, width: px. confirmed_fraction: fraction of the pixels that are confirmed background. epoch: counts
    pictures, from 1. Not checked here: that the PNG has this digest (see `privcam_link.validation.open_environment`).
    """

    key: SyncKey
    png: bytes
    digest: bytes
    height: int
    width: int
    confirmed_fraction: float
    epoch: int
    base: bytes = b""

    def __post_init__(self) -> None:
        _require(len(self.png) <= MAX_PNG_BYTES, "environment.png", f"{len(self.png)} bytes, limit {MAX_PNG_BYTES}")
        _require(len(self.digest) == 32, "environment.sha256", f"has {len(self.digest)} bytes, needs 32")
        _require(len(self.base) in (0, 32), "environment.base", f"has {len(self.base)} bytes, needs 32 or none")
        _require(not self.base or bool(self.png), "environment.base", "is named, but there is no patch on it")
        _require(self.base != self.digest, "environment.base", "is the picture itself")
        _require_range(self.height, 1, MAX_HEIGHT, "environment.height")
        _require_range(self.width, 1, MAX_WIDTH, "environment.width")
        _require_range(self.confirmed_fraction, 0.0, 1.0, "environment.confirmed_fraction")
        _require(0 < self.epoch < 2**32, "environment.epoch", f"{self.epoch} is not in [1, 2^32)")

    def without_png(self) -> "Environment":
        """Return the same environment by digest alone."""
        return Environment(self.key, b"", self.digest, self.height, self.width, self.confirmed_fraction, self.epoch)


@dataclass(frozen=True)
class Embedding:
    """The vector z, quantised: value = int8 of `data` times `scale`. noise_sigma in units of value."""

    encoder_id: str
    shape: tuple[int, ...]
    scale: float
    data: bytes
    noise_sigma: float
    clip_norm: float

    def __post_init__(self) -> None:
        _require(0 < len(self.encoder_id) <= 128, "embedding.encoder_id", "is empty or longer than 128 characters")
        _require(0 < len(self.shape) <= 4, "embedding.shape", f"{self.shape} has not 1 to 4 dimensions")
        _require(all(n > 0 for n in self.shape), "embedding.shape", f"{self.shape} has an empty dimension")
        count = prod(self.shape)  # NumPy's would be 0 for four times 65536
        _require(count <= MAX_EMBEDDING_VALUES, "embedding.shape", f"{count} values, limit {MAX_EMBEDDING_VALUES}")
        _require(len(self.data) == count, "embedding.data", f"has {len(self.data)} bytes, shape needs {count}")
        _require(isfinite(self.scale) and self.scale > 0, "embedding.scale", f"{self.scale} is not positive")
        _require_range(self.noise_sigma, 0.0, 1e6, "embedding.noise_sigma")
        _require(isfinite(self.clip_norm) and self.clip_norm > 0, "embedding.clip_norm", f"{self.clip_norm} <= 0")

    def values(self) -> Float32Array:
        """Return z as float32 in its shape."""
        return (np.frombuffer(self.data, np.int8).astype(np.float32) * np.float32(self.scale)).reshape(self.shape)


class Verdict(IntEnum):
    """Whether a frame may leave."""

    WITHHOLD = 0
    PASS = 1


def verdict_from_number(value: int) -> Verdict:
    """Return the verdict with this number in a message. Raises InvalidOmega for any other number."""
    _require(value in tuple(Verdict), "privacy.verdict", f"{value} is neither WITHHOLD nor PASS")
    return Verdict(value)


def sight_from_number(value: int) -> Sight:
    """Return the sight with this number in a message. Raises InvalidOmega for any other number."""
    _require(value in tuple(Sight), "privacy.sight", f"{value} is not in [0, {max(Sight)}]")
    return Sight(value)


def replay_from_number(value: int) -> bool:
    """Return whether a message with this number is of a replay. Raises InvalidOmega for any other than 0 and 1."""
    _require(value in (0, 1), "privacy.replay", f"{value} is neither 0 nor 1")
    return bool(value)


@dataclass(frozen=True)
class PrivacyReport:
    """The result of the privacy engine for one frame. Fractions are of the picture.

    sight: whether the camera sees well enough to be relied on, and why not.
    replay: this is not what a camera sees now, but a recording or a simulation; nobody must be alarmed by it.
    epsilon, delta: the budget spent on poses in the accountant's window; epsilon < 0: no accounting, and delta is
    undefined.
    detector_hz, pose_hz: how often per second the detector saw a frame, and the pose of the subject with the fewest
    estimates was estimated, rounded down to a step of `RATE_STEPS_HZ`; see `privcam_privacy.perception_rates`.
    unseen_people: how many were followed and not seen to leave, and are not found by any network now; 15 also for more.
    """

    excluded_fraction: float
    withheld_fraction: float
    quarantined_fraction: float
    verdict: Verdict
    reason: str = ""
    epsilon: float = NO_ACCOUNTING
    delta: float = 0.0
    sight: Sight = Sight.UNKNOWN
    replay: bool = False
    detector_hz: float = 0.0
    pose_hz: float = 0.0
    unseen_people: int = 0

    def __post_init__(self) -> None:
        _require_range(self.excluded_fraction, 0.0, 1.0, "privacy.excluded_fraction")
        _require_range(self.withheld_fraction, 0.0, 1.0, "privacy.withheld_fraction")
        _require_range(self.quarantined_fraction, 0.0, 1.0, "privacy.quarantined_fraction")
        _require(self.verdict in tuple(Verdict), "privacy.verdict", f"{self.verdict} is neither WITHHOLD nor PASS")
        _require(len(self.reason) <= 512, "privacy.reason", "is longer than 512 characters")
        _require(self.verdict == Verdict.WITHHOLD or not self.reason, "privacy.reason", "goes with PASS, must be empty")
        _require(self.sight in tuple(Sight), "privacy.sight", f"{self.sight} is not in [0, {max(Sight)}]")
        _require(isfinite(self.epsilon), "privacy.epsilon", f"{self.epsilon} is not finite")
        _require(isfinite(self.delta) and 0 <= self.delta < 1, "privacy.delta", f"{self.delta} is not in [0, 1)")
        _require_rate(self.detector_hz, "privacy.detector_hz")
        _require_rate(self.pose_hz, "privacy.pose_hz")
        _require_range(self.unseen_people, 0, MAX_UNSEEN_PEOPLE, "privacy.unseen_people")


@dataclass(frozen=True, eq=False)
class Omega:
    """The tuple Ω = {κ, Ī, P, z} of Eq. 7, with the privacy report that goes with it."""

    key: SyncKey
    environment: Environment
    poses: Sequence[SubjectPose]
    embedding: Embedding
    privacy: PrivacyReport
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        _require(self.schema == SCHEMA, "schema", f"{self.schema} is not {SCHEMA}: the two ends run different versions")
        environment = self.environment.key
        same = environment.camera_id == self.key.camera_id
        _require(same, "environment.key.camera_id", f"is {environment.camera_id}, Ω is of {self.key.camera_id}")
        older = environment.frame_id <= self.key.frame_id and environment.stamp_ns <= self.key.stamp_ns
        _require(older, "environment.key", "is newer than Ω")
        _require(len(self.poses) <= MAX_SUBJECTS, "poses", f"{len(self.poses)} subjects, limit {MAX_SUBJECTS}")
        ids = {pose.subject_id for pose in self.poses}
        _require(len(ids) == len(self.poses), "poses.subject_id", "two poses of one subject")
        layers = {pose.layer for pose in self.poses}
        _require(len(layers) == len(self.poses), "poses.layer", "two subjects in one layer")
