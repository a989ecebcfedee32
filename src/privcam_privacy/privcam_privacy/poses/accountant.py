"""The budget of released poses: (ε, δ) of all key postures within a sliding window.

What it covers: the Gaussian noise on the released numbers of a pose (`pose_values`). Two inputs are neighbours when
the poses of one person within the window are replaced by any others, whoever's and doing whatever: ε says how well
the two can be told apart from everything that was published of the poses in the window. The clipped numbers of one key
posture differ by at most `Noise.sensitivity` standard deviations, and a person has at most one key posture at a
moment, so n moments with a key posture compose to one Gaussian mechanism with sqrt(n) times that distance. That is
exact, not an upper bound by moments.

What it does not cover: which keypoints are seen, subject numbers, layers, presence and its times; the steps, which
only take away; and whether somebody is recognised over windows. Somebody whom the tracker follows twice at the same
moment pays twice and is counted once. To hide any movement behind any other takes noise that nothing can be seen
through: at noise through which a fall is seen, ε is huge. It is reported as it is.
"""

from collections import deque
from functools import cache
from math import sqrt

from privcam_core.types.omega import NO_ACCOUNTING
from privcam_privacy.poses.anonymizer import PoseSettings
from privcam_privacy.poses.gaussian_mechanism import epsilon_of_gaussian

DELTA, WINDOW_S = 1e-5, 60.0
_NS = 10**9


class Accountant:
    """Counts the key postures of one camera over a sliding window."""

    def __init__(self, settings: PoseSettings, *, window_s: float = WINDOW_S, delta: float = DELTA) -> None:
        if not window_s > 0:
            raise ValueError(f"window_s: {window_s} is not above 0 s")
        if not 0 < delta < 1:
            raise ValueError(f"delta: {delta} is not in (0, 1); below 1 over the number of people is usual")
        self._sensitivity = settings.noise.sensitivity() if settings.mode == "canonical" else None
        self._window_ns = round(window_s * _NS)
        self._delta = delta
        self._moments: deque[int] = deque()

    def __call__(self, stamp_ns: int, *, released: bool) -> tuple[float, float]:
        """Return (ε, δ) spent within the window that ends now; without accounting (NO_ACCOUNTING, 0).

        stamp_ns: capture time of the frame; when it goes back, what was spent stays spent. released: whether any key
        posture was made of this frame.
        """
        if self._sensitivity is None:
            return NO_ACCOUNTING, 0.0
        if released:
            self._moments.append(stamp_ns)
        while self._moments and stamp_ns - self._moments[0] > self._window_ns:
            self._moments.popleft()
        return epsilon(self._sensitivity, len(self._moments), self._delta), self._delta


@cache
def epsilon(sensitivity: float, count: int, delta: float) -> float:
    """Return ε of `count` Gaussian mechanisms. sensitivity: L2 distance of neighbours in standard deviations."""
    return 0.0 if count == 0 else epsilon_of_gaussian(1.0 / (sensitivity * sqrt(count)), delta)
