"""Scenes for the tests of generated people: a plain room, somebody who stands in it, and a drawn face."""

import cv2
import numpy as np

from privcam_cloud.reconstruction.reconstruction_input import ReconstructionInput
from privcam_core.events.scene_report import Event, Phase
from privcam_core.images.environment import FILL
from privcam_core.types.omega import SubjectPose, SyncKey

HEIGHT, WIDTH = 240, 320
START_NS, SECOND_NS = 1_700_000_000 * 10**9, 10**9
# Half of a standing body, fractions of its height, from the middle of the feet: eye, ear, shoulder, ... ankle.
_HALF = ((0.018, -0.935), (0.042, -0.925), (0.115, -0.81), (0.15, -0.63), (0.16, -0.48), (0.06, -0.52), (0.065, -0.28),
         (0.07, -0.04))  # fmt: skip
_STANDING = np.array([(0, -0.92), *[(sign * u, v) for u, v in _HALF for sign in (1, -1)]])


def standing(subject_id: int = 1, u: float = 120, layer: int = 0, rho: float = 0.9) -> SubjectPose:
    """Return somebody of 180 px whose feet are at (u, 225)."""
    keypoints = np.full((17, 3), rho, np.float32)
    keypoints[:, :2] = _STANDING * 180 + (u, 225)
    return SubjectPose(subject_id, (u - 36.0, 45.0, u + 36.0, 228.0), keypoints, None, layer)


def room() -> np.ndarray:
    """Return a wall and a floor, (240, 320, 3) uint8 BGR."""
    image = np.full((HEIGHT, WIDTH, 3), (150, 160, 165), np.uint8)
    image[160:] = (90, 110, 130)
    return image


def event(label: str, subject_id: int = 1, event_id: int = 1, phase: Phase = Phase.ONGOING) -> Event:
    """Return a event; its evidence is free text."""
    return Event(label, 0.9, (subject_id,), event_id, phase, START_NS, START_NS, "wears a red hat")


def scene(
    *poses: SubjectPose, seconds: float = 0.0, known: int = WIDTH, events: tuple[Event, ...] = ()
) -> ReconstructionInput:
    """Return a moment. known: columns of the room that are confirmed, from the left."""
    confirmed_mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    confirmed_mask[:, :known] = True
    plate = room()
    plate[~confirmed_mask] = FILL
    key = SyncKey("room1", 1 + round(10 * seconds), START_NS + round(seconds * SECOND_NS))
    return ReconstructionInput(key, plate, confirmed_mask, poses, events)


def draw_face(image: np.ndarray, x: int, y: int, size: int) -> None:
    """Draw a face with its middle at x, y. size: px from ear to ear, about."""

    def disc(dx: float, dy: float, width: float, height: float, colour: tuple[int, int, int]) -> None:
        middle = (round(x + dx * size), round(y + dy * size))
        cv2.ellipse(image, middle, (round(width * size), round(height * size)), 0, 0, 360, colour, -1, cv2.LINE_AA)

    skin, hair = (150, 180, 225), (40, 50, 70)
    disc(0, -0.13, 0.6, 0.7, hair)
    disc(0, 0, 0.5, 0.65, skin)
    disc(0, -0.58, 0.47, 0.2, hair)
    for side in (-0.21, 0.21):
        disc(side, -0.11, 0.1, 0.05, (245, 245, 245))
        disc(side, -0.11, 0.05, 0.05, (30, 30, 40))
        disc(side, -0.24, 0.14, 0.04, hair)
    disc(0, 0.08, 0.07, 0.15, (125, 155, 205))
    disc(0, 0.35, 0.2, 0.06, (80, 80, 170))
