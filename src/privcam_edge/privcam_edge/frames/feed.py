"""Captures frames from a video source in a thread and puts them into the frame memory, without ROS."""

import threading
import time
from collections import Counter
from typing import Protocol

from privcam_core.types.omega import SyncKey
from privcam_core.types.stamp_clock import StampClock
from privcam_core.types.time import NS_PER_S, boottime_ns
from privcam_edge.frames.frame_store import FrameStore
from privcam_edge.frames.ring import FrameSlot
from privcam_edge.frames.source import Backoff, SourceEnded, Spec, VideoSource

# How often a lossless feed that waits for credit checks whether it has to end.
_CREDIT_POLL_S = 0.2


class Credit:
    """Limits how many frames are in flight, which is on their way through the graph, at once.

    The limit bounds latency and memory: when the graph is slower than the camera, frames are skipped and the newest one
    wins. A frame that is not given back within `timeout_s` (a node was restarted) frees its place.
    """

    def __init__(self, limit: int, timeout_s: float) -> None:
        self._limit = limit
        self._timeout_s = timeout_s
        self._out: dict[int, float] = {}
        self._changed = threading.Condition()

    def acquire(self, frame_id: int, *, wait_s: float = 0.0) -> bool:
        """Take a place for a frame, waiting for at most `wait_s`. Return False if all places are taken."""
        with self._changed:
            deadline = time.monotonic() + wait_s
            while True:
                now = time.monotonic()
                self._out = {k: t for k, t in self._out.items() if now - t < self._timeout_s}
                if len(self._out) < self._limit:
                    self._out[frame_id] = now
                    return True
                if now >= deadline:
                    return False
                self._changed.wait(min(deadline - now, self._timeout_s / 4))

    def drain(self) -> None:
        """Wait until no frame is in flight any more, for at most the timeout."""
        with self._changed:
            self._changed.wait_for(lambda: not self._out, self._timeout_s)

    def release(self, frame_id: int) -> None:
        """Free the place of a frame that left the graph, and the places of all earlier frames."""
        with self._changed:
            self._out = {k: t for k, t in self._out.items() if k > frame_id}
            self._changed.notify_all()


class FrameListener(Protocol):
    """Receives what a feed captures. The methods are called on the capture thread."""

    def publish_frame(self, key: SyncKey, slot: FrameSlot) -> None:
        """Publish one stored frame."""

    def fail(self, text: str) -> None:
        """Report an error of the source."""

    def end(self, code: int) -> None:
        """End the process with this exit code: the source has ended (0) or cannot be read any more (1)."""


class Feed:
    """Reads a video source in a thread, stores its frames and gives them to a listener. clock: gives the stamps of κ.

    lossless False: frames come at the rate of the source; a frame that finds no credit is skipped. lossless True (files
    only): the next frame is read when there is credit, none is skipped; stamps still advance in video time.
    """

    def __init__(
        self,
        spec: Spec,
        store: FrameStore,
        credit: Credit,
        listener: FrameListener,
        clock: StampClock,
        *,
        lossless: bool,
        loop: bool,
        max_rate_hz: float,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.state = "opening"
        self._spec, self._store, self._credit = spec, store, credit
        self._listener, self._clock = listener, clock
        self._lossless, self._loop, self._max_rate_hz = lossless, loop, max_rate_hz
        self._ending = threading.Event()
        # A missing file is an error of the caller and raises here. A missing camera may come back.
        self._source = None if spec.live else VideoSource(spec)
        self._frame_id = 0
        self._stamp_ns = 0
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Start the capture thread."""
        self._thread.start()

    def close(self) -> None:
        """End the capture thread and close the source."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._source is not None:
            self._source.close()

    def _run(self) -> None:
        backoff = Backoff()
        while not self._ending.is_set():
            try:
                if self._source is None:
                    self._source = VideoSource(self._spec)
                    backoff.succeeded()
                self.state = "capturing"
                self._capture(self._source)
            except SourceEnded:
                if not self._loop:
                    self.state = "ended"
                    self._credit.drain()
                    self._listener.end(0)
                    return
                self._reopen()
            except Exception as error:
                # A lost stream, a frame of the wrong kind, a full /dev/shm: none of them may end the thread without a
                # report.
                self._handle_error(error, backoff)

    def _handle_error(self, error: Exception, backoff: Backoff) -> None:
        self.counts["source_errors"] += 1
        if not self._spec.live:
            self.state = f"failed: {error}"
            self._listener.fail(self.state)
            self._ending.set()
            self._credit.drain()
            self._listener.end(1)
            return
        wait = backoff.failed()
        self.state = f"lost: {error}"
        self._listener.fail(f"{error}; next attempt in {wait:g} s")
        self._reopen()
        self._ending.wait(wait)

    def _reopen(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def _capture(self, source: VideoSource) -> None:
        period_s = 1.0 / source.rate_hz
        # The stamps of a file follow its own time, those of a camera the stamp clock. When a file is read faster than
        # real time, its stamps run ahead of the clock; the next round begins after the last one, because κ must grow.
        origin_ns = max(self._clock.now(), self._stamp_ns + int(period_s * NS_PER_S))
        started = time.monotonic()
        next_due = started
        captured_ns: int | None
        while not self._ending.is_set():
            if self._spec.live:
                image = source.read()
                captured_ns = boottime_ns()
                stamp_ns = self._clock.stamp(captured_ns)
            else:
                stamp_ns = origin_ns + int(source.index * period_s * NS_PER_S)
                if not self._lossless:
                    due = started + source.index * period_s
                    if self._ending.wait(max(0.0, due - time.monotonic())):
                        return
                    if time.monotonic() - due > period_s:  # late: do not even decode the frame
                        source.skip()
                        self._frame_id += 1
                        self.counts["skipped"] += 1
                        continue
                image = source.read()
                captured_ns = None  # a frame of a file waits for its place, and its retention begins after that
            self._frame_id += 1
            self._stamp_ns = stamp_ns
            self.counts["captured"] += 1
            now = time.monotonic()
            if not self._lossless and now < next_due - 0.5 * period_s:
                self.counts["over_rate"] += 1
                continue
            if not self._wait_for_credit():
                self.counts["skipped"] += 1
                continue
            if self._max_rate_hz > 0:
                next_due = max(next_due + 1.0 / self._max_rate_hz, now)
            key, slot = self._store.put(image, self._frame_id, stamp_ns, captured_ns)
            self._listener.publish_frame(key, slot)

    def _wait_for_credit(self) -> bool:
        if not self._lossless:
            return self._credit.acquire(self._frame_id)
        while not self._ending.is_set():
            if self._credit.acquire(self._frame_id, wait_s=_CREDIT_POLL_S):
                return True
        return False
