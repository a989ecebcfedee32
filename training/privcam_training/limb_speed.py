"""Measures the speed of limbs in actions of single people, as a baseline for the fight detection.

    PYTHONPATH=training python -m privcam_training.limb_speed FOLDER

FOLDER holds `msraction3d/*.npz` (MSR Action3D, 20 actions of 10 subjects). Printed is, for each action, the highest
median over a second of `limb_speed`, in body heights/s: half of the recordings and 19 of 20 stay below.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from privcam_anonymization.anonymizer import PoseSettings
from privcam_audit.attacks.pose_sequences import PoseClip, anonymise, msr_action3d
from privcam_core.types.omega import SubjectPose
from privcam_recognition.features import body_height, height_hint
from privcam_recognition.interactions.fight_detection import BEGIN, MOMENTS, SPAN_S, limb_speed
from privcam_recognition.temporal.windows import TrackBuffer

# Of the anonymiser's noise, so that the table is the same again.
SEED = 0
ACTIONS = (
    "high wave", "horizontal wave", "hammer", "catch", "forward punch", "high throw", "draw x", "draw tick",
    "draw circle", "hand clap", "two hand wave", "side boxing", "bend", "forward kick", "side kick", "jogging",
    "tennis swing", "tennis serve", "golf swing", "pick up and throw",
)  # fmt: skip


def highest(clip: PoseClip) -> float | None:
    """Return the highest median over SPAN_S of the limbs' speed, H/s; None where too little was seen."""
    keypoints = clip.poses.astype(np.float32)
    hints = [hint for points in keypoints if (hint := height_hint(points)) is not None]
    height_px = body_height(hints) if hints else None
    if height_px is None:
        return None
    memory, speeds, best = TrackBuffer(), [], None
    for seconds, points in zip(clip.times.tolist(), keypoints, strict=True):
        (x0, y0), (x1, y1) = points[:, :2].min(axis=0).tolist(), points[:, :2].max(axis=0).tolist()
        memory.add(seconds, SubjectPose(1, (x0, y0, x1, y1), points))
        if (speed := limb_speed(memory, height_px)) is not None:
            speeds.append((seconds, speed))
        near = [speed for moment, speed in speeds if seconds - moment <= SPAN_S]
        if len(near) >= MOMENTS:
            best = max(best or 0.0, float(np.median(near)))
    return best


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; return 2 if there is nothing to read."""
    parser = argparse.ArgumentParser(prog="privcam_training.limb_speed", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with msraction3d/*.npz")
    clips = msr_action3d(parser.parse_args(argv).folder)
    if not clips:
        parser.error("folder: holds no msraction3d/*.npz")
    found = defaultdict(list)
    for clip in clips:
        speed = highest(anonymise(clip, PoseSettings(), seed=SEED))
        if clip.action is not None and speed is not None:
            found[int(clip.action[1:])].append(speed)
    print(f"| action | recordings | half below, H/s | 19 of 20 below, H/s | above {BEGIN} |\n|---|---|---|---|---|")
    for action, speeds in sorted(found.items()):
        half, high = np.percentile(speeds, (50, 95))
        above = np.mean(np.array(speeds) >= BEGIN)
        print(f"| {ACTIONS[action - 1]} | {len(speeds)} | {half:.2f} | {high:.2f} | {above:.2f} |")
    everyone = np.array([speed for speeds in found.values() for speed in speeds])
    print(f"| all | {len(everyone)} | {np.median(everyone):.2f} | {np.percentile(everyone, 95):.2f} | "
          f"{np.mean(everyone >= BEGIN):.2f} |")  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
