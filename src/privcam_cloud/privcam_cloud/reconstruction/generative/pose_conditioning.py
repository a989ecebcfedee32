"""Makes the conditions of the generative model: where bodies are, their poses, and their known events.

It gets nothing else of Ω. Texts of Ω (evidence, captions, labels that are not in `PHRASES`) are never used: text in a
prompt could put content into the picture.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import cv2
import numpy as np

from privcam_core.drawing.body import build_body
from privcam_core.drawing.body_model import Body, Kind
from privcam_core.drawing.geometry import SUBPIXEL_BITS, Points, fixed_point, outlines
from privcam_core.drawing.palette import Bgr, color
from privcam_core.events.scene_report import Event, Phase
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import Joint, midpoint, seen

# Label -> words for the prompt. The list is closed: a prompt is one of finitely many.
PHRASES = {
    "standing": "standing",
    "walking": "walking",
    "sitting": "sitting",
    "sitting_down": "sitting down",
    "lying": "lying down",
    "bending": "bending over",
    "fall": "fallen to the floor",
    "long_lie": "lying on the floor",
    "getting_up": "getting up from the floor",
    "pushing_fighting": "pushing each other",
    "smoking_like": "one hand at the mouth",
    "loitering": "waiting",
    "wandering": "walking to and fro",
    "sat_up": "sitting up",
    "out_of_bed": "getting up",
    "motionless": "keeping still",
}
_PROMPT = "smooth plain mannequins without faces in a room, seen by a surveillance camera"
# What stands for a face must not be one, and letters in a picture look like something that was read.
NEGATIVE_PROMPT = "face, eyes, portrait, text, letters, logo, watermark"

# How far around a body the model may paint, as a fraction of the stature: clothes are wider than the proxy.
_MARGIN = 0.04
# The painted-over head is this much larger than the proxy's, as a fraction of the stature, so that ears go too.
_HEAD_MARGIN = 0.015
_HEAD_KINDS = (Kind.NOSE, Kind.HEAD, Kind.FACE)

# The skeleton in the form that public ControlNets for poses were trained on: joints of OpenPose, hues in steps of 20°,
# limbs at 60 % of the brightness, all on black.
_NECK = -1
_JOINTS = (
    *(Joint.NOSE, _NECK, Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST, Joint.LEFT_SHOULDER),
    *(Joint.LEFT_ELBOW, Joint.LEFT_WRIST, Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE, Joint.LEFT_HIP),
    *(Joint.LEFT_KNEE, Joint.LEFT_ANKLE, Joint.RIGHT_EYE, Joint.LEFT_EYE, Joint.RIGHT_EAR, Joint.LEFT_EAR),
)
_BONES = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10)),
    *((1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),
)
_BONE_BRIGHTNESS = 0.6
# Width of a limb as a fraction of the longer side of the picture: 4 px in 512.
_BONE_WIDTH = 1 / 128


@dataclass(frozen=True, eq=False)
class PoseCondition:
    """The condition of one subject.

    body, head: (H, W) bool, its pixels that no nearer subject hides. around: (H, W) bool, body and margin. seed: of
    its appearance; the same subject in the same event looks the same in every picture.
    """

    pose: SubjectPose
    body: BoolArray
    head: BoolArray
    around: BoolArray
    seed: int


def make_pose_conditions(
    poses: Sequence[SubjectPose], events: Sequence[Event], height: int, width: int
) -> list[PoseCondition] | None:
    """Return a condition for each subject of which something is in the picture, nearest first.

    None where so little of a subject is known that its posture would be invented.
    """
    taken = np.zeros((height, width), np.bool_)
    conditions = []
    for pose in sorted(poses, key=lambda pose: pose.layer, reverse=True):
        body = build_body(pose)
        if body.is_marker:
            return None
        free = ~taken
        solid = _filled(outlines([part.shape for part in body.parts]), height, width)
        if (solid & free).any():
            head, around = _head(body, height, width), _around(body, height, width)
            seed = _seed(pose.subject_id, _event_of(pose.subject_id, events))
            conditions.append(PoseCondition(pose, solid & free, head & free, (head | around) & free, seed))
        taken |= solid
    return conditions


def paintable(conditions: Sequence[PoseCondition], confirmed_mask: BoolArray) -> BoolArray:
    """Return (H, W) bool: where the model may paint. validity: (H, W) bool, where the room is known.

    That is the bodies and a margin around them. Where the room is not known there is no margin: the model would make
    up a room there.
    """
    body, around = np.zeros_like(confirmed_mask), np.zeros_like(confirmed_mask)
    for condition in conditions:
        body |= condition.body
        around |= condition.around
    return body | (around & confirmed_mask)


def cover_heads(picture: Image, conditions: Iterable[PoseCondition]) -> None:
    """Paint every head over, flat and in the colour of its subject, in place. picture: (H, W, 3) uint8 BGR.

    A generated face belongs to nobody in the scene, and would be taken for the subject's.
    """
    for condition in conditions:
        picture[condition.head] = color(condition.pose.subject_id)


def make_prompt(conditions: Sequence[PoseCondition], events: Sequence[Event]) -> str:
    """Return the prompt: fixed words, and those of the known behaviours that hold for a subject in the picture."""
    present = {condition.pose.subject_id for condition in conditions}
    labels = {b.label for b in events if b.phase is not Phase.ENDED and present.intersection(b.subject_ids)}
    return ", ".join([_PROMPT, *(phrase for label, phrase in PHRASES.items() if label in labels)])


def draw_skeletons(conditions: Sequence[PoseCondition], size: tuple[int, int], scale: tuple[float, float]) -> Image:
    """Return the control picture, (*size, 3) uint8 BGR: the skeletons, farthest first, on black.

    size: height and width in px. scale: px of that picture per px of the poses, across and down.
    """
    picture = np.zeros((*size, 3), np.uint8)
    line = max(round(max(size) * _BONE_WIDTH), 2)
    for condition in reversed(conditions):
        points = _openpose(condition.pose)
        places = {j: (round(x * scale[0]), round(y * scale[1])) for j, (x, y) in points.items()}
        for number, (a, b) in enumerate(_BONES):
            if a in places and b in places:
                cv2.line(picture, places[a], places[b], _hue(number, _BONE_BRIGHTNESS), line, cv2.LINE_AA)
        for joint, place in places.items():
            cv2.circle(picture, place, line, _hue(joint, 1.0), cv2.FILLED, cv2.LINE_AA)
    return picture


def _openpose(pose: SubjectPose) -> dict[int, tuple[float, float]]:
    """Return the seen joints by their index in `_JOINTS`, u and v in px. The neck is between the seen shoulders."""
    visible = seen(pose.keypoints)
    neck = midpoint(pose.keypoints, Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
    found = {}
    for index, joint in enumerate(_JOINTS):
        point = neck if joint == _NECK else pose.keypoints[joint, :2] if visible[joint] else None
        if point is not None:
            found[index] = (float(point[0]), float(point[1]))
    return found


def _hue(number: int, brightness: float) -> Bgr:
    """Return the colour of a joint or limb. brightness: 0 to 1."""
    hsv = np.array([[[number * 10, 255, round(255 * brightness)]]], np.uint8)  # OpenCV counts hues in 2°
    blue, green, red = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red


def _head(body: Body, height: int, width: int) -> BoolArray:
    shapes = [part.shape for part in body.parts if part.kind in _HEAD_KINDS]
    curves = outlines(shapes, _HEAD_MARGIN * body.stature) if shapes else []
    return _filled(curves, height, width)


def _around(body: Body, height: int, width: int) -> BoolArray:
    """Return the body with its margin. Heads have none: hair that sticks out is what people are known by."""
    shapes = [part.shape for part in body.parts if part.kind not in _HEAD_KINDS]
    return _filled(outlines(shapes, _MARGIN * body.stature), height, width)


def _filled(curves: Sequence[Points], height: int, width: int) -> BoolArray:
    """Return (height, width) True inside of the convex curves, px."""
    canvas = np.zeros((height, width), np.uint8)
    for curve in curves:
        cv2.fillConvexPoly(canvas, fixed_point(curve), 1, cv2.LINE_8, SUBPIXEL_BITS)
    return canvas.astype(np.bool_)


def _event_of(subject_id: int, events: Sequence[Event]) -> int:
    """Return the newest event of a subject that has not ended, 0 for none."""
    return max((b.event_id for b in events if b.phase is not Phase.ENDED and subject_id in b.subject_ids), default=0)


def _seed(subject_id: int, event_id: int) -> int:
    """Return a seed in [0, 2^63) that tells nothing but which of both it is."""
    return int.from_bytes(blake2b(f"{subject_id} {event_id}".encode(), digest_size=8).digest(), "big") >> 1
