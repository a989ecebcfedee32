"""ε of the Gaussian mechanism, exact (Balle and Wang 2018, Theorem 8).

The library dp_accounting has the same function, and a test compares the two. The library is not used here, because its
import needs 0.9 s of processor time, more than all other steps of the restart of an eraser.
"""

from math import erfc, exp, inf, log, log1p, pi, sqrt

# Below this, erfc still has all of its digits. Above it, the continued fraction is used.
_TAIL = 6.0
# Terms of the continued fraction. It is exact to the last digit.
_TERMS = 60
# Maximum number of bisections: then nothing is left between the ends of the interval.
_BISECTIONS = 200


def epsilon_of_gaussian(sigma: float, delta: float) -> float:
    """Return the smallest ε for which noise of standard deviation `sigma` on sensitivity 1 is (ε, δ)-DP.

    sigma: above 0. delta: in (0, 1).
    """
    wanted = log(delta)
    low, high = 0.0, 1.0
    if _log_delta(sigma, low) <= wanted:
        return 0.0
    while _log_delta(sigma, high) > wanted:
        low, high = high, 10 * high
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        if _log_delta(sigma, middle) > wanted:
            low = middle
        else:
            high = middle
    return high


def _log_delta(sigma: float, epsilon: float) -> float:
    """Return log δ = log(Φ(1/2σ - εσ) - exp(ε) Φ(-1/2σ - εσ)); -inf where both are equal up to rounding."""
    gained = _log_tail(epsilon * sigma - 0.5 / sigma)
    paid = epsilon + _log_tail(epsilon * sigma + 0.5 / sigma)
    return gained + log1p(-exp(paid - gained)) if paid < gained else -inf


def _log_tail(x: float) -> float:
    """Return log P(X > x) of a standard normal X, also where the probability itself is too small for a float."""
    if x < _TAIL:
        return log(0.5 * erfc(x / sqrt(2)))
    # Laplace's continued fraction of Mills' ratio: density / (x + 1/(x + 2/(x + ...))).
    fraction = x
    for term in range(_TERMS, 0, -1):
        fraction = x + term / fraction
    return -0.5 * x * x - 0.5 * log(2 * pi) - log(fraction)
