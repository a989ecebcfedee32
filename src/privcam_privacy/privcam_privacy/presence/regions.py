"""Where presences are, as boxes: the detector looks again there."""

from collections.abc import Iterable

import cv2

from privcam_core.types.arrays import Box, Mask
from privcam_core.types.perception import PresenceRegion
from privcam_privacy.background.grid import GRID
from privcam_privacy.presence.presence import Presence


def presence_regions(presences: Iterable[Presence]) -> list[PresenceRegion]:
    """Return the region of each presence: what is seen of it in this frame, else all cells where it may be."""
    regions = []
    for presence in presences:
        where = presence.cells if presence.now is None else presence.now
        if cv2.countNonZero(where):
            regions.append(
                PresenceRegion(
                    presence.number, _bounding_box(where), presence.animate, presence.followed, presence.still_s
                )
            )
    return regions


def _bounding_box(mask: Mask) -> Box:
    """Return the box in px of a grid mask that is not empty."""
    x, y, w, h = cv2.boundingRect(mask)
    return float(GRID * x), float(GRID * y), float(GRID * (x + w)), float(GRID * (y + h))
