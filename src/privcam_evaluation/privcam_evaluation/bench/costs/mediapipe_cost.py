"""Compares the whole edge with MediaPipe Pose, on the same frames in the same run, by processor time.

    python -m privcam_evaluation.bench.costs.mediapipe_cost CLIP --python PYTHON

PYTHON is the interpreter of an environment of its own that has MediaPipe: its dependencies do not go with those of
privcam. Frames reach it over a pipe. Both run in turns, so that a machine whose speed changes slows both.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from privcam_evaluation.bench.costs.frame_cost import RATE_HZ, Timed, clip_frames, cost_of, describe

# Runs below PYTHON. One line of JSON at the end: the processor time of each frame, s.
_OTHER = """
import json, sys, time
import mediapipe
import numpy as np
height, width, segmentation = map(int, sys.argv[1:])
spent = []
with mediapipe.solutions.pose.Pose(model_complexity=1, enable_segmentation=bool(segmentation)) as pose:
    while pixels := sys.stdin.buffer.read(height * width * 3):
        image = np.ascontiguousarray(np.frombuffer(pixels, np.uint8).reshape(height, width, 3)[..., ::-1])
        started = time.process_time()
        pose.process(image)
        spent.append(time.process_time() - started)
print(json.dumps(spent))
"""
_TURNS = 2
# As that of the edge, whose first frames are not counted either.
_WARM_UP_FRACTION = 1 / 3


def compare(frames: Sequence[Timed], python: Path) -> dict[str, Any]:
    """Return the processor ms a frame of the edge and of MediaPipe Pose, model `full`, and their ratio."""
    edge: list[float] = []
    other: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(_TURNS):
        cost = cost_of(frames, every_frame=False)
        edge.append(cost["ms_per_frame"])
        for segmentation, values in other.items():
            values.append(_mediapipe_ms(frames, python, segmentation=segmentation))
        print(f"[mediapipe] edge: {describe(cost)}", file=sys.stderr, flush=True)
    ours, theirs = statistics.median(edge), statistics.median(other[True])
    return {
        "frames": len(frames),
        "rate_hz": RATE_HZ,
        "edge_ms": round(ours, 1),
        "mediapipe_with_segmentation_ms": round(theirs, 1),
        "mediapipe_ms": round(statistics.median(other[False]), 1),
        "edge_over_mediapipe": round(ours / theirs, 2),
    }


def _mediapipe_ms(frames: Sequence[Timed], python: Path, *, segmentation: bool) -> float:
    height, width = frames[0][1].shape[:2]
    command = [str(python), "-c", _OTHER, str(height), str(width), str(int(segmentation))]
    pixels = b"".join(image.tobytes() for _, image in frames)
    done = subprocess.run(command, input=pixels, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    spent: list[float] = json.loads(done.stdout.splitlines()[-1])
    counted = spent[round(_WARM_UP_FRACTION * len(spent)) :]
    return 1e3 * sum(counted) / len(counted)


def main(arguments: Sequence[str]) -> int:
    """Print the comparison of each clip as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP", help="video files with one person")
    parser.add_argument("--python", type=Path, required=True, help="interpreter that has mediapipe 0.10.21")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each clip (default 20)")
    options = parser.parse_args(arguments)
    for clip in options.clips:
        print(json.dumps({"clip": clip.name, **compare(list(clip_frames(clip, options.seconds)), options.python)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
