"""Measures how often per second the networks of the edge saw somebody, for the privacy report.

A slow machine looks more seldom; the receiver of Ω has to know. Times are of the stamps, so a recording gives the same
rates at any speed.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from privcam_core.types.omega import RATE_STEPS_HZ
from privcam_core.types.time import NS_PER_S, ns_from_seconds

# A rate is counted over the last so many seconds: a second alone holds too few events to tell 3 Hz from 4 Hz.
WINDOW_S = 2.0
_WINDOW_NS = ns_from_seconds(WINDOW_S)
# The smallest rate of somebody in view; 0 says that nobody is.
_MIN_POSE_HZ = 0.5


class Rates(NamedTuple):
    """How often per second, each a step of `RATE_STEPS_HZ`, rounded down.

    detector_hz: the detector saw a frame. pose_hz: the pose of the subject with the fewest estimates was estimated, of
    those who were in view for the whole window; 0.5 also for fewer, 0: nobody was in view for so long.
    """

    detector_hz: float
    pose_hz: float


@dataclass
class _Events:
    """What happened since `begun_ns`: the stamps of it, in order."""

    begun_ns: int
    stamps: deque[int] = field(default_factory=deque)

    def rate_hz(self, stamp_ns: int) -> float | None:
        """Return the rate of the window that ends with this stamp; None for what began within it. Forgets the rest."""
        start_ns = stamp_ns - _WINDOW_NS
        while self.stamps and self.stamps[0] <= start_ns:
            self.stamps.popleft()
        return None if self.begun_ns > start_ns else floor_to_step(len(self.stamps) / WINDOW_S)


class PerceptionRates:
    """Measures the rates of one camera, frame by frame.

    Privacy: the rates change only with the first frame of a second of stamps, because every change tells something.
    """

    def __init__(self) -> None:
        self._detector: _Events | None = None
        self._poses: dict[int, _Events] = {}
        self._rates = Rates(0.0, 0.0)
        self._second = -1

    def update(self, stamp_ns: int, *, fresh: bool, subjects: Collection[int], estimated: Collection[int]) -> Rates:
        """Return the rates, which are 0 until the first window is over.

        stamp_ns: capture time, later than that of the frame before. fresh: the detector saw this frame. subjects: who
        is in view. estimated: whose pose was estimated in this frame.
        """
        self._detector = self._detector or _Events(stamp_ns)
        if fresh:
            self._detector.stamps.append(stamp_ns)
        self._poses = {subject: self._poses.get(subject) or _Events(stamp_ns) for subject in subjects}
        for subject in estimated:
            if subject in self._poses:
                self._poses[subject].stamps.append(stamp_ns)
        if stamp_ns // NS_PER_S != self._second:
            self._second = stamp_ns // NS_PER_S
            measured = [rate for one in self._poses.values() if (rate := one.rate_hz(stamp_ns)) is not None]
            self._rates = Rates(
                self._detector.rate_hz(stamp_ns) or 0.0, max(_MIN_POSE_HZ, min(measured)) if measured else 0.0
            )
        return self._rates


def floor_to_step(rate_hz: float) -> float:
    """Return the largest step of `RATE_STEPS_HZ` that is not above a rate, at least 0 per second."""
    return RATE_STEPS_HZ[bisect_right(RATE_STEPS_HZ, rate_hz) - 1]
