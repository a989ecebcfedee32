"""Measures what is left of the use: the fraction of the room that is shown, outside of people and of their presence."""

from collections import deque
from dataclasses import dataclass, field

import cv2
import numpy as np

from privcam_audit.scenarios.scene import Scene
from privcam_core.types.arrays import BoolArray
from privcam_core.types.boxes import pixel_slices
from privcam_privacy.background.engine_settings import EngineSettings

_SETTINGS = EngineSettings()


@dataclass
class RoomShare:
    """approved: (H, W), the room. frames: time, s, and the fraction of it that is shown, of every frame.

    A person covers the label's box with the margins of the engine, for as long as the engine holds such a region. A
    frame in which people cover all of the room, or that has another size, does not count.
    """

    approved: BoolArray
    frames: list[tuple[float, float]] = field(default_factory=list)
    _covered: deque[tuple[float, BoolArray]] = field(default_factory=deque)

    def add(self, scene: Scene, confirmed: BoolArray, seconds: float) -> None:
        """Count one frame. confirmed: (H, W), the pixels that are shown."""
        if scene.shape != self.approved.shape:
            return
        while self._covered and seconds - self._covered[0][0] > _SETTINGS.person_hold_s:
            self._covered.popleft()
        self._covered.append((seconds, _around_people(scene.labelled)))
        room = self.approved & ~np.any([mask for _, mask in self._covered], axis=0)
        if room.any():
            self.frames.append((seconds, float(confirmed[room].mean())))

    def at(self, seconds: float) -> float | None:
        """Return the fraction at the last frame up to this time; None where there is none."""
        until = [share for time, share in self.frames if time <= seconds]
        return until[-1] if until else None


def _around_people(labelled: BoolArray) -> BoolArray:
    covered = labelled.copy()
    _, _, boxes, _ = cv2.connectedComponentsWithStats(labelled.astype(np.uint8))
    for x, y, width, height, _ in boxes[1:].tolist():
        box = _SETTINGS.margins.widen((x, y, x + width, y + height), labelled.shape[0])
        covered[pixel_slices(box, *labelled.shape)] = True
    return covered
