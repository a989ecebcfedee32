"""Detects that somebody is still in the room whom nothing finds: fallen behind a bed, or not known to the networks.

The edge knows it: what moved in and was not seen to leave is still there. A camera of the cloud sees no body then, so
neither a fall nor a long lie can be recognised.
"""

from collections.abc import Sequence

from privcam_core.events.event_tracker import ActiveEvent
from privcam_core.events.scene_report import OUT_OF_SIGHT

# Somebody who is out of sight for so long, s, is reported, as somebody is who lies.
REPORT_S = 10.0


class OutOfSight:
    """Follows one room. Times are camera time in s."""

    def __init__(self) -> None:
        self._since: float | None = None

    def update(self, seconds: float, unseen_people: int) -> Sequence[ActiveEvent]:
        """Return the event that holds now. unseen_people: see the privacy report."""
        if not unseen_people:
            self._since = None
            return []
        self._since = seconds if self._since is None else self._since
        held_s = seconds - self._since
        if held_s < REPORT_S:
            return []
        evidence = f"{unseen_people} who came into view did not leave it, and nothing finds them for {held_s:.0f} s"
        return [ActiveEvent(OUT_OF_SIGHT, (), 0.5, self._since, evidence)]
