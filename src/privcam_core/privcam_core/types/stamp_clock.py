"""The clock of κ: time since the epoch that goes on evenly when somebody sets the wall clock of the host."""

import threading
import time
from collections.abc import Callable

from privcam_core.types.time import seconds_from_ns

# Largest correction towards the wall clock, in parts of a million of the time that passed. It is what NTP daemons use:
# more than the drift of any quartz (100), and too little to be seen in a speed that is computed from two stamps.
MAX_SLEW_PPM = 500


def boottime_ns() -> int:
    """Return the time since the host was started, in ns: nobody sets it, and it goes on while the host sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class StampClock:
    """Stamps of captured frames, in ns since the epoch, that strictly increase.

    A stamp is the steady clock plus an offset to the wall clock. The offset is measured when this object is made, and
    later follows the wall clock by at most MAX_SLEW_PPM: the drift of the quartz is corrected, and a wall clock that is
    set by hours changes neither order nor distance of stamps. steady: ns, never set. wall: ns since the epoch.
    """

    def __init__(self, *, steady: Callable[[], int] = boottime_ns, wall: Callable[[], int] = time.time_ns) -> None:
        self._steady = steady
        self._wall = wall
        self._slewed_ns = steady()
        self._offset_ns = wall() - self._slewed_ns
        self._last_ns = 0
        self._lock = threading.Lock()

    def now(self) -> int:
        """Return the stamp of this moment."""
        return self.stamp(self._steady())

    def stamp(self, steady_ns: int) -> int:
        """Return the stamp of a moment of the steady clock: later than every stamp before."""
        with self._lock:
            now = self._steady()
            limit = (now - self._slewed_ns) * MAX_SLEW_PPM // 10**6
            error = self._wall() - now - self._offset_ns
            self._offset_ns += max(-limit, min(limit, error))
            self._slewed_ns = now
            self._last_ns = max(self._last_ns + 1, steady_ns + self._offset_ns)
            return self._last_ns

    def offset_s(self) -> float:
        """Return how far the wall clock is ahead of this clock, in seconds: what was set, and not yet followed."""
        with self._lock:
            return seconds_from_ns(self._wall() - self._steady() - self._offset_ns)
