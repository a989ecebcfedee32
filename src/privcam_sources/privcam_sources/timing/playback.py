"""Takes frames from a source when they are due: a recording at its own pace, what is live when it comes."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from privcam_core.types.arrays import Image
from privcam_core.types.stamp_clock import StampClock
from privcam_core.types.time import NS_PER_S, boottime_ns
from privcam_sources.timing.live_timeline import LiveTimeline
from privcam_sources.video_source import VideoSource

# Of live segments a step of time that is longer is a part that has left the playlist before it could be read.
_SEGMENT_GAP_NS = NS_PER_S
# So long it can take to open live segments, which do not wait.
_OPENING_NS = 5 * NS_PER_S


@dataclass(frozen=True)
class StampedFrame:
    """A frame that is due. stamp_ns: since the epoch. arrived_ns: time since boot; None of a recording, which waits."""

    image: Image
    stamp_ns: int
    arrived_ns: int | None


@dataclass(frozen=True)
class SkippedFrame:
    """A frame that is not used. why: `skipped`, it came too late; `buffered`, it was held back for the new reader."""

    why: str


def take_frames(
    source: VideoSource, clock: StampClock, ending: threading.Event, *, after_ns: int, lossless: bool
) -> Iterator[StampedFrame | SkippedFrame]:
    """Yield the frames of a source until `ending` is set, each one when it is due.

    after_ns: stamps of a recording begin after this one. lossless: a recording is not waited for, and not skipped.
    Raises what the source raises.
    """
    return _play(source, clock, ending, after_ns, lossless) if source.paced else _capture(source, clock, ending)


class _Schedule:
    """When the frames of a paced source are due, on the monotonic clock, and the stamps that belong to that, ns.

    What comes over a network is later by as long as it had to be waited for, and so are all frames after it. Where live
    segments were missed, it is earlier again: a reader that stays behind would miss every other one.
    """

    def __init__(self, source: VideoSource, origin_ns: int, *, lossless: bool) -> None:
        self._source, self._origin_ns = source, origin_ns
        self._anchor_ns, self._time_ns = time.monotonic_ns(), 0
        self._behind_ns, self._waited_ns = _OPENING_NS, source.waited_ns
        # A lossless recording is not played: its stamps are its times.
        self._remote, self._live = source.spec.live and not lossless, not source.ends

    def is_late(self) -> bool:
        """Whether the next frame is over before it can be read."""
        return time.monotonic_ns() - (self._anchor_ns + self._time_ns) > 2 * self._source.period_ns

    def follow(self, time_ns: int | None) -> int:
        """Take the time of the frame that was read, None: that of the last; return the ns until it is due."""
        step_ns = 0 if time_ns is None else time_ns - self._time_ns
        self._time_ns += step_ns
        wait_ns = self._anchor_ns + self._time_ns - time.monotonic_ns()
        if self._remote and wait_ns < 0:
            self._shift(min(-wait_ns, self._source.waited_ns - self._waited_ns))
        elif self._live and step_ns > _SEGMENT_GAP_NS and wait_ns > 0:
            self._shift(-min(wait_ns, self._behind_ns))
        self._waited_ns = self._source.waited_ns
        return self._anchor_ns + self._time_ns - time.monotonic_ns()

    @property
    def stamp_ns(self) -> int:
        """The stamp of the frame that was read last."""
        return self._origin_ns + self._time_ns

    def _shift(self, later_ns: int) -> None:
        self._anchor_ns, self._origin_ns = self._anchor_ns + later_ns, self._origin_ns + later_ns
        self._behind_ns += later_ns


def _play(
    source: VideoSource, clock: StampClock, ending: threading.Event, after_ns: int, lossless: bool
) -> Iterator[StampedFrame | SkippedFrame]:
    # When a recording is read faster than real time, its stamps run ahead of the clock; the next round begins after the
    # last one, because κ must grow.
    schedule = _Schedule(source, max(clock.now(), after_ns + source.period_ns), lossless=lossless)
    while not ending.is_set():
        if source.index and not lossless and schedule.is_late():
            schedule.follow(source.skip())  # do not even make a picture of it
            yield SkippedFrame("skipped")
            continue
        frame = source.read()
        wait_ns = schedule.follow(frame.time_ns)
        if ending.wait(0 if lossless else max(0, wait_ns) / NS_PER_S):
            return
        yield StampedFrame(frame.image, schedule.stamp_ns, None)


def _capture(source: VideoSource, clock: StampClock, ending: threading.Event) -> Iterator[StampedFrame | SkippedFrame]:
    timeline = LiveTimeline()
    while not ending.is_set():
        frame, arrived_ns = source.read(), boottime_ns()
        captured_ns = arrived_ns if frame.time_ns is None else timeline.capture_ns(frame.time_ns, arrived_ns)
        if captured_ns is None:
            yield SkippedFrame("buffered")
        else:
            yield StampedFrame(frame.image, clock.stamp(captured_ns), arrived_ns)
