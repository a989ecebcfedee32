"""Detects that somebody walks about for long: back and forth, in and out. By day most rooms do; a site says when."""

from collections import deque
from collections.abc import Sequence

from privcam_core.events.event_tracker import ActiveEvent, merge_ids
from privcam_recognition.frame_time import FrameTime
from privcam_recognition.states.view import View

LABEL = "wandering"
# Somebody walks for so long, s ...
WALKED_S = 60.0
# ... within this time, s. To the bathroom and back takes less.
WITHIN_S = 300.0


class Wandering:
    """Follows one room: tracks break where people go in and out, so walkers are counted together. Times in s."""

    def __init__(self) -> None:
        # Second of camera time, rounded down, and how long somebody walked in it.
        self._walked: deque[list[float]] = deque()
        self._time = FrameTime()
        self._since: float | None = None
        self._ids: tuple[int, ...] = ()

    def update(self, seconds: float, views: Sequence[View]) -> Sequence[ActiveEvent]:
        """Return the event that holds now, if any."""
        step_s = self._time.advance(seconds)
        walkers = [view.subject_id for view in views if view.label == "walking"]
        if walkers:
            self._ids = merge_ids(walkers, self._ids)
            if not self._walked or self._walked[-1][0] != seconds // 1:
                self._walked.append([seconds // 1, 0.0])
            self._walked[-1][1] += step_s
        while self._walked and seconds - self._walked[0][0] > WITHIN_S:
            self._walked.popleft()
        walked_s = sum(part for _, part in self._walked)
        if walked_s < WALKED_S:
            self._since = None
            return []
        self._since = self._walked[0][0] if self._since is None else self._since
        evidence = f"walked for {walked_s:.0f} s of the last {WITHIN_S:.0f} s"
        confidence = min(1.0, 0.5 * walked_s / WALKED_S)
        return [ActiveEvent(LABEL, self._ids, confidence, self._since, evidence)]
