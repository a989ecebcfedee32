"""Reads labelled clips (`annotations.json`) and runs the edge over them to make Ω bags."""

import json
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import Reader

from privcam_cloud.recording.bag_recorder import BagRecorder
from privcam_core.types.arrays import Image
from privcam_core.types.omega import Omega, SyncKey
from privcam_core.types.time import NS_PER_S
from privcam_evaluation.clip_reader import read_frames
from privcam_link import cdr

CAMERA_ID = "clip"
# Clips of URFD come as one picture: depth on the left, colour on the right. Their note says so.
_DEPTH_BESIDE = "depth (left half"
# Capture times of a clip begin here, ns since the epoch.
START_NS = 1_700_000_000 * NS_PER_S


class BadAnnotations(ValueError):
    """A labels file cannot be used. The text says which entry, and what is wrong with it."""


@dataclass(frozen=True)
class Clip:
    """One labelled clip.

    label: what the whole clip shows (fall, adl, walking, fight, no_fight, smoking ...). fall: first and last frame of
    the fall, 0-based, None without one. subject: who is in it, empty: unknown. rate: frames/s.
    """

    path: Path
    label: str
    fall: tuple[int, int] | None
    subject: str
    scene: str
    rate: float
    depth_beside: bool

    @property
    def name(self) -> str:
        """Name of the file without its ending."""
        return self.path.stem

    @property
    def group(self) -> str:
        """Who or what the clip shows: what must not be in training when it is tested."""
        return self.subject or self.scene or self.name


def read_annotations(folder: Path) -> list[Clip]:
    """Return the clips of `folder`/annotations.json. Raises BadAnnotations."""
    source = folder / "annotations.json"
    try:
        entries = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadAnnotations(f"{source}: cannot be read ({error}); see docs/recognition.md for its form") from error
    if not isinstance(entries, list) or not entries:
        raise BadAnnotations(f"{source}: holds no list of clips")
    return [_clip(folder, entry, f"{source}: entry {index}") for index, entry in enumerate(entries)]


def _clip(folder: Path, entry: Any, where: str) -> Clip:
    try:
        path = folder / entry["file"]
        fall = entry.get("fall_frames_0based")
        clip = Clip(
            path=path,
            label=str(entry["label"]),
            fall=None if fall is None else (int(fall[0]), int(fall[1])),
            subject=str(entry.get("subject") or ""),
            scene=str(entry.get("scene") or ""),
            rate=float(entry["fps"]),
            depth_beside=_DEPTH_BESIDE in str(entry.get("note") or ""),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BadAnnotations(f"{where}: {type(error).__name__}: {error}; needs file, label and fps") from error
    if not path.is_file():
        raise BadAnnotations(f"{where}: {path} is not there")
    if not 0 < clip.rate <= 1000 or (clip.fall is not None and not 0 <= clip.fall[0] <= clip.fall[1]):
        raise BadAnnotations(f"{where}: fps {clip.rate} or fall_frames_0based {clip.fall} makes no sense")
    return clip


def read_clip(clip: Clip) -> Iterator[Image]:
    """Yield all frames of a clip, (H, W, 3) uint8 BGR: the right half of a picture with depth beside the colours.

    Raises SourceError for a clip that cannot be read, SourceTorn for one that breaks off.
    """
    for image in read_frames(clip.path):
        yield np.ascontiguousarray(image[:, image.shape[1] // 2 :]) if clip.depth_beside else image


def make_bag(clip: Clip, bag: Path) -> int:
    """Write what the edge makes of a clip as an Ω bag, every frame at the clip's own rate; return their number."""
    from privcam_edge.edge_pipeline import EdgePipeline  # loads the models' runtime, which reading a bag does not need
    from privcam_privacy.background.engine_settings import EngineSettings

    pipeline, digest, count = EdgePipeline(settings=EngineSettings(evidence="transit")), b"", 0
    recorder = BagRecorder(bag)
    try:
        for index, image in enumerate(read_clip(clip)):
            key = SyncKey(CAMERA_ID, index + 1, START_NS + round(index / clip.rate * NS_PER_S))
            omega = pipeline.process(key, image)
            same = omega.environment.digest == digest
            digest = omega.environment.digest
            sent = replace(omega, environment=omega.environment.without_png()) if same else omega
            recorder.write(f"/{CAMERA_ID}/cloud/omega", "privcam_msgs/msg/Omega", cdr.encode(sent), key.stamp_ns)
            count += 1
    finally:
        recorder.close()
    return count


def read_bag(bag: Path) -> list[Omega]:
    """Return the Ω of a bag in order. Pictures are in those with which they came."""
    with Reader(bag) as reader:
        return [cdr.decode(bytes(data)) for _, _, data in reader.messages()]


def bags_of(clips: Sequence[Clip], folder: Path, *, processes: int) -> dict[str, Path]:
    """Return the bag of each clip by the clip's name, made where it is not in `folder` yet. Shows progress."""
    folder.mkdir(parents=True, exist_ok=True)
    bags = {clip.name: folder / clip.name for clip in clips}
    missing = [(clip, bags[clip.name]) for clip in clips if not (bags[clip.name] / "metadata.yaml").exists()]
    if missing:
        with multiprocessing.get_context("spawn").Pool(min(processes, len(missing))) as pool:
            for done, (name, count) in enumerate(pool.imap_unordered(_make, missing), start=1):
                print(f"[bags] {done}/{len(missing)} {name}: {count} Ω", file=sys.stderr, flush=True)
    return bags


def _make(work: tuple[Clip, Path]) -> tuple[str, int]:
    clip, bag = work
    partial = bag.with_name(f"{bag.name}.part")
    count = make_bag(clip, partial)
    partial.rename(bag)
    return clip.name, count


def faller(clip: Clip, omegas: Sequence[Omega]) -> int | None:
    """Return the subject whose box comes down most between the marks of the fall, None without marks or anybody."""
    if clip.fall is None:
        return None
    tops: dict[int, list[float]] = {}
    for omega in omegas[clip.fall[0] : clip.fall[1] + 1]:
        for pose in omega.poses:
            tops.setdefault(pose.subject_id, []).append(pose.box[1])
    return max(tops, key=lambda subject: max(tops[subject]) - tops[subject][0]) if tops else None


def seconds_of(omega: Omega) -> float:
    """Return the time of an Ω of a clip since the clip began, s."""
    return (omega.key.stamp_ns - START_NS) / NS_PER_S
