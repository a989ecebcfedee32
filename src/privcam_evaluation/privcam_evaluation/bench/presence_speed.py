"""Measures presences and looking again together, for each frame of clips brought to VGA size.

    python -m privcam_evaluation.bench.presence_speed CLIP [CLIP ...] [--frames N] [--every N]

Perception and privacy engine run as on the edge, in one process and with one thread for each model.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from privcam_core.types.time import NS_PER_S
from privcam_evaluation.clip_reader import read_frames
from privcam_perception.look_again import LookAgain
from privcam_perception.pipeline import PerceptionPipeline
from privcam_privacy.background.engine import PrivacyEngine
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.presence.presence_tracker import PresenceTracker

_VGA = (640, 480)
# The first frames load the models' memory.
_WARM_UP_FRAMES = 10

Seconds = dict[str, list[float]]


def measure(source: Path, frames: int, every: int) -> Seconds:
    """Return the processor seconds of `presence` and `look_again` in every frame after the warm-up."""
    pipeline, engine = PerceptionPipeline(), PrivacyEngine(EngineSettings(evidence="transit"))
    found: Seconds = defaultdict(list)
    for index, frame in enumerate(read_frames(source, limit=frames * every)):
        if index % every:
            continue
        image = np.asarray(cv2.resize(frame.image, _VGA, interpolation=cv2.INTER_AREA), np.uint8)
        stamp_ns, spent = NS_PER_S + (frame.time_ns or 0), dict.fromkeys(("presence", "look_again"), 0.0)
        with (
            _timed(PresenceTracker, ("update", "release"), "presence", spent),
            _timed(LookAgain, ("detect",), "look_again", spent),
        ):
            seen = pipeline.perceive(image, stamp_ns, engine.presence_regions)
            engine.update(image, seen.detections, seen.tracks, np.zeros(image.shape[:2], np.bool_), stamp_ns)
        for part, seconds in spent.items():
            found[part].append(seconds)
    return {part: values[_WARM_UP_FRAMES:] for part, values in found.items()}


@contextmanager
def _timed(owner: type, names: Sequence[str], part: str, spent: dict[str, float]) -> Iterator[None]:
    """Add the processor time of the methods to spent[part] while the block runs."""
    originals: dict[str, Callable[..., Any]] = {name: getattr(owner, name) for name in names}

    def timed(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            started = time.process_time()
            result = original(*arguments, **named)
            spent[part] += time.process_time() - started
            return result

        return call

    for name, original in originals.items():
        setattr(owner, name, timed(original))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(owner, name, original)


def summary(seconds: Seconds) -> str:
    """Return medians and 95th percentiles in one line."""
    presence, look = (1e3 * np.array(seconds[part]) for part in ("presence", "look_again"))
    parts = (("presence", presence), ("look again", look), ("together", presence + look))
    text = ", ".join(
        f"{name} {float(np.median(values)):.2f} ms (95 %: {float(np.percentile(values, 95)):.2f})"
        for name, values in parts
    )
    return f"{text}; a look in {float(np.mean(look > 1.0)):.0%} of {len(look)} frames"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line for each clip, and one for all frames."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path, help="video files")
    parser.add_argument("--frames", type=int, default=150, metavar="N", help="most frames of each clip")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every N-th frame")
    options = parser.parse_args(arguments)
    if options.frames <= _WARM_UP_FRAMES or options.every < 1:
        parser.error(f"--frames needs more than {_WARM_UP_FRAMES}, --every 1 or more")
    total: Seconds = defaultdict(list)
    for clip in options.clips:
        found = measure(clip, options.frames, options.every)
        for part, values in found.items():
            total[part] += values
        print(f"{clip.name}: {summary(found)}" if found.get("presence") else f"{clip.name}: too short", flush=True)
    if total["presence"]:
        print(f"all: {summary(total)}")


if __name__ == "__main__":
    main()
