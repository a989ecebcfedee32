"""The camera's work without ROS: take frames from a source at the right pace and put them into the frame memory."""

import threading
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from privcam_core.types.omega import SyncKey
from privcam_edge.frames import guard
from privcam_edge.frames.ring import FrameRing, FrameSlot, prefix, wipe_leftovers
from privcam_edge.frames.source import Backoff, SourceEnded, Spec, VideoSource

Image = npt.NDArray[np.uint8]


class FrameStore:
    """Gives each captured frame its κ and a slot of the frame memory. Makes a new ring when the frame size grows."""

    def __init__(self, camera_id: str, *, slots: int, retention_s: float) -> None:
        self.camera_id = camera_id
        self._slots = slots
        self._retention_s = retention_s
        self._ring: FrameRing | None = None
        self.wiped_at_start = wipe_leftovers(camera_id)
        self._guard = guard.start(prefix(camera_id))

    def put(self, image: Image, frame_id: int, stamp_ns: int) -> tuple[SyncKey, FrameSlot]:
        """Store one frame, (H, W, 3) uint8 BGR."""
        if self._ring is None or image.nbytes > self._ring.capacity:
            self._close_ring()
            height, width = image.shape[:2]
            self._ring = FrameRing(self.camera_id, height, width, slots=self._slots, retention_s=self._retention_s)
        return SyncKey(self.camera_id, frame_id, stamp_ns), self._ring.write(image)

    def _close_ring(self) -> None:
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def close(self) -> None:
        """Overwrite all frames and end the guard."""
        self._close_ring()
        self._guard.terminate()
        self._guard.wait()


class Credit:
    """How many frames may be on their way through the graph at once.

    Bounds latency and memory, and makes the newest frame win when the graph is slower than the camera. A frame that
    does not come back within `timeout_s` (a node was restarted) gives its place back.
    """

    def __init__(self, limit: int, timeout_s: float) -> None:
        self._limit = limit
        self._timeout_s = timeout_s
        self._out: dict[int, float] = {}
        self._changed = threading.Condition()

    def take(self, frame_id: int, *, wait_s: float = 0.0) -> bool:
        """Take a place for a frame, waiting for at most `wait_s`. False: all places are taken."""
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
        """Wait until no frame is on its way any more, for at most the timeout."""
        with self._changed:
            self._changed.wait_for(lambda: not self._out, self._timeout_s)

    def give_back(self, frame_id: int) -> None:
        """Note that a frame went all the way through, or was dropped; earlier ones are done with it."""
        with self._changed:
            self._out = {k: t for k, t in self._out.items() if k > frame_id}
            self._changed.notify_all()


class Feed:
    """Reads a video source in a thread and hands stored frames to `deliver`.

    pace `realtime`: frames come at the source's own rate; those that find no credit are skipped. pace `graph` (files
    only): the next frame is taken when there is credit, none is skipped; stamps still advance in video time.
    """

    def __init__(
        self,
        spec: Spec,
        store: FrameStore,
        credit: Credit,
        deliver: Callable[[SyncKey, FrameSlot], None],
        report: Callable[[str], None],
        end: Callable[[int], None],
        *,
        pace: str,
        loop: bool,
        max_rate_hz: float,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.state = "opening"
        self._spec, self._store, self._credit = spec, store, credit
        self._deliver, self._report, self._end = deliver, report, end
        self._pace, self._loop, self._max_rate_hz = pace, loop, max_rate_hz
        self._ending = threading.Event()
        # A file that is not there will not be there later: that is an error of the call. A camera may come back.
        self._source = None if spec.live else VideoSource(spec)
        self._frame_id = 0
        self._stamp_ns = 0
        self._thread = threading.Thread(target=self._work, name="capture", daemon=True)

    def start(self) -> None:
        """Begin to capture."""
        self._thread.start()

    def close(self) -> None:
        """End the capture."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._source is not None:
            self._source.close()

    def _work(self) -> None:
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
                    self._end(0)
                    return
                self._reopen()
            except Exception as error:
                # A lost stream, a frame of the wrong kind, a full /dev/shm: none of them may end the thread unseen.
                self._lose(error, backoff)

    def _lose(self, error: Exception, backoff: Backoff) -> None:
        self.counts["source_errors"] += 1
        if not self._spec.live:
            self.state = f"failed: {error}"
            self._report(self.state)
            self._ending.set()
            self._credit.drain()
            self._end(1)
            return
        wait = backoff.failed()
        self.state = f"lost: {error}"
        self._report(f"{error}; next attempt in {wait:g} s")
        self._reopen()
        self._ending.wait(wait)

    def _reopen(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def _capture(self, source: VideoSource) -> None:
        period_s = 1.0 / source.rate_hz
        # A file shows its own time, a camera shows now. Faster than real time, a file's stamps run ahead of the clock:
        # the next round begins behind the last one, because κ must grow.
        origin_ns = max(time.time_ns(), self._stamp_ns + int(period_s * 1e9))
        started = time.monotonic()
        next_due = started
        while not self._ending.is_set():
            if self._spec.live:
                image = source.read()
                stamp_ns = time.time_ns()
            else:
                stamp_ns = origin_ns + int(source.index * period_s * 1e9)
                if self._pace == "realtime":
                    due = started + source.index * period_s
                    if self._ending.wait(max(0.0, due - time.monotonic())):
                        return
                    if time.monotonic() - due > period_s:  # behind: do not even decode what is late already
                        source.skip()
                        self._frame_id += 1
                        self.counts["skipped"] += 1
                        continue
                image = source.read()
            self._frame_id += 1
            self._stamp_ns = stamp_ns
            self.counts["captured"] += 1
            now = time.monotonic()
            if self._pace == "realtime" and now < next_due - 0.5 * period_s:
                self.counts["over_rate"] += 1
                continue
            if not self._wait_for_credit():
                self.counts["skipped"] += 1
                continue
            if self._max_rate_hz > 0:
                next_due = max(next_due + 1.0 / self._max_rate_hz, now)
            self._deliver(*self._store.put(image, self._frame_id, stamp_ns))

    def _wait_for_credit(self) -> bool:
        if self._pace == "realtime":
            return self._credit.take(self._frame_id)
        while not self._ending.is_set():
            if self._credit.take(self._frame_id, wait_s=0.2):
                return True
        return False
