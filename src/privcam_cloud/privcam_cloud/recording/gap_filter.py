"""Lets through a stream only where it goes on without a gap behind what was recorded."""

from typing import Generic, TypeVar

T = TypeVar("T")

# What came before it is known where the stream goes on; older ones are sent again anyway.
HELD = 2048


class Continuity(Generic[T]):
    """Takes numbered items of one publisher; hands on those that follow each other from the number given to `begin`.

    Both ends of a stream find each other in any order: what was published before the one, or missed by it, leaves a
    gap. Then nothing more is handed on until `begin` is called again.
    """

    def __init__(self) -> None:
        self._expected: int | None = None
        self._held: dict[int, T] = {}

    @property
    def open(self) -> bool:
        """Whether the stream is without a gap so far."""
        return self._expected is not None

    def begin(self, number: int) -> list[T]:
        """The stream goes on with this number. Return what came already."""
        held, self._held = self._held, {}
        self._expected = number
        ready = []
        while self._expected in held:
            ready.append(held.pop(self._expected))
            self._expected += 1
        return ready

    def take(self, number: int, item: T) -> list[T]:
        """Take the next item that came, and return what can be handed on now."""
        if number == self._expected:
            self._expected += 1
            return [item]
        if self._expected is not None and number > self._expected:
            self._expected = None
        # Also a smaller one: a publisher that was started again counts from 1, and says so in a moment.
        self._held[number] = item
        while len(self._held) > HELD:
            del self._held[next(iter(self._held))]
        return []
