"""Reads labelled clips (`annotations.json`)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from privcam_core.types.omega import Omega
from privcam_core.types.time import NS_PER_S
from privcam_evaluation.clip_reader import read_frames
from privcam_sources.stream_info import TimedFrame

# Clips of URFD come as one picture: depth on the left, colour on the right. Their note says so.
_DEPTH_BESIDE = "depth (left half"
# Capture times of a clip begin here, ns since the epoch.
START_NS = 1_700_000_000 * NS_PER_S


class BadAnnotations(ValueError):
    """A labels file cannot be used. The text says which entry, and what is wrong with it."""


@dataclass(frozen=True)
class Clip:
    """One labelled clip.

    name: its path in the folder of the labels. label: what the whole clip shows (fall, adl, walking, fight, no_fight,
    smoking ...). fall: first and last frame of the fall, 0-based, None without one. subject: who is in it, empty:
    unknown. rate: frames/s.
    """

    path: Path
    name: str
    label: str
    fall: tuple[int, int] | None
    subject: str
    scene: str
    rate: float
    depth_beside: bool

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
    clips: dict[str, Clip] = {}
    for index, entry in enumerate(entries):
        clip = _clip(folder, entry, f"{source}: entry {index}")
        if clip.name in clips:
            raise BadAnnotations(f"{source}: entry {index}: {clip.name} is there twice; keep one of the entries")
        clips[clip.name] = clip
    return list(clips.values())


def _clip(folder: Path, entry: Any, where: str) -> Clip:
    try:
        path = folder / entry["file"]
        fall = entry.get("fall_frames_0based")
        clip = Clip(
            path=path,
            name=PurePosixPath(entry["file"]).as_posix(),
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


def read_clip(clip: Clip) -> Iterator[TimedFrame]:
    """Yield all frames of a clip with their times: the right half of a picture with depth beside the colours.

    Raises SourceError for a clip that cannot be read.
    """
    for frame in read_frames(clip.path):
        coloured = frame.image[:, frame.image.shape[1] // 2 :] if clip.depth_beside else frame.image
        yield replace(frame, image=np.ascontiguousarray(coloured))


def faller(clip: Clip, omegas: Sequence[Omega]) -> int | None:
    """Return the subject whose box comes down most between the marks of the fall, None without marks or anybody."""
    if clip.fall is None:
        return None
    tops: dict[int, list[float]] = {}
    for omega in omegas[clip.fall[0] : clip.fall[1] + 1]:
        for pose in omega.poses:
            tops.setdefault(pose.subject_id, []).append(pose.box[1])
    return max(tops, key=lambda subject: max(tops[subject]) - tops[subject][0]) if tops else None


def fall_seconds(clip: Clip, omegas: Sequence[Omega]) -> tuple[float, float] | None:
    """Return when the fall of a clip begins and ends, s since the clip began; None where it shows none.

    omegas: of all its frames: a mark is a frame, and its time is that of its Ω. Marks beyond the last Ω, of a clip that
    breaks off, go on at the annotated rate.
    """
    if clip.fall is None:
        return None
    last = len(omegas) - 1
    end_s = seconds_of(omegas[last]) if omegas else 0.0

    def time_of(mark: int) -> float:
        return seconds_of(omegas[mark]) if mark <= last else end_s + (mark - last) / clip.rate

    return time_of(clip.fall[0]), time_of(clip.fall[1])


def seconds_of(omega: Omega) -> float:
    """Return the time of an Ω of a clip since the clip began, s."""
    return (omega.key.stamp_ns - START_NS) / NS_PER_S
