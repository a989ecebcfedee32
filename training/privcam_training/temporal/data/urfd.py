"""Skeletons of the UR fall data set, found by another pose model than ours.

They are of the very clips of `fall_urfd`, so they carry the same actor: a fold that tests an actor trains on neither.
The files `urfall-cam0-*.csv` beside them hold sizes of boxes in depth pictures and no joints, so they are not read.
"""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from privcam_core.types.skeleton import KEYPOINT_COUNT, Joint
from privcam_training.temporal.data.skeleton_clips import SkeletonClip, clip_of

FILE = "pose_urfd_3classes.csv"
RATE_HZ = 30.0
SHAPE = (240, 320)
FALLING = "1"
# First and last clip of each actor, and the actor: as `annotations.json` of the clips has it.
_ACTORS = ((1, 6, "urfd_A"), (13, 18, "urfd_C"), (19, 24, "urfd_D"))
_NAMES = {
    joint: f"{joint.name[0]}{joint.name.split('_')[-1].title()}" if "_" in joint.name else "Nose" for joint in Joint
}


def read(folder: Path) -> list[SkeletonClip]:
    """Return the falls in `folder`/FILE, [] where it is not there.

    One row a frame: video, frame (from 1), x and y as fractions of the picture and a score for each of 13 joints, and a
    label: 0 before, 1 during, 2 after the fall. Clips of which a frame has two labels are left out.
    """
    source = folder / FILE
    if not source.is_file():
        return []
    rows = defaultdict(list)
    with source.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows[row["video"]].append(row)
    return [_take(name, found) for name, found in rows.items() if len({row["frame"] for row in found}) == len(found)]


def _take(name: str, rows: Sequence[Mapping[str, str]]) -> SkeletonClip:
    poses = np.zeros((int(rows[-1]["frame"]), 1, KEYPOINT_COUNT, 3), np.float32)
    for row in rows:
        for joint, column in _NAMES.items():
            if f"{column}_x" in row:
                x, y, score = (float(row[f"{column}_{part}"]) for part in "xys")
                poses[int(row["frame"]) - 1, 0, joint] = x * SHAPE[1], y * SHAPE[0], min(max(score, 0.0), 1.0)
    falling = [int(row["frame"]) - 1 for row in rows if row["label"] == FALLING]
    number = int(name.split("-")[1])
    actor = next(who for first, last, who in _ACTORS if first <= number <= last)
    return SkeletonClip(clip_of(f"urfd_{name}", "fall", actor, RATE_HZ, (falling[0], falling[-1])), poses, SHAPE)
