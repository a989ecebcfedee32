"""Limits the size of a reply from an edge, so that live Ω do not wait behind it."""

# The first reply is small, because the quickest one is taken for the delay of the line alone.
MIN_BYTES = 4 * 1024
MAX_BYTES = 512 * 1024
# A reply that keeps the line busy for less than this, in s, may be followed by a larger one.
SHORT_S = 0.15
# A reply that keeps the line busy for more than this, in s, is followed by a smaller one: live Ω wait as long as one
# reply at most.
LONG_S = 0.4


class FlowControl:
    """The size limit of the next reply from one edge: what the line carries in a moment, whatever its delay.

    The time that a reply took beyond the quickest of all replies is the time for which it filled the line. Source: the
    delay as the sign of a full line, as in LEDBAT (RFC 6817).
    """

    def __init__(self) -> None:
        self._quickest_s = float("inf")
        self.max_bytes = MIN_BYTES

    def update(self, seconds: float, size: int) -> None:
        """Take in a reply of `size` bytes that took this long, from the query to its end."""
        self._quickest_s = min(self._quickest_s, seconds)
        filled_s = seconds - self._quickest_s
        if filled_s > LONG_S:
            self.max_bytes = max(self.max_bytes // 2, MIN_BYTES)
        elif filled_s < SHORT_S and size >= self.max_bytes // 2:
            self.max_bytes = min(2 * self.max_bytes, MAX_BYTES)
