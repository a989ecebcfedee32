"""Counts the pictures that a driver made and that did not come, by the distances of their stamps."""

from collections import deque
from statistics import median

# The usual distance is the median of this many.
_WINDOW = 31
# A later distance is one of a pause, or of a clock that was set, and no loss.
_MAX_MISSING = 30


class StampGaps:
    """Looks at the stamps of a driver, in order. `missing` counts the pictures between them.

    The middleware does not report a reliable picture that its publisher gave up before it was received whole. Below
    a third of losses the median distance is that of the driver; above it too few are counted.
    """

    def __init__(self) -> None:
        self.missing = 0
        self._last_ns = 0
        self._distances: deque[int] = deque(maxlen=_WINDOW)

    def note(self, stamp_ns: int) -> None:
        """Take the stamp of the next picture, ns; 0 for none."""
        distance, self._last_ns = stamp_ns - self._last_ns, stamp_ns
        if distance <= 0 or distance == stamp_ns:
            return
        if len(self._distances) == _WINDOW:
            missing = round(distance / median(self._distances)) - 1
            self.missing += missing if missing <= _MAX_MISSING else 0
        self._distances.append(distance)
