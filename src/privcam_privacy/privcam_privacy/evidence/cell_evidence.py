"""Counts, for every cell of the grid, the seconds of evidence that it shows background."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from privcam_core.types.arrays import Float32Array, Mask
from privcam_privacy.background.grid import intersect, subtract, union

# commissioned: the cell agrees with a picture of the empty room that an operator approved.
# stillness: nothing moved for long, in a place where small movements would have been noticed.
# transit: some seconds of undisturbed view. Only for places where nobody stays.
Evidence = Literal["commissioned", "stillness", "transit"]


@dataclass(frozen=True)
class PlateTimes:
    """Seconds of undisturbed evidence, and of difference.

    confirm_s: until background is confirmed. Of 24 tracks of people in 14 clips, 21 had no stretch without motion
    longer than 1.2 s. The longest, 3.6 s, was a man on the floor until the clip ended. So time alone is not sufficient,
    and it is not the only protection: boxes, tracks and the quarantine come first.
    low_confidence_s: the same under a low-confidence box. It is not much longer, because such boxes cover most of any
    furnished room. There, the main condition is that nothing at all may move in the box.
    change_s: until background that differs, with no person near, counts as changed. Confirmed background contains
    nobody however old it is, so this may be long: the shadow of a person who stands and talks is no change of the room.
    relearn_s: until new background is confirmed there.
    """

    confirm_s: float = 4.0
    low_confidence_s: float = 5.0
    change_s: float = 15.0
    relearn_s: float = 20.0

    def __post_init__(self) -> None:
        if not 0 < self.confirm_s <= self.low_confidence_s <= self.relearn_s or self.change_s <= 0:
            raise ValueError(
                f"PlateTimes: needs 0 < confirm_s <= low_confidence_s <= relearn_s and change_s > 0, got {self}"
            )


class CellEvidence:
    """The evidence of every cell. All masks are grid masks.

    changed: the background was another one before, so it needs longer evidence.
    """

    def __init__(self, grid: tuple[int, int], times: PlateTimes) -> None:
        self._times = times
        self._seconds: Float32Array = np.zeros(grid, np.float32)
        self.changed: Mask = np.zeros(grid, np.uint8)

    def add(self, where: Mask, low_confidence: Mask, step: float) -> Mask:
        """Add `step` seconds to the cells in `where`, and return those of them that have enough evidence now.

        low_confidence: cells that collect evidence at a lower rate.
        """
        slowest = intersect(where, self.changed)
        slow = subtract(intersect(where, low_confidence), slowest)
        usual = subtract(where, union(slow, slowest))
        for seconds, cells in (
            (self._times.confirm_s, usual),
            (self._times.low_confidence_s, slow),
            (self._times.relearn_s, slowest),
        ):
            cv2.add(self._seconds, step * self._times.confirm_s / seconds, dst=self._seconds, mask=cells)
        done = intersect(where, cv2.compare(self._seconds, self._times.confirm_s, cv2.CMP_GE))
        self.changed = subtract(self.changed, done)
        return done

    def clear(self, where: Mask) -> None:
        """Remove the evidence of the cells in `where`."""
        self._seconds[where > 0] = 0.0
