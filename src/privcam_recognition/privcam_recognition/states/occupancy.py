"""Detects that somebody is in the room. Its duration is how long; who may be there and when is a rule of the site."""

from collections.abc import Sequence

from privcam_core.events.event_tracker import ActiveEvent, merge_ids
from privcam_core.events.scene_report import OCCUPIED
from privcam_recognition.states.view import View

# Somebody has come when they are in view for so long without a break, s: longer than a wrong box.
ENTER_S = 1.0
# Nobody is in the room when nobody was in view for so long, s: networks lose people behind furniture.
LEAVE_S = 10.0


class Occupancy:
    """Follows one room. Times are camera time in s."""

    def __init__(self) -> None:
        self._came: float | None = None
        self._last = 0.0
        self._is_occupied = False
        self._ids: tuple[int, ...] = ()
        self._most = 0

    def update(self, seconds: float, views: Sequence[View], *, must_be: bool) -> Sequence[ActiveEvent]:
        """Return the event that holds now. must_be: somebody must be there out of sight, or the camera cannot see."""
        if views:
            self._came = seconds if self._came is None else self._came
            self._last, self._most = seconds, max(self._most, len(views))
            self._ids = merge_ids((view.subject_id for view in views), self._ids)
            self._is_occupied |= seconds - self._came >= ENTER_S
        elif not self._is_occupied or (not must_be and seconds - self._last > LEAVE_S):
            self._came, self._is_occupied, self._ids, self._most = None, False, (), 0
        if not self._is_occupied or self._came is None:
            return []
        unseen_s = seconds - self._last
        hidden = f", out of sight for {unseen_s:.0f} s" if unseen_s >= 1.0 else ""
        evidence = f"{len(views)} in view, at most {self._most} at once, for {seconds - self._came:.0f} s{hidden}"
        confidence = 1.0 - 0.5 * min(unseen_s, LEAVE_S) / LEAVE_S
        return [ActiveEvent(OCCUPIED, self._ids, confidence, self._came, evidence)]
