"""Reads the frames of a clip for evaluation and training, with the decoder that the camera node uses."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from privcam_core.types.arrays import Image
from privcam_edge.frames.source import SourceEnded, VideoSource, parse

# x0, y0, x1, y1 in px.
Crop = tuple[int, int, int, int]


def frame_rate(clip: Path) -> float:
    """Return the frames/s of a clip. Raises SourceError for a clip that cannot be opened."""
    with closing(VideoSource(parse(str(clip)))) as source:
        return source.rate_hz


def read_frames(clip: Path, *, step: int = 1, limit: int | None = None, crop: Crop | None = None) -> Iterator[Image]:
    """Yield every `step`-th frame of a clip, (H, W, 3) uint8 BGR, at most `limit` of them.

    crop: the part of the picture that is kept, all of it if None. Raises SourceError for a clip that cannot be read,
    SourceTorn for one that breaks off, ValueError for a crop that lies outside of the picture.
    """
    with closing(VideoSource(parse(str(clip)))) as source:
        count = 0
        try:
            while limit is None or count < limit:
                image = source.read()
                yield image if crop is None else _cut(image, crop, clip)
                count += 1
                for _ in range(step - 1):
                    source.skip()
        except SourceEnded:
            return


def read_looped(clip: Path, seconds: float, rate_hz: float) -> Iterator[Image]:
    """Yield `seconds` of a clip at `rate_hz` frames/s, started again at its end. Holds its frames in memory."""
    clip_hz = frame_rate(clip)
    frames: list[Image] = []
    for number, image in enumerate(read_frames(clip)):
        if len(frames) * clip_hz / rate_hz <= number:
            frames.append(image)
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
