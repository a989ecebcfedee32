"""The privacy budget of published poses: (ε, δ) of all keyframes within a sliding window.

The budget covers the Gaussian noise on the features of a pose. Two inputs are neighbours when the poses of one person
within the window are replaced by any other poses. ε bounds how well the two inputs can be distinguished by everything
that was published of the poses in the window. The clipped features of one keyframe differ by at most
`Noise.sensitivity` standard deviations, and a person has at most one keyframe at a time. So n times with a keyframe
compose to one Gaussian mechanism with sqrt(n) times that distance. This is exact, not an upper bound by moments.

The budget does not cover: which keypoints are seen, subject numbers, layers, presence and its times; the quantizer,
which only removes information; and recognition over several windows. A person whom the tracker follows twice at the
same time spends twice and is counted once. Only noise that hides everything can hide any movement behind any other: at
noise through which a fall is seen, ε is huge. It is reported as it is.
"""

from collections import deque
from functools import cache
from math import sqrt

from privcam_anonymization.anonymizer import PoseSettings
from privcam_anonymization.gaussian_mechanism import epsilon_of_gaussian
from privcam_core.types.omega import NO_ACCOUNTING
from privcam_core.types.time import ns_from_seconds

# Probability with which ε may be exceeded.
DELTA = 1e-5
# Length of the sliding window, s.
WINDOW_S = 60.0


class Accountant:
    """Counts the keyframes of one camera over a sliding window."""

    def __init__(self, settings: PoseSettings, *, window_s: float = WINDOW_S, delta: float = DELTA) -> None:
        if not window_s > 0:
            raise ValueError(f"window_s: {window_s} is not above 0 s")
        if not 0 < delta < 1:
            raise ValueError(f"delta: {delta} is not in (0, 1); below 1 over the number of people is usual")
        self._sensitivity = settings.noise.sensitivity() if settings.mode == "canonical" else None
        self._window_ns = ns_from_seconds(window_s)
        self._delta = delta
        self._stamps_ns: deque[int] = deque()

    def spend(self, stamp_ns: int, *, released: bool) -> tuple[float, float]:
        """Return (ε, δ) spent within the window that ends now; without accounting (NO_ACCOUNTING, 0).

        stamp_ns: capture time of the frame; when it goes back, the budget that was spent stays spent. released: whether
        any keyframe was made of this frame.
        """
        if self._sensitivity is None:
            return NO_ACCOUNTING, 0.0
        if released:
            self._stamps_ns.append(stamp_ns)
        while self._stamps_ns and stamp_ns - self._stamps_ns[0] > self._window_ns:
            self._stamps_ns.popleft()
        return epsilon(self._sensitivity, len(self._stamps_ns), self._delta), self._delta


@cache
def epsilon(sensitivity: float, count: int, delta: float) -> float:
    """Return ε of `count` Gaussian mechanisms. sensitivity: L2 distance of neighbours in standard deviations."""
    return 0.0 if count == 0 else epsilon_of_gaussian(1.0 / (sensitivity * sqrt(count)), delta)
