"""People on the floor: the fraction of frames, from the fall to the end of a clip, in which the edge still has them.

    python -m privcam_evaluation.recognition.floor_eval FOLDER [FOLDER ...] --places FILE [--darken 0.25]

Folders are labelled clips (`annotations.json`); those with marks of a fall count. FILE says where the person is, drawn
by hand: `{"folder/clip.mp4": {"82": [x0, y0, x1, y1], ...}}`, px of the frames as the edge gets them, frames from 0;
the box in between is interpolated. Five frames a second are processed, with evidence `transit`.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from privcam_core.detection import thresholds
from privcam_core.types.arrays import BoolArray, Box, Image
from privcam_core.types.boxes import iou, pixel_slices
from privcam_evaluation.recognition.labelled_clips import START_NS, BadAnnotations, Clip, read_annotations, read_clip
from privcam_perception.pipeline import Perception, PerceptionPipeline
from privcam_privacy.background.engine import PrivacyEngine
from privcam_privacy.background.engine_settings import EngineSettings

_HZ = 5.0
# A box is the person's from this IoU on. Low: a box of a person who lies often shows the trunk or the legs alone.
_SAME_PERSON_IOU = 0.25
# A presence covers the person if it covers this fraction of the place.
_COVERED_FRACTION = 0.5
# A pose is the person's if so many keypoints of at least this confidence are in the place ...
_MIN_KEYPOINTS, _MIN_CONFIDENCE = 8, 0.2
# ... which is widened by this fraction of its size on each side, as limbs reach out.
_PLACE_MARGIN = 0.25
# Standard deviation of the noise in a darkened picture, levels.
_NOISE_LEVELS = 3.0


@dataclass(frozen=True)
class FloorFrame:
    """What the edge has of the person in one frame. presence_fraction: of the picture, all presences together."""

    box: bool
    presence: bool
    pose: bool
    presence_fraction: float


def score_frame(place: Box, perception: Perception, presences: BoolArray) -> FloorFrame:
    """Return what covers the person at `place`, px. presences: (H, W), where the engine knows that somebody may be."""
    height, width = presences.shape
    x0, y0 = max(0.0, place[0]), max(0.0, place[1])
    x1, y1 = min(float(width), place[2]), min(float(height), place[3])
    known = perception.detections.with_min_score(thresholds.MATCH)
    box = bool((iou(np.array([[x0, y0, x1, y1]]), known.boxes) >= _SAME_PERSON_IOU).any())
    covered = presences[pixel_slices((x0, y0, x1, y1), height, width)]
    low = np.array([x0 - _PLACE_MARGIN * (x1 - x0), y0 - _PLACE_MARGIN * (y1 - y0)])
    high = np.array([x1 + _PLACE_MARGIN * (x1 - x0), y1 + _PLACE_MARGIN * (y1 - y0)])
    counts = [
        int(
            (
                ((pose.keypoints[:, :2] >= low) & (pose.keypoints[:, :2] <= high)).all(axis=1)
                & (pose.keypoints[:, 2] >= _MIN_CONFIDENCE)
            ).sum()
        )
        for pose in perception.poses
    ]
    return FloorFrame(
        box=box,
        presence=bool(covered.size) and float(covered.mean()) >= _COVERED_FRACTION,
        pose=max(counts, default=0) >= _MIN_KEYPOINTS,
        presence_fraction=float(presences.mean()),
    )


def place_at(places: dict[int, Box], frame: int) -> Box:
    """Return the box in a frame: interpolated between those that are given, the nearest one before and after them."""
    frames = sorted(places)
    x0, y0, x1, y1 = (float(np.interp(frame, frames, [places[one][side] for one in frames])) for side in range(4))
    return x0, y0, x1, y1


def follow(clip: Clip, places: dict[int, Box], darken: float = 1.0) -> Iterator[FloorFrame]:
    """Run the perception and the privacy engine over a clip and yield the frames from the fall on."""
    assert clip.fall is not None
    pipeline, engine = PerceptionPipeline(), PrivacyEngine(EngineSettings(evidence="transit"))
    noise, step = np.random.default_rng(0), max(1, round(clip.rate / _HZ))
    for index, frame in enumerate(read_clip(clip)):
        if (index - clip.fall[0]) % step:
            continue
        image = frame.image if darken >= 1.0 else darkened(frame.image, darken, noise)
        stamp_ns = START_NS + (frame.time_ns or 0)
        perception = pipeline.perceive(image, stamp_ns, engine.presence_regions)
        engine.update(image, perception.detections, perception.tracks, np.zeros(image.shape[:2], np.bool_), stamp_ns)
        if index >= clip.fall[0]:
            yield score_frame(place_at(places, index), perception, engine.presences)


def darkened(image: Image, factor: float, noise: np.random.Generator) -> Image:
    """Return the picture as a camera gives it in the dark: grey, times `factor`, with noise."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) * factor + noise.normal(0, _NOISE_LEVELS, image.shape[:2])
    return np.asarray(cv2.cvtColor(np.clip(np.rint(grey), 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR), np.uint8)


def read_places(path: Path) -> dict[str, dict[int, Box]]:
    """Return the boxes of each clip by frame. Raises BadAnnotations."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        places = {
            name: {
                int(frame): (float(x0), float(y0), float(x1), float(y1)) for frame, (x0, y0, x1, y1) in boxes.items()
            }
            for name, boxes in content.items()
        }
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadAnnotations(f"{path}: cannot be read ({error}); needs clip -> frame -> [x0, y0, x1, y1]") from error
    empty = [name for name, boxes in places.items() if not boxes]
    if empty:
        raise BadAnnotations(f"{path}: has no box for {', '.join(empty)}")
    return places


def summary(frames: Sequence[FloorFrame]) -> str:
    """Return the fractions of one or more frames in one line."""

    def fraction(found: Sequence[bool]) -> str:
        return f"{sum(found) / len(found):.3f}"

    return (
        f"box {fraction([one.box for one in frames])}, presence {fraction([one.presence for one in frames])}, "
        f"box or presence {fraction([one.box or one.presence for one in frames])}, "
        f"pose {fraction([one.pose for one in frames])} of {len(frames)} frames; presences cover "
        f"{float(np.median([one.presence_fraction for one in frames])):.2f} of the picture (median)"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line for each clip, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="folders with annotations.json")
    parser.add_argument("--places", type=Path, required=True, help="where the persons are; only its clips count")
    parser.add_argument("--darken", type=float, default=1.0, metavar="F", help="grey pictures with F times the light")
    options = parser.parse_args(arguments)
    try:
        places = read_places(options.places)
        clips = [clip for folder in options.folders for clip in read_annotations(folder) if clip.fall is not None]
    except BadAnnotations as error:
        parser.error(str(error))
    known = [(clip, name) for clip in clips if (name := f"{clip.path.parent.name}/{clip.path.name}") in places]
    if not known:
        parser.error(f"--places: {options.places} names no clip with a fall of these folders")
    total: list[FloorFrame] = []
    began = time.process_time()
    for clip, name in known:
        frames = list(follow(clip, places[name], options.darken))
        total += frames
        if frames:
            print(f"{name}: {summary(frames)}", flush=True)
    if total:
        print(f"all {len(known)} clips: {summary(total)}; {time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
