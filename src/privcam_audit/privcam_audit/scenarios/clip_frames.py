"""A clip as the scenarios need it: its frames, the people in them, and the room without people."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from privcam_audit.leakage.person_labels import Labels, label
from privcam_audit.leakage.true_background import background
from privcam_audit.perception_recording import FramePerception, Recording, record
from privcam_audit.scenarios.scene import Scene, person_pixels
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.boxes import pixel_slices
from privcam_evaluation.clip_reader import annotation_of, frame_rate

# Frames/s of the scenarios: as many as a small unit has.
RATE_HZ = 5.0
# The empty stretch of a clip is used when it has this many frames.
_MIN_EMPTY_FRAMES = 5
# The median is of at most about so many of them.
_MAX_EMPTY_FRAMES = 50

# Where the room is not known it is painted from the pixels around, up to this many px away.
_PAINT_PX = 5


class UnusableClip(ValueError):
    """A clip that no scenario can be made of. The text says why."""


@dataclass(frozen=True, eq=False)
class ClipFrames:
    """The frames of a clip in memory.

    images: (H, W, 3) each. room: (H, W, 3), the true background, where `known` (H, W). found: the recorded perception.
    """

    name: str
    images: Sequence[Image]
    labels: Labels
    found: Sequence[FramePerception]
    room: Image
    known: BoolArray
    rate_hz: float

    @cached_property
    def empty(self) -> Image:
        """The room (H, W, 3); where it is not known it is painted from the pixels around."""
        painted = cv2.inpaint(self.room, (~self.known).astype(np.uint8), _PAINT_PX, cv2.INPAINT_TELEA)
        return np.asarray(painted, np.uint8)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.known.shape[0], self.known.shape[1]

    @property
    def period_s(self) -> float:
        """Time between two frames."""
        return 1.0 / self.rate_hz

    @property
    def last(self) -> int:
        """Number of the last frame with somebody in it. Raises UnusableClip where nobody is labelled."""
        labelled = [number for number in range(len(self.images)) if not self.labels.empty(number)]
        if not labelled:
            raise UnusableClip(f"{self.name}: nobody is labelled, so nobody can leak")
        return labelled[-1]

    @property
    def first(self) -> int:
        """Number of the first frame with somebody in it; as `last`."""
        return next(number for number in range(self.last + 1) if not self.labels.empty(number))

    def scene(self, number: int) -> Scene:
        """Return what frame `number` (from 0) shows."""
        picture, labelled = self.images[number], self.labels.mask(number, self.shape)
        surely = np.zeros(self.shape, np.bool_)
        for x0, y0, x1, y1 in self.labels.boxes[number].tolist():
            surely[pixel_slices((x0, y0, x1, y1), *self.shape)] = True
        person = person_pixels(picture, self.room, self.known, labelled, surely)
        return Scene(picture, self.room, self.known, person, labelled, np.zeros(self.shape, np.bool_))


def load_clip(path: Path, *, cache: Path, seconds: float | None, threads: int) -> ClipFrames:
    """Read a clip, find the people, label them, and compute the room. Raises SourceError, UnusableClip."""
    recording = record(path, cache=cache, rate_hz=RATE_HZ, seconds=seconds, threads=threads)
    if not len(recording):
        raise UnusableClip(f"{path}: holds no frame")
    labels = label(recording, cache=cache, threads=threads)
    room, known = _room(path, recording, labels)
    return ClipFrames(
        recording.name, list(recording.read()), labels, recording.perceptions, room, known, recording.rate_hz
    )


def _room(path: Path, recording: Recording, labels: Labels) -> tuple[Image, BoolArray]:
    """Return the room and where it is known: of the annotated empty stretch where there is one."""
    stretches = _empty_stretches(path)
    clip_hz = frame_rate(path)
    empty = [
        number
        for number in range(len(recording))
        if labels.empty(number)
        and any(first <= recording.seconds(number) * clip_hz <= last for first, last in stretches)
    ]
    if len(empty) < _MIN_EMPTY_FRAMES:
        return background(recording, labels)
    # More frames make the median no better, and the clip is in memory already.
    chosen = set(empty[:: max(1, len(empty) // _MAX_EMPTY_FRAMES)])
    images = [image for number, image in enumerate(recording.read()) if number in chosen]
    return np.median(np.stack(images), axis=0).astype(np.uint8), np.ones(recording.shape, np.bool_)


def _empty_stretches(path: Path) -> list[tuple[float, float]]:
    """Return the first and last frames of the annotated stretches of a clip in which the room is empty."""
    noted = (annotation_of(path) or {}).get("empty_background_frames_0based") or []
    if noted == "all":
        return [(0.0, float("inf"))]
    stretches = noted if noted and isinstance(noted[0], list) else [noted] if noted else []
    return [(float(first), float(last)) for first, last in stretches]
