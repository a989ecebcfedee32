"""Reads pose sequences with a known subject, from recorded clips and from published skeletons."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from privcam_anonymization.anonymizer import PoseAnonymizer, PoseSettings
from privcam_anonymization.random_source import seeded
from privcam_audit.perception_recording import Recording
from privcam_core.types.arrays import Box, Float64Array
from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import KEYPOINT_COUNT, SEEN, Joint
from privcam_core.types.time import NS_PER_S
from privcam_evaluation.clip_reader import annotation_of
from privcam_perception.head_orientation import head_orientation

# Without annotations a track is cut into so many segments, which stand for clips; each is at least so long.
_SEGMENTS, _SEGMENT_S = 4, 2.0
_MIN_FRAMES = 8

_MSR_RATE_HZ = 15.0
_MSR_SHAPE = (480, 640)
_MSR_FOCAL_PX = 575.0  # of the Kinect's depth camera at 640x480
# Kinect joint of each COCO joint. The head stands for the nose; eyes and ears are not known.
_MSR_JOINTS = {
    Joint.NOSE: 19, Joint.LEFT_SHOULDER: 0, Joint.RIGHT_SHOULDER: 1, Joint.LEFT_ELBOW: 7, Joint.RIGHT_ELBOW: 8,
    Joint.LEFT_WRIST: 9, Joint.RIGHT_WRIST: 10, Joint.LEFT_HIP: 4, Joint.RIGHT_HIP: 5, Joint.LEFT_KNEE: 13,
    Joint.RIGHT_KNEE: 14, Joint.LEFT_ANKLE: 15, Joint.RIGHT_ANKLE: 16,
}  # fmt: skip
# What the 20 actions are to somebody who watches a room.
_MSR_KINDS = {
    "gesture": (1, 2, 4, 7, 8, 9, 10, 11),
    "strike": (3, 5, 6, 12, 17, 18, 19),
    "bend": (13, 20),
    "kick": (14, 15),
    "jog": (16,),
}


@dataclass(frozen=True, eq=False)
class PoseClip:
    """One subject doing something.

    source: where clips were made in the same way; subjects are compared within a source only. session: clips of one
    session are held out together. behaviour: None if not known; action: a finer label, None if there is none. times:
    (T,) s. poses: (T, 17, 3) u, v in px and ρ. shape: (H, W) of the picture.
    """

    name: str
    source: str
    subject: str
    session: str
    behaviour: str | None
    times: Float64Array
    poses: Float64Array
    shape: tuple[int, int]
    action: str | None = None


def anonymise(clip: PoseClip, settings: PoseSettings, seed: int) -> PoseClip:
    """Return the clip as it leaves the edge. Boxes and heads are those that the keypoints give. seed: of the noise."""
    anonymizer, out = PoseAnonymizer(settings, seeded(seed)), []
    for seconds, keypoints in zip(clip.times, clip.poses.astype(np.float32), strict=True):
        pose = SubjectPose(1, _box(keypoints), keypoints, head_orientation(keypoints))
        (visible,) = anonymizer.anonymize([pose], clip.shape, NS_PER_S + round(seconds * NS_PER_S))
        out.append(visible.keypoints)
    return PoseClip(
        clip.name, clip.source, clip.subject, clip.session, clip.behaviour, clip.times, np.array(out, np.float64),
        clip.shape, clip.action,
    )  # fmt: skip


def clips_of(recording: Recording, clip: Path) -> list[PoseClip]:
    """Return the sequences of a recorded clip.

    With `annotations.json` in the clip's folder or the one above that names the subject: one sequence, of whoever is
    longest in the picture. Otherwise every track, cut into segments.
    """
    tracks = _tracks(recording)
    entry = annotation_of(clip)
    if entry is not None and entry.get("subject"):
        if not tracks:
            return []
        times, poses = max(tracks.values(), key=lambda track: len(track[0]))
        label = entry.get("label")
        return [
            PoseClip(clip.stem, clip.parent.name, entry["subject"], clip.stem, label, times, poses, recording.shape)
        ]
    found = []
    for subject_id, (times, poses) in tracks.items():
        if times[-1] - times[0] < _SEGMENTS * _SEGMENT_S:
            continue
        for number, part in enumerate(np.array_split(np.arange(len(times)), _SEGMENTS)):
            name = f"{clip.stem}/{subject_id}"
            session = f"segment {number + 1}"
            found.append(
                PoseClip(f"{name}/{number}", clip.stem, name, session, None, times[part], poses[part], recording.shape)
            )
    return found


def msr_action3d(skeletons: Path) -> list[PoseClip]:
    """Return MSR Action3D as a camera would see it, [] if it is not in the folder.

    Reads `msraction3d/*.npz`: one (T, 20, 4) array for each aXX_sYY_eZZ: x (to the subject's right), y up, z away
    from the camera in m, and a confidence.
    """
    return [clip for path in sorted(skeletons.glob("msraction3d/*.npz")) for clip in _msr_file(path)]


def _msr_file(path: Path) -> Iterator[PoseClip]:
    with np.load(path) as arrays:
        for name in sorted(arrays.files):
            joints = arrays[name].astype(np.float64)
            action, subject, session = name.split("_")
            kind = next(kind for kind, actions in _MSR_KINDS.items() if int(action[1:]) in actions)
            poses = _projected(joints[joints[:, :, 2].min(axis=1) > 0.5])
            if len(poses) >= _MIN_FRAMES:
                times = np.arange(len(poses)) / _MSR_RATE_HZ
                yield PoseClip(name, "msraction3d", subject, session, kind, times, poses, _MSR_SHAPE, action)


def _projected(joints: Float64Array) -> Float64Array:
    """Return (T, 17, 3) picture coordinates of (T, 20, 4) Kinect joints."""
    poses = np.zeros((len(joints), KEYPOINT_COUNT, 3))
    for joint, index in _MSR_JOINTS.items():
        x, y, z, confidence = joints[:, index].T
        poses[:, joint, 0] = _MSR_SHAPE[1] / 2 - _MSR_FOCAL_PX * x / z
        poses[:, joint, 1] = _MSR_SHAPE[0] / 2 - _MSR_FOCAL_PX * y / z
        # A joint that the Kinect only guesses is still a coordinate; it counts as barely seen.
        poses[:, joint, 2] = np.clip(confidence, SEEN, 1.0)
    return poses


def _tracks(recording: Recording) -> dict[int, tuple[Float64Array, Float64Array]]:
    rows: dict[int, list[tuple[float, Any]]] = {}
    for number, found in enumerate(recording.perceptions):
        for pose in found.poses:
            rows.setdefault(pose.subject_id, []).append((recording.seconds(number), pose.keypoints))
    return {
        subject_id: (np.array([t for t, _ in track]), np.array([k for _, k in track], np.float64))
        for subject_id, track in rows.items()
        if len(track) >= _MIN_FRAMES
    }


def _box(keypoints: npt.NDArray[np.float32]) -> Box:
    seen = keypoints[keypoints[:, 2] >= SEEN, :2]
    if not len(seen):
        seen = np.zeros((1, 2), np.float32)
    (x0, y0), (x1, y1) = seen.min(axis=0).tolist(), seen.max(axis=0).tolist()
    margin = 1.0 + 0.08 * max(x1 - x0, y1 - y0)
    return x0 - margin, y0 - margin, x1 + margin, y1 + margin
