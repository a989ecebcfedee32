"""Records the perception of a clip once, so that every part of the audit starts from the same detections.

The cache holds κ, boxes, tracks and poses, never a pixel. Pictures are decoded again for each use.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import privcam_perception
from privcam_core.detection import crops, person_detector
from privcam_core.models.manifest import load_manifest
from privcam_core.types.arrays import Image
from privcam_core.types.omega import HeadOrientation, SubjectPose, SyncKey
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_core.types.time import NS_PER_S
from privcam_evaluation.clip_reader import Crop, annotated_crop, frame_rate, mean_rate, read_frames, sha256_of
from privcam_perception.pipeline import PerceptionPipeline
from privcam_sources.stream_info import TimedFrame

CAMERA_ID = "audit"
# Every clip starts at this moment, so that nothing depends on when the audit runs.
START_NS = 1_700_000_000 * NS_PER_S
# A file that says 15.01 frames/s is taken whole at 15.
_RATE_SLACK = 0.05
# Models and modules that the perception depends on: a change in one of them makes a new recording.
_MODELS = ("nanodet", "movenet_thunder", "movenet_lightning")
_CODE = ("pipeline", "pose_estimator", "subject_poser", "head_orientation")


class Frame(NamedTuple):
    """One frame with its perception. image: (H, W, 3) uint8 BGR. poses: as estimated, not anonymised."""

    key: SyncKey
    image: Image
    detections: Detections
    tracks: list[Track]
    poses: list[SubjectPose]


@dataclass(frozen=True, eq=False)
class FramePerception:
    """The detections, tracks and poses of one frame. poses: as estimated, not anonymised."""

    key: SyncKey
    detections: Detections
    tracks: list[Track]
    poses: list[SubjectPose]


@dataclass(frozen=True, eq=False)
class Recording:
    """The perception of a clip, and a way to its pictures.

    name: of the clip. digest: hex, of the clip and all settings, to key results that are kept. shape: (H, W).
    rate_hz: of the frames taken. read: decodes the pictures anew, as many as `perceptions`.
    """

    name: str
    digest: str
    shape: tuple[int, int]
    rate_hz: float
    perceptions: Sequence[FramePerception]
    read: Callable[[], Iterator[Image]]

    def __len__(self) -> int:
        return len(self.perceptions)

    def frames(self) -> Iterator[Frame]:
        """Yield every frame with its perception, one picture in memory at a time."""
        for one, image in zip(self.perceptions, self.read(), strict=True):
            yield Frame(one.key, image, one.detections, one.tracks, one.poses)

    def seconds(self, number: int) -> float:
        """Return the time of frame `number` (from 0) since the first one, in s."""
        return (self.perceptions[number].key.stamp_ns - self.perceptions[0].key.stamp_ns) / NS_PER_S


def record(
    clip: Path,
    *,
    cache: Path,
    rate_hz: float = 15.0,
    seconds: float | None = None,
    crop: Crop | None = None,
    threads: int = 1,
) -> Recording:
    """Return the perception of the frames of a clip, of at most `rate_hz` in a second, evenly by their times.

    cache: folder of earlier recordings. seconds: of the clip, all if None. crop: the part of the picture that is
    the camera's; if None, what the clip's annotations say (see `annotated_crop`). threads: processor cores.
    Raises SourceError for a clip that cannot be read, ValueError for a crop that is not in the picture.
    """
    crop = crop or annotated_crop(clip)
    clip_hz = frame_rate(clip)
    step_s = max(1, ceil(clip_hz / rate_hz - _RATE_SLACK)) / clip_hz
    settings = {"clip": sha256_of(clip), "step_s": step_s, "seconds": seconds, "crop": crop, "uses": _uses()}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    kept = cache / f"{clip.stem}-{digest[:16]}.npz"
    if kept.exists():
        with np.load(kept) as arrays:
            shape, perceptions = unpack(arrays)
    else:
        shape, perceptions = _perceive(read_frames(clip, step_s=step_s, seconds=seconds, crop=crop), threads)
        cache.mkdir(parents=True, exist_ok=True)
        # Written beside and moved, so that a half-written file is never taken for a whole one.
        partial = kept.with_suffix(".part.npz")
        np.savez_compressed(partial, allow_pickle=False, **pack(shape, perceptions))
        partial.replace(kept)
    count = len(perceptions)

    def read() -> Iterator[Image]:
        return (frame.image for frame in read_frames(clip, step_s=step_s, limit=count, crop=crop))

    return Recording(
        clip.stem, digest, shape, mean_rate([one.key.stamp_ns for one in perceptions], 1 / step_s), perceptions, read
    )


def _uses() -> dict[str, list[str]]:
    manifest, package = load_manifest(), Path(privcam_perception.__file__).parent
    code = [
        Path(person_detector.__file__),
        Path(crops.__file__),
        *(package / f"{name}.py" for name in _CODE),
        *(package / "tracking").glob("*.py"),
    ]
    return {
        "models": [file.sha256 for name in _MODELS for file in manifest.entry(name).files],
        "code": [sha256_of(path) for path in sorted(code)],
    }


def _perceive(pictures: Iterator[TimedFrame], threads: int) -> tuple[tuple[int, int], list[FramePerception]]:
    perception = PerceptionPipeline(threads=threads)
    shape, perceptions = (0, 0), []
    for number, frame in enumerate(pictures):
        key = SyncKey(CAMERA_ID, number + 1, START_NS + (frame.time_ns or 0))
        perceptions.append(FramePerception(key, *perception.perceive(frame.image, key.stamp_ns)))
        shape = (frame.image.shape[0], frame.image.shape[1])
    return shape, perceptions


def pack(shape: tuple[int, int], perceptions: Sequence[FramePerception]) -> dict[str, npt.NDArray[Any]]:
    """Return the perception of all frames as flat arrays; rows of one frame follow each other."""
    tracks = [
        (t.subject_id, *t.box, *t.velocity, t.score, t.state, t.hits, t.age, t.lost_frames)
        for frame in perceptions
        for t in frame.tracks
    ]
    poses = [
        (p.subject_id, *p.box, p.layer, *((1, p.head.yaw, p.head.pitch, p.head.roll) if p.head else (0, 0, 0, 0)))
        for frame in perceptions
        for p in frame.poses
    ]
    return {
        "shape": np.array(shape),
        "stamps": np.array([frame.key.stamp_ns for frame in perceptions], np.int64),
        "counts": np.array([(len(f.detections), len(f.tracks), len(f.poses)) for f in perceptions]).reshape(-1, 3),
        "boxes": np.concatenate([frame.detections.boxes for frame in perceptions]),
        "scores": np.concatenate([frame.detections.scores for frame in perceptions]),
        "tracks": np.array(tracks, np.float64).reshape(-1, 14),
        "poses": np.array(poses, np.float64).reshape(-1, 10),
        "keypoints": np.array([p.keypoints for f in perceptions for p in f.poses], np.float32).reshape(-1, 17, 3),
    }


def unpack(arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[tuple[int, int], list[FramePerception]]:
    """Return (H, W) and the perception of all frames from the arrays of `pack`."""
    boxes, scores, keypoints = arrays["boxes"], arrays["scores"], arrays["keypoints"]
    tracks, poses = arrays["tracks"].tolist(), arrays["poses"].tolist()
    perceptions = []
    d = t = p = 0
    for number, (stamp, counts) in enumerate(zip(arrays["stamps"].tolist(), arrays["counts"].tolist(), strict=True)):
        d1, t1, p1 = d + counts[0], t + counts[1], p + counts[2]
        perceptions.append(
            FramePerception(
                SyncKey(CAMERA_ID, number + 1, stamp),
                Detections(boxes[d:d1], scores[d:d1]),
                [_track(row) for row in tracks[t:t1]],
                [_pose(row, points) for row, points in zip(poses[p:p1], keypoints[p:p1], strict=True)],
            )
        )
        d, t, p = d1, t1, p1
    height, width = arrays["shape"].tolist()
    return (height, width), perceptions


def _track(row: list[float]) -> Track:
    state, hits, age, lost = (int(value) for value in row[10:])
    box, velocity = (row[1], row[2], row[3], row[4]), (row[5], row[6], row[7], row[8])
    return Track(int(row[0]), box, velocity, row[9], TrackState(state), hits, age, lost)


def _pose(row: list[float], keypoints: npt.NDArray[np.float32]) -> SubjectPose:
    head = HeadOrientation(*row[7:]) if row[6] else None
    return SubjectPose(int(row[0]), (row[1], row[2], row[3], row[4]), keypoints, head, int(row[5]))
