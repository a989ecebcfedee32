"""The time from one frame to the next, for what is counted in seconds of sight."""

# Time between two frames counts at most this much, s: what happens in a gap is not known.
MAX_STEP_S = 0.5


class FrameTime:
    """The clock of one camera. Times are camera time in s."""

    def __init__(self) -> None:
        self._seconds: float | None = None

    def advance(self, seconds: float) -> float:
        """Return how much time counts since the frame before, s; 0 for the first one."""
        step_s = 0.0 if self._seconds is None else min(MAX_STEP_S, seconds - self._seconds)
        self._seconds = seconds
        return step_s
