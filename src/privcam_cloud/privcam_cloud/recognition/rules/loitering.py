"""Loitering: somebody on foot who stays in one place for long. From the track alone; nothing is learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

from privcam_cloud.recognition.features import Point
from privcam_core.events.event_tracker import Claim

# On foot within this many body heights of one spot, for so many s. Who waits for a lift takes less, who waits for a bus
# takes more; a site that cares sets it where it asks for events of this label.
REACH_H, AFTER_S = 2.0, 60.0
ON_FOOT = ("standing", "walking", "smoking_like")


@dataclass
class Loiterer:
    """Follows one person. spot: where the stay began, px. since: when, camera time in s."""

    spot: Point = (0.0, 0.0)
    since: float | None = None

    def update(
        self, ids: tuple[int, ...], seconds: float, place: Point, height_px: float, label: str
    ) -> Sequence[Claim]:
        """Return the claim that holds now, if any. place: px. label: what the person does, empty: not known."""
        if self.since is None or hypot(place[0] - self.spot[0], place[1] - self.spot[1]) > REACH_H * height_px:
            self.spot, self.since = place, seconds
        elif label not in ("", *ON_FOOT):
            self.since = seconds  # who sits or lies does not loiter
        stayed = seconds - self.since
        if stayed < AFTER_S:
            return []
        # More certain the longer it lasts: half at the limit, 0.9 at five times that.
        confidence = 1.0 - 0.5 * AFTER_S / stayed
        evidence = f"on foot within {REACH_H:.0f} body heights of one spot for {stayed:.0f} s"
        return [Claim("loitering", ids, confidence, self.since, evidence)]
