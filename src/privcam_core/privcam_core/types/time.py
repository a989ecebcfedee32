"""Time stamps: integer nanoseconds since the Unix epoch, UTC; durations are seconds."""

import time

NS_PER_S = 10**9


def boottime_ns() -> int:
    """Return the time since the host was started, in ns: nobody sets it, and it goes on while the host sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def seconds_from_ns(duration_ns: int) -> float:
    """Return a duration, or a stamp since the epoch, in seconds."""
    return duration_ns / NS_PER_S


def ns_from_seconds(duration_s: float) -> int:
    """Return a duration in whole nanoseconds, rounded."""
    return round(duration_s * NS_PER_S)


def stamp_ns_of(seconds: int, nanoseconds: int) -> int:
    """Return the stamp in ns of a ROS time, which is whole seconds and nanoseconds."""
    return int(seconds) * NS_PER_S + int(nanoseconds)
