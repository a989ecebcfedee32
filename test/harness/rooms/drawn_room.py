"""A room that is drawn, not filmed, and people who walk in it: Ω for tests and pictures without anybody's likeness."""

from math import pi, sin

import cv2
import numpy as np

from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.arrays import BoolArray, Box, Float32Array, Image
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_core.types.sight import Sight
from privcam_core.types.skeleton import Joint

WIDTH, HEIGHT = 640, 480
# px that a walker stands tall, and steps per second.
STATURE = 210.0
STEPS_HZ = 0.9
SPEED_PX_S = 70.0
Z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
# Heights above the floor, and distances to the side, as fractions of the stature, of a person who faces the camera.
_STANDING = {
    Joint.NOSE: (0.0, 0.93),
    Joint.LEFT_EYE: (0.02, 0.945),
    Joint.RIGHT_EYE: (-0.02, 0.945),
    Joint.LEFT_EAR: (0.042, 0.935),
    Joint.RIGHT_EAR: (-0.042, 0.935),
    Joint.LEFT_SHOULDER: (0.105, 0.815),
    Joint.RIGHT_SHOULDER: (-0.105, 0.815),
    Joint.LEFT_ELBOW: (0.145, 0.635),
    Joint.RIGHT_ELBOW: (-0.145, 0.635),
    Joint.LEFT_WRIST: (0.155, 0.49),
    Joint.RIGHT_WRIST: (-0.155, 0.49),
    Joint.LEFT_HIP: (0.06, 0.53),
    Joint.RIGHT_HIP: (-0.06, 0.53),
    Joint.LEFT_KNEE: (0.065, 0.285),
    Joint.RIGHT_KNEE: (-0.065, 0.285),
    Joint.LEFT_ANKLE: (0.068, 0.04),
    Joint.RIGHT_ANKLE: (-0.068, 0.04),
}
# How far each joint swings along the way with every step, as a fraction of the stature; left and right are opposed.
_SWING = {
    Joint.LEFT_ELBOW: -0.03,
    Joint.RIGHT_ELBOW: 0.03,
    Joint.LEFT_WRIST: -0.09,
    Joint.RIGHT_WRIST: 0.09,
    Joint.LEFT_KNEE: 0.06,
    Joint.RIGHT_KNEE: -0.06,
    Joint.LEFT_ANKLE: 0.13,
    Joint.RIGHT_ANKLE: -0.13,
}


def drawn_room(shade: int = 0) -> tuple[Image, BoolArray]:
    """Return the picture of a room and what of it is confirmed. shade: makes rooms differ, 0 to 40."""
    room = np.full((HEIGHT, WIDTH, 3), (176 - shade, 188 - shade, 192), np.uint8)
    floor = np.array([[0, 330], [WIDTH, 330], [WIDTH, HEIGHT], [0, HEIGHT]], np.int32)
    cv2.fillPoly(room, [floor], (112, 134, 150 - shade))
    for u in range(-200, WIDTH + 200, 80):
        cv2.line(room, (320 + (u - 320) // 2, 330), (u, HEIGHT), (96, 116, 132), 1, cv2.LINE_AA)
    cv2.line(room, (0, 330), (WIDTH, 330), (90, 96, 100), 4)
    cv2.rectangle(room, (70, 60), (230, 200), (225, 214, 190), -1)
    cv2.rectangle(room, (70, 60), (230, 200), (120, 120, 120), 5)
    cv2.line(room, (150, 60), (150, 200), (120, 120, 120), 4)
    bed = np.array([[420, 300], [610, 300], [638, 400], [400, 400]], np.int32)
    cv2.fillPoly(room, [bed], (198, 190, 176))
    cv2.rectangle(room, (400, 400), (638, 432), (92, 98, 110), -1)
    cv2.rectangle(room, (430, 296), (600, 322), (222, 222, 222), -1)
    cv2.rectangle(room, (505, 70), (590, 250), (120, 140, 160), -1)
    cv2.rectangle(room, (505, 70), (590, 250), (84, 96, 110), 4)
    confirmed = np.ones((HEIGHT, WIDTH), np.bool_)
    confirmed[330:470, 20:110] = False
    return room, confirmed


def walker(number: int, seconds: float, layer: int) -> SubjectPose:
    """Return the pose of somebody who walks to and fro. number: of the subject, who begins at another place."""
    way = SPEED_PX_S * seconds + 170.0 * number
    span = WIDTH - 200.0
    u = 100.0 + (way % span if way // span % 2 == 0 else span - way % span)
    foot = 445.0 - 22.0 * layer
    phase = 2 * pi * STEPS_HZ * seconds + number
    stature = STATURE * (1.0 - 0.05 * layer)
    return pose_at(number, u, foot, stature, layer, phase)


def pose_at(number: int, u: float, foot: float, stature: float, layer: int, phase: float) -> SubjectPose:
    """Return the pose of a walker. u, foot: where it stands, px. phase: of the step, rad."""
    points = np.zeros((17, 3), np.float32)
    for joint, (aside, height) in _STANDING.items():
        swing = _SWING.get(joint, 0.0) * sin(phase)
        points[joint] = (u + stature * (aside + swing), foot - stature * (height + 0.008 * sin(2 * phase)), 0.9)
    return SubjectPose(number, _box_around(points, stature), points, None, layer)


def _box_around(points: Float32Array, stature: float) -> Box:
    u0, v0 = points[:, :2].min(axis=0).tolist()
    u1, v1 = points[:, :2].max(axis=0).tolist()
    return u0 - 0.06 * stature, v0 - 0.06 * stature, u1 + 0.06 * stature, v1 + 0.04 * stature


def omega_of(
    camera_id: str,
    number: int,
    stamp_ns: int,
    png: bytes,
    *,
    subjects: int = 2,
    sight: Sight = Sight.CLEAR,
    unseen: int = 0,
    seconds: float | None = None,
) -> Omega:
    """Return an Ω of a room in which so many people walk, and `unseen` are whom nothing finds.

    png: of `room_png`. seconds: of the walk; None: by number.
    """
    key = SyncKey(camera_id, number, stamp_ns)
    walked_s = number / 10.0 if seconds is None else seconds
    poses = [walker(subject, walked_s, layer) for layer, subject in enumerate(range(1, subjects + 1))]
    withheld = 0.028 * subjects
    privacy = PrivacyReport(withheld, withheld, 0.0, Verdict.PASS, "", 2.5, 1e-6, sight, unseen_people=unseen)
    return Omega(key, environment_of(key, png, 1), poses, Z, privacy)


def room_png(shade: int = 0) -> bytes:
    """Return the environment of a drawn room as a PNG."""
    return encode_environment(*drawn_room(shade))
