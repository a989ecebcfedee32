"""How long the inspection rests, so that all inspections of a camera together take a bounded part of a core.

An inspection takes as much as the rest of the edge in ten frames, and four cameras on two cores would do nothing else.
Longer rests show new background later, and nothing else: what is no longer confirmed is withdrawn without an
inspection.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, thread_time

# Fraction of a core while the picture has much new background ...
LARGE_CHANGE_FRACTION = 0.25
# ... and while it has little, or the same in another light.
SMALL_CHANGE_FRACTION = 0.05


class InspectionRest:
    """Measures what an inspection takes of its thread, and says when the next one may begin.

    wall_s, processor_s: clocks, s; the second one is that of the thread which reads it.
    """

    def __init__(self, wall_s: Callable[[], float] = monotonic, processor_s: Callable[[], float] = thread_time) -> None:
        self._wall_s = wall_s
        self._processor_s = processor_s
        self._taken_s = 0.0
        self._ended_s = wall_s()

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Note what the block takes, also where it fails. It runs in one thread."""
        began_s = self._processor_s()
        try:
            yield
        finally:
            self._taken_s, self._ended_s = self._processor_s() - began_s, self._wall_s()

    def is_over(self, core_fraction: float) -> bool:
        """Return whether the last inspection and the rest since then are at most that fraction of a core."""
        return self._wall_s() - self._ended_s >= self._taken_s * (1.0 / core_fraction - 1.0)
