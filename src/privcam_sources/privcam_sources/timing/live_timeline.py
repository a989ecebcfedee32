"""Capture times of a live stream: the spacing of its presentation times, anchored to when frames arrive."""

from privcam_core.types.time import NS_PER_S

# For so long the shortest delay holds: the clocks of camera and host drift by a millisecond in the meantime.
_WINDOW_NS = 30 * NS_PER_S
# A presentation time that is this far from the arrival was set anew, or the network has stood still.
_MAX_DELAY_NS = 10 * NS_PER_S
# What was buffered while the stream was opened arrives faster than this fraction of its own time.
_BURST_FRACTION = 0.25


class LiveTimeline:
    """Maps presentation times to the clock of the host, in ns.

    A frame arrives late, by a delay that varies, and never early: the shortest delay of late is the truth. So a frame
    that the network held back gets the time at which it was captured. No time is later than its arrival.
    """

    def __init__(self) -> None:
        # The shortest delay of this window and of the one before, and when this one began.
        self._shortest: tuple[int, int] | None = None
        self._window_ns = 0
        self._last = (0, 0)
        self._opening = True

    def capture_ns(self, time_ns: int, arrival_ns: int) -> int | None:
        """Return when a frame was captured; None for one that was buffered while the stream was opened.

        time_ns: presentation time. arrival_ns: time since boot when it came.
        """
        delay = arrival_ns - time_ns
        passed, came = time_ns - self._last[0], arrival_ns - self._last[1]
        self._last = time_ns, arrival_ns
        if self._shortest is None or delay - min(self._shortest) > _MAX_DELAY_NS:
            self._shortest, self._window_ns = (delay, delay), arrival_ns
            return arrival_ns
        if arrival_ns - self._window_ns > _WINDOW_NS:
            self._shortest, self._window_ns = (delay, self._shortest[0]), arrival_ns
        self._shortest = min(delay, self._shortest[0]), self._shortest[1]
        self._opening = self._opening and came < _BURST_FRACTION * passed
        return None if self._opening else time_ns + min(self._shortest)
