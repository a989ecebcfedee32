"""Simulated people as proxies: a posture, a camera, what the pose model makes of it, and a place in a picture."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from privcam_core.types.arrays import Box
from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import Joint
from privcam_training.temporal.labels import only
from privcam_training.temporal.simulation import stick_body
from privcam_training.temporal.simulation.simulator import Phase, record
from privcam_training.temporal.simulation.stick_body import Posture

Random = np.random.Generator

# What z says of somebody's behaviour: a still picture shows no more.
# "unclear": no legs are seen, or no figure at all.
KINDS = ("upright", "low", "lying", "unclear")
_POSED = KINDS[:3]
_POSTURES: dict[str, Sequence[Posture]] = {
    "upright": (stick_body.STANDING,),
    "low": (
        stick_body.SITTING,
        stick_body.FLOOR_SITTING,
        stick_body.BENDING,
        stick_body.CROUCHING,
        stick_body.KNEELING,
        stick_body.PROSTRATE,
    ),
    "lying": (stick_body.SUPINE, stick_body.PRONE, stick_body.ON_SIDE, replace(stick_body.ON_SIDE, roll=-88.0)),
}
_SHARES = (0.5, 0.3, 0.2)
_LABELS = {"upright": "standing", "low": "sitting", "lying": "lying"}
# Heights of people as fractions of the height of the picture: one alone may fill it, of ten none does.
_MIN_HEIGHT, _MAX_HEIGHT, _CROWDED = 0.09, 0.95, 0.45
# Shares of proxies without a figure, since too little was seen, and of figures that end at the hips or the shoulders.
_MARKERS, _TO_HIPS, _TO_SHOULDERS = 0.12, 0.1, 0.04
# The fraction of people who are close to somebody else, and how close, as a fraction of their size.
_CLOSE, _BESIDE = 0.45, 0.6
# So many times the box of a figure may reach over the border, as a fraction of its size.
_OVER = 0.3
_SECONDS = 0.15
# So many SubjectIDs are given for each who is still there, at most.
_OTHERS = 6.0


@dataclass(frozen=True)
class Figure:
    """Somebody in a picture. kind: one of KINDS."""

    pose: SubjectPose
    kind: str


def figures(random: Random, count: int, size: tuple[int, int]) -> list[Figure]:
    """Return so many people in a picture of size (height, width) px, each with an id and a layer of its own."""
    # Who is in a room at one time came one after the other, with others between who left.
    ids = random.integers(1, 200) + random.choice(int(count * random.uniform(1.0, _OTHERS)) + 1, count, replace=False)
    made: list[Figure] = []
    for layer, subject in enumerate(ids):
        near = made[random.integers(len(made))].pose.box if made and random.random() < _CLOSE else None
        figure = _placed(random, _somebody(random), size, count, near)
        made.append(replace(figure, pose=replace(figure.pose, subject_id=int(subject), layer=layer)))
    return made


def _somebody(random: Random) -> Figure:
    kind = _POSED[random.choice(len(_POSED), p=_SHARES)]
    postures = _POSTURES[kind]
    posture = postures[random.integers(len(postures))].vary(random, 9.0)
    phase = Phase(_SECONDS, posture, 1.0, only(_LABELS[kind]), walks=kind == "upright" and random.random() < 0.5)
    while True:
        # The tracker may see nobody for that long, as in a recording.
        pose = next((pose for pose in reversed(record([phase], random).poses) if pose is not None), None)
        if pose is not None:
            break
    keypoints, part, hidden = pose.keypoints.copy(), random.random(), slice(0, 0)
    if part < _MARKERS:
        hidden = slice(None)
    elif part < _MARKERS + _TO_HIPS:
        hidden = slice(Joint.LEFT_KNEE, None)
    elif part < _MARKERS + _TO_HIPS + _TO_SHOULDERS:
        hidden = slice(Joint.LEFT_ELBOW, None)
    if keypoints[hidden].size:
        kind = "unclear"
    keypoints[hidden, 2] = random.uniform(0.0, 0.15, len(keypoints[hidden]))
    return Figure(replace(pose, keypoints=keypoints), kind)


def _placed(random: Random, figure: Figure, size: tuple[int, int], count: int, near: Box | None) -> Figure:
    """Return somebody in a picture, of any size; near: about as large as somebody else, and close."""
    height, width = size
    box = np.array(figure.pose.box)
    longer = max(box[2] - box[0], box[3] - box[1])
    high = _MAX_HEIGHT + (_CROWDED - _MAX_HEIGHT) * min(count - 1, 9) / 9
    if near is None:
        scale = np.exp(random.uniform(np.log(_MIN_HEIGHT), np.log(high))) * height / longer
        extent = (box[2:] - box[:2]) * scale
        over = _OVER * extent if random.random() < 0.3 else np.zeros(2)
        corner = random.uniform(-over, np.maximum(np.array([width, height]) - extent + over, -over + 1e-3))
    else:
        scale = max(near[2] - near[0], near[3] - near[1]) * random.uniform(0.7, 1.3) / longer
        corner = np.array(near[:2]) + random.uniform(-_BESIDE, _BESIDE, 2) * scale * longer
    keypoints = figure.pose.keypoints.copy()
    keypoints[:, :2] = (keypoints[:, :2] - box[:2]) * scale + corner
    x0, y0, x1, y1 = ((box.reshape(2, 2) - box[:2]) * scale + corner).ravel().tolist()
    return replace(figure, pose=replace(figure.pose, keypoints=keypoints, box=(x0, y0, x1, y1)))
