"""Where presences are, as boxes: the detector looks again there."""

from collections.abc import Iterable

from privcam_core.types.perception import PresenceRegion
from privcam_privacy.presence.presence import Presence


def presence_regions(presences: Iterable[Presence]) -> list[PresenceRegion]:
    """Return the region of each presence: what is seen of it in this frame, else all cells where it may be."""
    regions = []
    for presence in presences:
        where = presence.cells if presence.now is None else presence.now
        if where.area:
            regions.append(
                PresenceRegion(presence.number, where.box, presence.animate, presence.followed, presence.still_s)
            )
    return regions
