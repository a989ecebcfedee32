"""One step of a scenario: what the camera delivers, and what it shows of people and of the room."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import cv2
import numpy as np

from privcam_audit.perception_recording import FramePerception
from privcam_core.types.arrays import BoolArray, Image
from privcam_privacy.background.illumination import difference

# A value this near to another one, in every channel, is taken for it; further away it is another.
SAME_LEVELS = 30.0
# In the dark the distance shrinks with the light, down to this: the noise of the camera reaches it.
MIN_SAME_LEVELS = 3.0

ChangePicture = Callable[[Image], Image]


@dataclass(frozen=True, eq=False)
class Scene:
    """What a frame shows, before the camera adds noise.

    picture, room: (H, W, 3), with and without people. known: (H, W), where `room` is known. person: (H, W), the pixels
    of people. labelled: (H, W), the labels, which contain the people. depicted: (H, W), people on posters and screens.
    same_levels: distance up to which a value is taken for another. room_before: the room before the light or the view
    changed, where it did: the cloud may still have that picture.
    """

    picture: Image
    room: Image
    known: BoolArray
    person: BoolArray
    labelled: BoolArray
    depicted: BoolArray
    same_levels: float = SAME_LEVELS
    room_before: Image | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.person.shape[0], self.person.shape[1]

    def with_light(self, change: ChangePicture, gain: float = 1.0) -> "Scene":
        """Return the scene with `change` applied to picture and room. gain: how much differences of values change."""
        levels = max(MIN_SAME_LEVELS, gain * self.same_levels)
        return replace(self, picture=change(self.picture), room=change(self.room), same_levels=levels)

    def with_size(self, shape: tuple[int, int]) -> "Scene":
        """Return the scene in another size, (H, W)."""
        size = shape[1], shape[0]

        def scale(mask: BoolArray) -> BoolArray:
            return np.asarray(cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0, np.bool_)

        return Scene(
            np.asarray(cv2.resize(self.picture, size, interpolation=cv2.INTER_AREA), np.uint8),
            np.asarray(cv2.resize(self.room, size, interpolation=cv2.INTER_AREA), np.uint8),
            scale(self.known),
            scale(self.person),
            scale(self.labelled),
            scale(self.depicted),
            self.same_levels,
        )

    def with_shift(self, dx: int, dy: int) -> "Scene":
        """Return the scene of a camera that was nudged: everything lies `dx`, `dy` px further right and below."""
        matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float64)
        size = self.shape[1], self.shape[0]

        def shift(image: Image) -> Image:
            return np.asarray(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)

        def shift_mask(mask: BoolArray) -> BoolArray:
            return shift(mask.astype(np.uint8)) > 0

        return Scene(
            shift(self.picture),
            shift(self.room),
            shift_mask(self.known),
            shift_mask(self.person),
            shift_mask(self.labelled),
            shift_mask(self.depicted),
            self.same_levels,
            self.room,
        )


def distance(a: Image, b: Image) -> Image:
    """Return (H, W), by how many levels two pictures differ, in the channel that differs most."""
    return difference(a, b)


def person_pixels(
    picture: Image, room: Image, known: BoolArray, labelled: BoolArray, surely_labelled: BoolArray
) -> BoolArray:
    """Return (H, W), the pixels of people: inside their labels, and another value than the room's.

    Where the room is not known, all of `surely_labelled` (the labels without their margin) counts.
    """
    differing = distance(picture, room) > SAME_LEVELS
    return (labelled & known & differing) | (surely_labelled & ~known)


class Event(Enum):
    """What happens to the edge before a frame."""

    NONE = "nothing"
    RESTART = "it is started again, with its stored state"
    KILLED_OLD_FILE = "it is killed while it writes its state: the file of before is there, and half of a new one"
    KILLED_HALF_FILE = "it is killed, and its file of the state is cut off in the middle"
    STATE_DELETED = "it is killed, and its state is deleted"


@dataclass(frozen=True, eq=False)
class Step:
    """One frame of a scenario.

    image: (H, W, 3), as the camera delivers it. elapsed_s: since the frame before. recorded: the perception of the
    clip's own frame, where `image` is that frame; else None. blind: the detector finds nobody, whoever is there.
    held: the steps around it show the same scene, with other noise.
    """

    scene: Scene
    image: Image
    elapsed_s: float
    recorded: FramePerception | None = None
    event: Event = Event.NONE
    blind: bool = False
    held: bool = False
