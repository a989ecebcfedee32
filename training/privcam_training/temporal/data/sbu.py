"""SBU Kinect Interaction: two people who do something with each other.

The file says neither who they are nor how long a sequence was: all are stretched to 25 frames. Sequences of the set
have 24 frames at 15 frames/s on average, so this rate is right on average and wrong for each.
"""

import json
from pathlib import Path

import numpy as np

from privcam_core.types.skeleton import Joint
from privcam_training.temporal.data.skeleton_clips import SkeletonClip, clip_of, poses_of

FILE = "val.json"
RATE_HZ = 15.0
SHAPE = (480, 640)
# In the order of the labels, which was checked by looking at them.
ACTIONS = ("approaching", "departing", "kicking", "pushing", "shaking hands", "hugging", "exchanging", "punching")
FIGHTING = ("kicking", "pushing", "punching")
# Place of each of our joints. The head stands for the nose; 1 and 2 are neck and trunk.
JOINTS = {
    Joint.NOSE: 0, Joint.LEFT_SHOULDER: 3, Joint.LEFT_ELBOW: 4, Joint.LEFT_WRIST: 5, Joint.RIGHT_SHOULDER: 6,
    Joint.RIGHT_ELBOW: 7, Joint.RIGHT_WRIST: 8, Joint.LEFT_HIP: 9, Joint.LEFT_KNEE: 10, Joint.LEFT_ANKLE: 11,
    Joint.RIGHT_HIP: 12, Joint.RIGHT_KNEE: 13, Joint.RIGHT_ANKLE: 14,
}  # fmt: skip


def read(folder: Path) -> list[SkeletonClip]:
    """Return the sequences in `folder`/FILE, [] where it is not there.

    JSON in a JSON string: `x`, (N, 2 people, 25 frames, 15 joints, 2), x to the right and y up, both from -1 to 1 over
    the picture; `label`, (N,), the place in ACTIONS.
    """
    source = folder / FILE
    if not source.is_file():
        return []
    content = json.loads(json.loads(source.read_text(encoding="utf-8")))
    sequences = []
    for number, (x, label) in enumerate(zip(content["x"], content["label"], strict=True)):
        fractions = np.array(x).transpose(1, 0, 2, 3) * (0.5, -0.5) + 0.5
        action = ACTIONS[label]
        clip = clip_of(
            f"sbu_{number:03d}_{action.replace(' ', '_')}",
            "fight" if action in FIGHTING else "no_fight",
            "sbu",
            RATE_HZ,
        )
        sequences.append(SkeletonClip(clip, poses_of(JOINTS, fractions * SHAPE[::-1], SHAPE), SHAPE))
    return sequences
