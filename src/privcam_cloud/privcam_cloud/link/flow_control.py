"""How much to ask an edge for at once, so that what is live does not wait behind it."""

# The first answer is small, since the quickest one is taken for the delay of the line alone.
LEAST_BYTES, MOST_BYTES = 4 * 1024, 512 * 1024
# An answer that keeps the line busy for less than the first of these may be larger, for more than the second must not
# be as large, in s: what is live waits as long as one answer, at most.
SHORT_S, LONG_S = 0.15, 0.4


class Pace:
    """The size of the next answer from one edge: as large as the line carries in a moment, whatever its delay.

    What an answer took beyond the quickest of all answers is the time for which it filled the line. Source: the delay
    as the sign of a full line, as in LEDBAT (RFC 6817).
    """

    def __init__(self) -> None:
        self._quickest_s = float("inf")
        self.most = LEAST_BYTES

    def took(self, seconds: float, size: int) -> None:
        """Take note of an answer of `size` bytes and of how long it took, from the question to its end."""
        self._quickest_s = min(self._quickest_s, seconds)
        filled_s = seconds - self._quickest_s
        if filled_s > LONG_S:
            self.most = max(self.most // 2, LEAST_BYTES)
        elif filled_s < SHORT_S and size >= self.most // 2:
            self.most = min(2 * self.most, MOST_BYTES)
