"""Joins the parts of one frame by exact equality of κ."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from privcam_core.types.omega import SyncKey
from privcam_core.types.time import NS_PER_S

# No part comes this long after a frame that followed its own, ns: then the camera was started again, after its clock
# was set back.
MAX_LATE_NS = 10 * NS_PER_S


class ExactJoin:
    """Collects one message per topic for the same κ.

    At most `depth` frames wait, and none longer than `timeout_s`; an incomplete frame is dropped as a whole. When a
    frame is complete, all older ones are dropped, so that frames are delivered in order.
    """

    def __init__(self, topics: Sequence[str], *, depth: int = 8, timeout_s: float = 0.5) -> None:
        self._topics = tuple(topics)
        self._depth = depth
        self._timeout_s = timeout_s
        self._waiting: OrderedDict[SyncKey, tuple[float, dict[str, Any]]] = OrderedDict()
        self._last: SyncKey | None = None
        self.dropped = 0
        self.late = 0

    def add(self, topic: str, key: SyncKey, part: Any, now: float) -> tuple[Any, ...] | None:
        """Add one part; return all parts in the order of the topics when the frame is complete.

        now: monotonic seconds. A part older than the last complete frame is late and ignored.
        """
        self.expire(now)
        if self._last is not None and key.camera_id == self._last.camera_id and key.frame_id <= self._last.frame_id:
            stamp_ns, last_ns = key.stamp_ns, self._last.stamp_ns
            restarted = stamp_ns > last_ns or last_ns - stamp_ns > MAX_LATE_NS
            if not restarted:
                self.late += 1
                return None
        _, parts = self._waiting.setdefault(key, (now, {}))
        parts[topic] = part
        if len(parts) < len(self._topics):
            while len(self._waiting) > self._depth:
                self._waiting.popitem(last=False)
                self.dropped += 1
            return None
        self._last = key
        while self._waiting:
            oldest, _ = self._waiting.popitem(last=False)
            if oldest == key:
                break
            self.dropped += 1
        return tuple(parts[topic] for topic in self._topics)

    def expire(self, now: float) -> None:
        """Drop frames that have waited for longer than the timeout. now: monotonic seconds."""
        while self._waiting:
            key, (started, _) = next(iter(self._waiting.items()))
            if now - started <= self._timeout_s:
                return
            del self._waiting[key]
            self.dropped += 1

    def __len__(self) -> int:
        return len(self._waiting)
