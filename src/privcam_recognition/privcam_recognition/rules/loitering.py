"""Detects loitering: a subject on foot that stays in one place for long. It uses the track alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

from privcam_core.events.event_tracker import ActiveEvent
from privcam_recognition.features import Point

# The subject stays within this many body heights of one spot.
REACH_H = 2.0
# It stays there for at least this long, in s. Waiting for a lift takes less, waiting for a bus takes more; a site may
# set its own limit where it asks for events of this label.
MIN_STAY_S = 60.0
ON_FOOT = ("standing", "walking", "smoking_like")


@dataclass
class LoiteringDetector:
    """Follows one subject. spot: where the stay began, px. since: when it began, camera time in s."""

    spot: Point = (0.0, 0.0)
    since: float | None = None

    def update(
        self, ids: tuple[int, ...], seconds: float, place: Point, height_px: float, label: str
    ) -> Sequence[ActiveEvent]:
        """Return the event that holds now, if any. place: px. label: posture of the subject, empty: not known."""
        if self.since is None or hypot(place[0] - self.spot[0], place[1] - self.spot[1]) > REACH_H * height_px:
            self.spot, self.since = place, seconds
        elif label not in ("", *ON_FOOT):
            self.since = seconds  # a subject that sits or lies does not loiter
        stayed = seconds - self.since
        if stayed < MIN_STAY_S:
            return []
        # The confidence grows with the stay: one half at the limit, 0.9 at five times the limit.
        confidence = 1.0 - 0.5 * MIN_STAY_S / stayed
        evidence = f"on foot within {REACH_H:.0f} body heights of one spot for {stayed:.0f} s"
        return [ActiveEvent("loitering", ids, confidence, self.since, evidence)]
