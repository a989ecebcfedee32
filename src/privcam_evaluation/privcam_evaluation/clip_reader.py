"""Reads the frames of a clip with their times, for evaluation and training, as the camera node reads them."""

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from privcam_core.types.arrays import Image
from privcam_core.types.time import seconds_from_ns
from privcam_sources.errors import SourceEnded, SourceTorn
from privcam_sources.source_spec import Spec
from privcam_sources.stream_info import TimedFrame
from privcam_sources.video_source import open_source

# x0, y0, x1, y1 in px.
Crop = tuple[int, int, int, int]
# A frame may come this much too soon, in steps: times in containers are rounded.
_STEP_SLACK = 0.1
# Of a clip whose times give another rate than its header, by more than this fraction, the times are right.
_RATE_TOLERANCE = 0.02


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def frame_rate(clip: Path) -> float:
    """Return the nominal frames/s of a clip. Raises SourceError for a clip that cannot be opened."""
    with closing(open_source(Spec("file", str(clip)))) as source:
        return source.rate_hz


def mean_rate(times_ns: Sequence[int], nominal_hz: float) -> float:
    """Return the mean frames/s of frames: the nominal rate where their times agree with it, which are rounded."""
    if len(times_ns) < 2:
        return nominal_hz
    measured_hz = (len(times_ns) - 1) / seconds_from_ns(times_ns[-1] - times_ns[0])
    return nominal_hz if abs(measured_hz - nominal_hz) < _RATE_TOLERANCE * nominal_hz else measured_hz


def read_frames(
    clip: Path,
    *,
    step_s: float = 0.0,
    seconds: float | None = None,
    limit: int | None = None,
    crop: Crop | None = None,
) -> Iterator[TimedFrame]:
    """Yield the frames of a clip with their times, at most one in `step_s` seconds.

    seconds, limit: of the clip, and most frames. crop: the part of the picture that is kept, all of it if None. A clip
    that breaks off gives what is there, and a line on stderr with the count. Raises SourceError for a clip that cannot
    be read, ValueError for a crop that lies outside of the picture.
    """
    due_s, count = 0.0, 0
    with closing(open_source(Spec("file", str(clip)))) as source:
        try:
            while limit is None or count < limit:
                frame = source.read()
                time_s = seconds_from_ns(frame.time_ns or 0)
                if seconds is not None and time_s >= seconds - _STEP_SLACK * step_s:
                    return
                if time_s < due_s - _STEP_SLACK * step_s:
                    continue
                due_s, count = time_s + step_s, count + 1
                yield frame if crop is None else TimedFrame(_cut(frame.image, crop, clip), frame.time_ns)
        except SourceEnded:
            if source.damaged:
                told = f"source {source.spec.name}: {source.damaged} parts could not be decoded. The others count"
                print(f"privcam: {told}", file=sys.stderr)
        except SourceTorn as torn:
            print(f"privcam: {torn}. The frames before count", file=sys.stderr)


def read_looped(clip: Path, seconds: float, rate_hz: float) -> Iterator[Image]:
    """Yield `seconds` of a clip at `rate_hz` frames/s, started again at its end. Holds its frames in memory.

    Of a clip with fewer frames/s, or gaps, a frame is repeated until the next one.
    """
    frames: list[Image] = []
    last: TimedFrame | None = None
    for frame in read_frames(clip):
        while last is not None and len(frames) + _STEP_SLACK < rate_hz * seconds_from_ns(frame.time_ns or 0):
            frames.append(last.image)
        last = frame
    if last is not None and len(frames) <= rate_hz * seconds_from_ns(last.time_ns or 0) + _STEP_SLACK:
        frames.append(last.image)
    for index in range(int(seconds * rate_hz)):
        yield frames[index % len(frames)]


def annotation_of(clip: Path) -> dict[str, Any] | None:
    """Return the entry of the clip in `annotations.json`, in its folder or the one above; None where there is none."""
    for folder in (clip.parent, clip.parent.parent):
        path = folder / "annotations.json"
        if path.is_file():
            name = clip.relative_to(folder).as_posix()
            for entry in json.loads(path.read_text(encoding="utf-8")):
                if entry.get("file") == name:
                    return dict(entry)
    return None


def annotated_crop(clip: Path) -> Crop | None:
    """Return the right half of the picture if the clip's annotations say that the camera's picture is there.

    The entry of the clip needs `width`, `height` and a `note` that contains "RGB (right half)".
    """
    entry = annotation_of(clip)
    if entry is not None and "RGB (right half)" in (entry.get("note") or ""):
        return entry["width"] // 2, 0, entry["width"], entry["height"]
    return None


def parse_crop(text: str) -> Crop:
    """Read a crop from the command line: `x0,y0,x1,y1` in px. Raises ValueError."""
    try:
        x0, y0, x1, y1 = (int(number) for number in text.split(","))
    except ValueError as error:
        raise ValueError(f"crop {text!r} is not four whole numbers x0,y0,x1,y1") from error
    if not (0 <= x0 < x1 and 0 <= y0 < y1):
        raise ValueError(f"crop {text!r}: needs 0 <= x0 < x1 and 0 <= y0 < y1")
    return x0, y0, x1, y1


def _cut(image: Image, crop: Crop, clip: Path) -> Image:
    x0, y0, x1, y1 = crop
    if x1 > image.shape[1] or y1 > image.shape[0]:
        raise ValueError(f"crop {crop} is not within the {image.shape[1]}x{image.shape[0]} px of {clip}")
    return np.ascontiguousarray(image[y0:y1, x0:x1])
