"""Limits how much of something may pass per time, with a reserve for bursts."""

from collections.abc import Callable
from math import isfinite


class TokenBucket:
    """A reserve of `capacity`, full at the start, that refills with `per_s` per second.

    clock: monotonic seconds. Raises ValueError for numbers that are not positive.
    """

    def __init__(self, capacity: float, per_s: float, clock: Callable[[], float]) -> None:
        for name, value in (("capacity", capacity), ("per_s", per_s)):
            if not (isfinite(value) and value > 0):
                raise ValueError(f"{name}: {value} is not a positive number")
        self.capacity = capacity
        self._per_s = per_s
        self._clock = clock
        self._tokens = capacity
        self._refilled = clock()

    def has(self, cost: float) -> bool:
        """Say whether `cost` may pass now."""
        now = self._clock()
        self._tokens = min(self.capacity, self._tokens + max(0.0, now - self._refilled) * self._per_s)
        self._refilled = now
        return self._tokens >= cost

    def take(self, cost: float) -> None:
        """Take `cost` from the reserve. It may become negative for a cost that could not be refused."""
        self._tokens -= cost
