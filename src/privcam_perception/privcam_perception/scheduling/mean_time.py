"""How long a call of a network takes on this machine, of which schedules make less work."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

# Weight of the newest call.
_WEIGHT = 0.2


class MeanTime:
    """A moving mean. seconds: at first as given. measured: False leaves it at that, so that nothing depends on time."""

    def __init__(self, seconds: float, *, measured: bool) -> None:
        self.seconds = seconds
        self._measured = measured

    @contextmanager
    def take(self) -> Iterator[None]:
        """Take the time of the block."""
        started = time.perf_counter()
        yield
        if self._measured:
            self.seconds += _WEIGHT * (time.perf_counter() - started - self.seconds)
