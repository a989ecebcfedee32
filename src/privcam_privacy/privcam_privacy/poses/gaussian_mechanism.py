"""ε of the Gaussian mechanism, exact (Balle and Wang 2018, Theorem 8).

The library dp_accounting has the same, and a test holds this against it. It is not used here because its import takes
the CPU for 0.9 s, more than everything else in the start of an eraser that was killed.
"""

from math import erfc, exp, inf, log, log1p, pi, sqrt

# Below this erfc still has all of its digits; above it the continued fraction is exact to the last digit after so many.
_TAIL, _TERMS = 6.0, 60
# Halvings of a bracket until nothing is left between its ends.
_HALVINGS = 200


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
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        if _log_delta(sigma, middle) > wanted:
            low = middle
        else:
            high = middle
    return high


def _log_delta(sigma: float, epsilon: float) -> float:
    """Return log δ = log(Φ(1/2σ - εσ) - exp(ε) Φ(-1/2σ - εσ)); -inf where both are the same but for rounding."""
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
