"""Detects that somebody in view has not moved for long: asleep, unwell, or no person."""

from collections.abc import Sequence

import numpy as np

from privcam_core.events.event_tracker import ActiveEvent
from privcam_core.types.arrays import Float32Array
from privcam_core.types.skeleton import SEEN
from privcam_recognition.states.view import View

LABEL = "motionless"
# Longer than people who are awake keep a posture, s; sleepers turn every 10 to 40 minutes.
HELD_S = 300.0
# Whoever moves has a keypoint further from where it was than this many body heights: more than steps and noise of the
# anonymised pose make.
REACH_H = 0.3
# So many keypoints have to be elsewhere: one is an error of the network.
MIN_MOVED = 2


class Motionless:
    """Follows one subject in view. Times are camera time in s."""

    def __init__(self) -> None:
        self._posture: Float32Array | None = None
        self._since = 0.0

    def update(self, seconds: float, view: View) -> Sequence[ActiveEvent]:
        """Return the event that holds now, if any."""
        height_px = view.subject.height_px
        if height_px is None:
            return []
        points = view.subject.track_buffer.newest
        if self._posture is None or _moved(self._posture, points) >= REACH_H * height_px:
            self._posture, self._since = points, seconds
        held_s = seconds - self._since
        if held_s < HELD_S:
            return []
        evidence = f"no keypoint moved by more than {REACH_H} body heights for {held_s:.0f} s, {view.label}"
        # One half at the limit, 0.9 at five times the limit.
        return [ActiveEvent(LABEL, (view.subject_id,), 1.0 - 0.5 * HELD_S / held_s, self._since, evidence)]


def _moved(before: Float32Array, now: Float32Array) -> float:
    """Return how far the keypoint moved, px, that moved furthest but for MIN_MOVED - 1. Both: (17, 3) px, px, ρ."""
    both = (before[:, 2] >= SEEN) & (now[:, 2] >= SEEN)
    if both.sum() < MIN_MOVED:
        # Nothing can be compared: what cannot be seen is no evidence of stillness.
        return float("inf")
    gaps = np.hypot(*(now[both, :2] - before[both, :2]).T)
    return float(np.sort(gaps)[-MIN_MOVED])
