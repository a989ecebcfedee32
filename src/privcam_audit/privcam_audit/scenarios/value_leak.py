"""Measures a leak by values: an environment that shows, inside a person, the person's value and not the room's."""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from privcam_audit.scenarios.room_share import RoomShare
from privcam_audit.scenarios.scene import Scene, distance
from privcam_core.types.arrays import BoolArray, Image


@dataclass
class ValueLeak:
    """What leaked in one scenario of one clip; counts of pixels, summed over its frames.

    labelled: pixels of people. leaked: of those, shown with the person's value. confirmed: fraction of the picture that
    is shown, in every frame. depicted: pixels of people on posters and screens. depicted_displayed: of those, shown.
    counterfactual: pixels that are shown in different colours when people have other values; None if not tested.
    room: what is shown of the room; None where nobody asks.
    worst: pixels that leaked in the worst frame, and the time of that frame, of the first leak and of the end, in s.
    """

    labelled: int = 0
    leaked: int = 0
    confirmed: list[float] = field(default_factory=list)
    depicted: int = 0
    depicted_displayed: int = 0
    counterfactual: int | None = None
    room: RoomShare | None = None
    worst: int = 0
    worst_s: float | None = None
    first_s: float | None = None
    length_s: float = 0.0

    @property
    def fraction(self) -> float | None:
        """Leaked pixels of each labelled one; None where nobody is labelled."""
        return self.leaked / self.labelled if self.labelled else None

    @property
    def confirmed_end(self) -> float:
        """Fraction of the picture that is shown at the end."""
        return self.confirmed[-1] if self.confirmed else 0.0

    def add(self, scene: Scene, environment: Image, confirmed: BoolArray, seconds: float) -> BoolArray:
        """Count one frame. environment, confirmed: what the cloud has. Return (H, W), the pixels that leak."""
        environment, confirmed = _fit(environment, confirmed, scene.shape)
        leaking = leaking_pixels(scene, environment, confirmed)
        if self.room is not None:
            self.room.add(scene, confirmed, seconds)
        count = int(np.count_nonzero(leaking))
        self.labelled += int(np.count_nonzero(scene.person))
        self.leaked += count
        self.confirmed.append(float(confirmed.mean()))
        self.depicted += int(np.count_nonzero(scene.depicted))
        self.depicted_displayed += int(np.count_nonzero(scene.depicted & confirmed))
        if count and self.first_s is None:
            self.first_s = seconds
        if count > self.worst:
            self.worst, self.worst_s = count, seconds
        self.length_s = seconds
        return leaking

    def values(self) -> dict[str, Any]:
        """Return the figures for report.json."""
        return {
            "leaked_pixels": self.leaked,
            "labelled_pixels": self.labelled,
            "fraction": self.fraction,
            "confirmed_fraction": float(np.mean(self.confirmed)) if self.confirmed else 0.0,
            "confirmed_fraction_end": self.confirmed_end,
            "room_shown": [[round(time, 2), share] for time, share in self.room.frames] if self.room else None,
            "worst_frame_pixels": self.worst,
            "worst_s": self.worst_s,
            "first_s": self.first_s,
            "length_s": self.length_s,
            "frames": len(self.confirmed),
            "depicted_displayed_fraction": self.depicted_displayed / self.depicted if self.depicted else None,
            "counterfactual_pixels": self.counterfactual,
        }


def leaking_pixels(scene: Scene, environment: Image, confirmed: BoolArray) -> BoolArray:
    """Return (H, W), where a person's value is shown that is not the room's."""
    of_person = distance(environment, scene.picture) <= scene.same_levels
    of_room = distance(environment, scene.room) <= scene.same_levels
    if scene.room_before is not None:
        of_room |= distance(environment, scene.room_before) <= scene.same_levels
    return np.asarray(scene.person & confirmed & of_person & ~(scene.known & of_room), np.bool_)


def _fit(environment: Image, confirmed: BoolArray, shape: tuple[int, int]) -> tuple[Image, BoolArray]:
    """Return the picture that the cloud has in the size of the frame: an older one may have another size."""
    if confirmed.shape == shape:
        return environment, confirmed
    size = shape[1], shape[0]
    scaled = cv2.resize(confirmed.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return np.asarray(cv2.resize(environment, size, interpolation=cv2.INTER_AREA), np.uint8), scaled
