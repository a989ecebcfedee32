"""Times of frames from the presentation time stamps (PTS) of a video, which have gaps and jumps, or are missing."""

from privcam_core.types.time import NS_PER_S

# Without a duration to compare with, a gap that is longer is no slow camera: the time of the stream was set.
MAX_GAP_S = 600.0
# A PTS that is further behind than so many nominal periods was set anew; one that is less has been passed by guesses.
_MAX_BEHIND_PERIODS = 10
# Where time is ahead of the PTS, it goes on by this part of a period until it is no longer.
_MIN_STEP = 1 / 8


class PresentationTime:
    """Makes of PTS a time that begins at 0 with the first frame and strictly increases.

    period_ns: nominal time between frames, for those without a PTS. max_gap_ns: a PTS that is further ahead of the last
    one, or far behind it, starts a new count that goes on where the old one was. After a repeated or a missing PTS the
    next one holds again: time is no longer than that of the stream. `jumps` counts new counts and repeated PTS,
    `missing` frames without one. guessed: whether the time of the last frame is made of the nominal rate.
    """

    def __init__(self, period_ns: int, max_gap_ns: int = round(MAX_GAP_S * NS_PER_S)) -> None:
        self.jumps = 0
        self.missing = 0
        self.guessed = False
        self.step_ns = period_ns
        self._repeats = 0
        self._period_ns = period_ns
        self._max_gap_ns = max_gap_ns
        # PTS at time 0, and that of the last frame that had one.
        self._zero_pts: int | None = None
        self._last_pts: int | None = None
        self._last_ns: int | None = None

    def follow(self, pts_ns: int | None, *, restarted: bool = False) -> int:
        """Return the time of the next frame in ns, from its PTS in ns; None where it has none.

        restarted: the container says that its times begin anew.
        """
        if self._last_ns is None:
            self._last_ns = 0
            self.guessed = pts_ns is None
            self.missing += self.guessed
            self._zero_pts = self._last_pts = pts_ns
            return 0
        time_ns = self._next(self._last_ns, pts_ns, restarted)
        self._last_pts = pts_ns if pts_ns is not None else self._last_pts
        self.step_ns = time_ns - self._last_ns
        self._last_ns = time_ns
        return time_ns

    def _next(self, last_ns: int, pts_ns: int | None, restarted: bool) -> int:
        nominal_ns, self.guessed = last_ns + self._period_ns, True
        if pts_ns is None:
            self.missing += 1
            return nominal_ns
        if self._zero_pts is None:
            self._zero_pts = pts_ns - nominal_ns
            return nominal_ns
        ahead_ns = pts_ns - self._zero_pts - last_ns
        if restarted or not -_MAX_BEHIND_PERIODS * self._period_ns <= ahead_ns <= self._max_gap_ns:
            self.jumps += 1
            self._zero_pts = pts_ns - nominal_ns
            return nominal_ns
        if ahead_ns > 0:
            self.guessed, self._repeats = False, 0
            return last_ns + ahead_ns
        self.jumps += 1
        if pts_ns != self._last_pts:
            return last_ns + max(1, round(_MIN_STEP * self._period_ns))
        self._repeats += 1
        # Between its neighbours; where the PTS does not change any more, at the nominal rate.
        return nominal_ns if self._repeats > 1 else last_ns + max(1, self._period_ns // 2)
