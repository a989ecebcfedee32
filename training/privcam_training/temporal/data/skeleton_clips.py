"""Turns published skeletons into clips with the Ω that an edge would have sent of them.

Each set has a reader (`upfall`, `urfd`, `sbu`); what it returns goes through the project's own anonymiser, and from
there on everything is as for recorded clips: windows of training, events of a model.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from privcam_anonymization.anonymizer import PoseAnonymizer
from privcam_anonymization.random_source import seeded
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.arrays import Box, Float32Array
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_core.types.skeleton import KEYPOINT_COUNT, SEEN, Joint
from privcam_core.types.time import NS_PER_S
from privcam_evaluation.recognition.labelled_clips import START_NS, Clip
from privcam_evaluation.recognition.omega_bags import CAMERA_ID
from privcam_perception.head_orientation import head_orientation

# With fewer joints in a frame there is nobody.
FEWEST_JOINTS = 4
# From the outermost joints to where a detector's box ends, as a fraction of the longer side.
_MARGIN = 0.08
_SEED = 0


@dataclass(frozen=True, eq=False)
class SkeletonClip:
    """A published sequence. poses: (frames, people, 17, 3) px, px, ρ, ρ = 0 where unseen. shape: (H, W) px.

    `clip` says what it shows, of whom, and at what rate; there is no file of it.
    """

    clip: Clip
    poses: Float32Array
    shape: tuple[int, int]


def clip_of(name: str, label: str, group: str, rate: float, fall: tuple[int, int] | None = None) -> Clip:
    """Return what is known of a sequence without a file. group: who must be in training or in the test, never both."""
    return Clip(Path(name), name, label, fall, group, "", rate, depth_beside=False)


def poses_of(places: dict[Joint, int], points: npt.NDArray[np.float64], shape: tuple[int, int]) -> Float32Array:
    """Return (..., 17, 3) poses of published joints; one outside of the picture is not seen.

    places: where each of our joints stands there. points: (..., joints, 2) px. shape: (H, W).
    """
    height, width = shape
    poses = np.zeros((*points.shape[:-2], KEYPOINT_COUNT, 3), np.float32)
    for joint, place in places.items():
        u, v = points[..., place, 0], points[..., place, 1]
        poses[..., joint, 0], poses[..., joint, 1] = u, v
        poses[..., joint, 2] = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    return poses


def omegas(sequence: SkeletonClip) -> list[Omega]:
    """Return what an edge would have sent, an Ω for each frame, poses `canonical`. Boxes are those of the joints."""
    anonymizer = PoseAnonymizer(random_bytes=seeded(_SEED))
    times = np.arange(len(sequence.poses)) / sequence.clip.rate
    frames = ((seconds, list(_people(frame))) for seconds, frame in zip(times.tolist(), sequence.poses, strict=True))
    published = ((seconds, anonymizer.anonymize(people, sequence.shape, _stamp(seconds))) for seconds, people in frames)
    return omegas_of_poses(published, sequence.shape)


def omegas_of_poses(frames: Iterable[tuple[float, Sequence[SubjectPose]]], shape: tuple[int, int]) -> list[Omega]:
    """Return an Ω for each frame, in an empty room. frames: s since the clip began, poses as sent. shape: (H, W)."""
    png = encode_environment(np.zeros((*shape, 3), np.uint8), np.ones(shape, bool))
    room = environment_of(SyncKey(CAMERA_ID, 1, START_NS), png, 1).without_png()
    z, report = Embedding("none", (1,), 1.0, b"\0", 0.0, 1.0), PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS)
    return [
        Omega(SyncKey(CAMERA_ID, number, _stamp(seconds)), room, poses, z, report)
        for number, (seconds, poses) in enumerate(frames, start=1)
    ]


def _stamp(seconds: float) -> int:
    return START_NS + round(seconds * NS_PER_S)


def _people(frame: Float32Array) -> Iterator[SubjectPose]:
    for number, keypoints in enumerate(frame, start=1):
        if (keypoints[:, 2] >= SEEN).sum() >= FEWEST_JOINTS:
            yield SubjectPose(number, _box(keypoints), keypoints, head_orientation(keypoints), number - 1)


def _box(keypoints: Float32Array) -> Box:
    seen = keypoints[keypoints[:, 2] >= SEEN, :2]
    (x0, y0), (x1, y1) = seen.min(axis=0).tolist(), seen.max(axis=0).tolist()
    margin = 1.0 + _MARGIN * max(x1 - x0, y1 - y0)
    return x0 - margin, y0 - margin, x1 + margin, y1 + margin
