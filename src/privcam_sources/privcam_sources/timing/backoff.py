"""Waiting times between attempts to reconnect to a camera."""

import time


class Backoff:
    """Waiting times between attempts to reconnect, which double from `first_s` up to `max_s`."""

    def __init__(self, first_s: float = 0.5, max_s: float = 10.0) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._wait_s = first_s
        self._next = 0.0

    def due(self) -> bool:
        """Whether the next attempt may be made now."""
        return time.monotonic() >= self._next

    def failed(self) -> float:
        """Note a failed attempt and return the seconds until the next one."""
        wait = self._wait_s
        self._next = time.monotonic() + wait
        self._wait_s = min(2 * wait, self._max_s)
        return wait

    def succeeded(self) -> None:
        """Start again with `first_s`."""
        self._wait_s = self._first_s
