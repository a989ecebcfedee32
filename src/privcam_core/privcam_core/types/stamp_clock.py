"""The clock of κ: time since the epoch that goes on evenly when somebody sets the wall clock of the host."""

import threading
import time
from collections.abc import Callable

from privcam_core.types.time import boottime_ns, ns_from_seconds, seconds_from_ns

# Largest correction towards the wall clock, in parts of a million of the time that passed. It is what NTP daemons use:
# more than the drift of any quartz (100), and too little to be seen in a speed that is computed from two stamps.
MAX_SLEW_PPM = 500
# A driver whose stamps jump further than this, against the time that passed, had its clock set, or a replay began anew.
MAX_STEP_S = 60.0
# A frame that is stamped before the last one by less than this was only late on its way.
MAX_LATE_S = 1.0


class StampClock:
    """Stamps of captured frames, in ns since the epoch, that strictly increase.

    A stamp is the time since boot plus an offset to the wall clock. The offset is measured when this object is made,
    and later follows the wall clock by at most MAX_SLEW_PPM: the drift of the quartz is corrected, and a wall clock
    that is set by hours changes neither order nor distance of stamps. boottime: ns, never set. wall: ns since 1970.
    """

    def __init__(self, *, boottime: Callable[[], int] = boottime_ns, wall: Callable[[], int] = time.time_ns) -> None:
        self._boottime = boottime
        self._wall = wall
        self._slewed_ns = boottime()
        self._offset_ns = wall() - self._slewed_ns
        self._last_ns = 0
        self._lock = threading.Lock()

    @property
    def steps(self) -> int:
        """How often its time began anew, which stamps do not show."""
        return 0

    def now(self) -> int:
        """Return the stamp of this moment."""
        return self.stamp(self._boottime())

    def stamp(self, moment_ns: int) -> int:
        """Return the stamp of a moment, which is a time since boot: later than every stamp before."""
        with self._lock:
            now = self._boottime()
            limit = (now - self._slewed_ns) * MAX_SLEW_PPM // 10**6
            error = self._wall() - now - self._offset_ns
            self._offset_ns += max(-limit, min(limit, error))
            self._slewed_ns = now
            self._last_ns = max(self._last_ns + 1, moment_ns + self._offset_ns)
            return self._last_ns

    def offset_s(self) -> float:
        """Return how far the wall clock is ahead of this clock, in seconds: what was set, and not yet followed."""
        with self._lock:
            return seconds_from_ns(self._wall() - self._boottime() - self._offset_ns)


class LateFrame(ValueError):
    """The frame was captured before one that came earlier."""


class DriverStamps:
    """Keeps the stamps that a camera driver, or a replay, gives in order.

    They are taken as they are, in the driver's own time, until they jump back, or ahead by more than MAX_STEP_S: then
    they go on by the time since boot, and all later ones are shifted alike. `steps` counts this, `shift_ns` is the sum.
    """

    def __init__(self, *, boottime: Callable[[], int] = boottime_ns) -> None:
        self.steps = 0
        self.shift_ns = 0
        self._boottime = boottime
        self._last: tuple[int, int] | None = None  # shifted stamp, and when it came
        self._given_ns = 0

    def follow(self, stamp_ns: int, *, late_s: float = MAX_LATE_S) -> int:
        """Return the stamp for a frame that the driver stamped `stamp_ns`: later than all before.

        Raises LateFrame for a frame that came after a later one, at most `late_s` before it.
        """
        now, found = self._boottime(), stamp_ns + self.shift_ns
        if self._last is not None:
            last, then = self._last
            passed, ahead = now - then, found - last
            if 0 > ahead >= -ns_from_seconds(late_s):
                raise LateFrame(f"its stamp is {-seconds_from_ns(ahead):.3f} s before the one of the last frame")
            if not 0 <= ahead <= passed + ns_from_seconds(MAX_STEP_S):
                self.steps += 1
                self.shift_ns += passed - ahead
                found = last + passed
        self._last = found, now
        self._given_ns = max(found, self._given_ns + 1)
        return self._given_ns


class SimulatedStampClock(StampClock):
    """Stamps by simulated time, in order: where it went back, because the simulation began anew, they go on.

    simulated: the simulated time in ns, 0 while there is none. boottime: ns, never set. A moment is brought to
    simulated time as if that went as fast as the clock since boot, so it is exact only where that is so.
    """

    def __init__(self, simulated: Callable[[], int], *, boottime: Callable[[], int] = boottime_ns) -> None:
        super().__init__(boottime=boottime, wall=simulated)
        self._order = DriverStamps(boottime=boottime)

    def stamp(self, moment_ns: int) -> int:
        """Return the stamp of a moment, which is a time since boot. Raises LateFrame while there is no time at all."""
        with self._lock:
            simulated_ns = self._wall()
            if simulated_ns <= 0:
                raise LateFrame("there is no simulated time: use_sim_time is true, and nobody publishes /clock")
            return self._order.follow(max(1, simulated_ns - (self._boottime() - moment_ns)), late_s=0.0)

    @property
    def steps(self) -> int:
        """How often simulated time went back, or jumped ahead."""
        return self._order.steps

    def offset_s(self) -> float:
        """Return 0: there is nothing that it could be wrong against."""
        return 0.0


def is_of_now(stamp_ns: int, wall_ns: int, within_s: float) -> bool:
    """Say whether a stamp is of this time by the wall clock. within_s: allowed difference in s, 0: any."""
    return within_s == 0.0 or abs(stamp_ns - wall_ns) <= ns_from_seconds(within_s)
