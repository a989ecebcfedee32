"""Back-pressure of a camera: how many of its frames may be on their way through the graph."""

import threading
import time

# A lossless graph: a frame that was read in time may still be joined and drawn after its raw pixels are overwritten.
_GRACE_S = 5.0
# A frame may be in flight for this fraction of the time that its pixels are kept. The last nodes do not need them, but
# one frame can take longer than another; a lossless graph cannot afford that.
_MAX_FRACTION = 0.7
_MAX_FRACTION_LOSSLESS = 0.5


class Credit:
    """Limits how many frames are in flight, which is on their way through the graph, at once.

    The limit bounds latency and memory: when the graph is slower than the camera, frames are skipped and the newest one
    wins. It adapts, from one frame to `limit`: a frame is in flight for so short a time that its pixels are still there
    when a node needs them. So a machine on which three frames at once would all outlive their pixels gets slower, and
    does not deliver nothing. A frame that is not given back within `timeout_s` (a node was restarted) frees its place.

    lossless: begins with one frame. Every frame has to be given back itself; one that is not, in some seconds more than
    `timeout_s`, is in `lost`.
    """

    def __init__(self, limit: int, timeout_s: float, *, lossless: bool = False) -> None:
        self.lost: list[int] = []
        self._max_limit = limit
        self._limit = 1 if lossless else limit
        self._max_s = (_MAX_FRACTION_LOSSLESS if lossless else _MAX_FRACTION) * timeout_s
        self._timeout_s = timeout_s + _GRACE_S if lossless else timeout_s
        self._lossless = lossless
        self._out: dict[int, float] = {}
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """How many frames may be in flight now."""
        return self._limit

    def acquire(self, frame_id: int, *, wait_s: float = 0.0) -> bool:
        """Take a place for a frame, waiting for at most `wait_s`. Return False if all places are taken."""
        with self._changed:
            deadline = time.monotonic() + wait_s
            while True:
                now = self._expire()
                if len(self._out) < self._limit:
                    self._out[frame_id] = now
                    return True
                if now >= deadline:
                    return False
                self._changed.wait(min(deadline - now, self._timeout_s / 4))

    def drain(self) -> None:
        """Wait until no frame is in flight any more, for at most the timeout."""
        with self._changed:
            while self._out:
                self._changed.wait(self._timeout_s / 4)
                self._expire()

    def release(self, frame_id: int) -> None:
        """Free the place of a frame that left the graph, and, unless lossless, the places of all earlier frames."""
        with self._changed:
            self._adapt(self._out.pop(frame_id, None))
            if not self._lossless:
                self._out = {k: t for k, t in self._out.items() if k > frame_id}
            self._changed.notify_all()

    def cancel(self, frame_id: int) -> None:
        """Free the place of a frame that was not sent."""
        with self._changed:
            self._out.pop(frame_id, None)

    def _adapt(self, taken_at: float | None) -> None:
        """Let more or fewer frames into the graph, by how long this one took."""
        if taken_at is None:
            return  # its place was freed, or it never had one
        took_s = time.monotonic() - taken_at
        if took_s > self._max_s:
            self._limit = max(1, self._limit - 1)
        elif took_s * (self._limit + 1) / self._limit < self._max_s:
            # Also if no two nodes can work at once, one frame more keeps within the time.
            self._limit = min(self._max_limit, self._limit + 1)

    def _expire(self) -> float:
        now = time.monotonic()
        expired = [k for k, t in self._out.items() if now - t >= self._timeout_s]
        for frame_id in expired:
            del self._out[frame_id]
        if self._lossless:
            self.lost += expired
        elif expired:
            self._limit = 1
        return now
