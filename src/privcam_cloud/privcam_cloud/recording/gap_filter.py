"""Passes on the items of a numbered stream only while none is missing."""

from typing import Generic, TypeVar

T = TypeVar("T")

# Items that came before the number of the next one is known; the publisher sends older ones again anyway.
MAX_WAITING = 2048


class GapFilter(Generic[T]):
    """Takes numbered items of one publisher, and returns those that follow each other from the number of `begin` on.

    The two ends of a stream start in any order: items that were published before the other end was there, or got lost,
    leave a gap. Behind a gap nothing is returned until `begin` is called again.
    """

    def __init__(self) -> None:
        self._expected: int | None = None
        self._waiting: dict[int, T] = {}

    @property
    def is_open(self) -> bool:
        """Whether the stream has no gap so far."""
        return self._expected is not None

    def begin(self, number: int) -> list[T]:
        """Continue the stream with this number. Return the items from there on that came already."""
        waiting, self._waiting = self._waiting, {}
        self._expected = number
        ready = []
        while self._expected in waiting:
            ready.append(waiting.pop(self._expected))
            self._expected += 1
        return ready

    def add(self, number: int, item: T) -> list[T]:
        """Take the next item that came, and return the items that can be passed on now."""
        if number == self._expected:
            self._expected += 1
            return [item]
        if self._expected is not None and number > self._expected:
            self._expected = None
        # Smaller numbers are kept too: a publisher that was started again counts from 1, and `begin` follows soon.
        self._waiting[number] = item
        while len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        return []
