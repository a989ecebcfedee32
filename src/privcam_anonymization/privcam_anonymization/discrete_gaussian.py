"""Draws Gaussian noise on a grid of whole numbers, from random bytes.

Noise in floating point has gaps that depend on the value that it is added to, and so the sum can tell that value
(Mironov 2012). Here value and noise are whole numbers of grid steps and their sum is exact, so every sum can come from
every value within reach of the noise.
"""

from functools import cache
from math import exp

import numpy as np
import numpy.typing as npt

from privcam_anonymization.random_source import RandomBytes

# Standard deviation of the noise in grid steps. A discrete Gaussian this wide has the (ε, δ) of the continuous one up
# to a factor of 1 ± exp(-2 π² · 1024²) (Canonne, Kamath and Steinke 2020), and rounding a value to the grid adds at
# most 1/1024 standard deviation to its sensitivity.
SIGMA_STEPS = 1024
# Beyond this many standard deviations the probability is below 2^-64, the resolution of one draw.
_REACH = 9
# A draw is uniform on this many values.
_DRAWS = 2**64
# Scale of the weights before they are summed exactly.
_WEIGHT_SCALE = 2**80


@cache
def _cumulative() -> npt.NDArray[np.uint64]:
    """Return the (2 R,) borders of the draws that give -R, ..., R - 1 grid steps or fewer; R is the reach in steps.

    The weights are summed as whole numbers, so a border is wrong by no more than the relative error of `exp`: the
    distribution differs from the discrete Gaussian by less than 2^-50 in total variation.
    """
    reach = _REACH * SIGMA_STEPS
    weights = [int(exp(-0.5 * (step / SIGMA_STEPS) ** 2) * _WEIGHT_SCALE) for step in range(-reach, reach + 1)]
    total, below, borders = sum(weights), 0, []
    for weight in weights[:-1]:
        below += weight
        borders.append(below * _DRAWS // total)
    return np.array(borders, np.uint64)


def draw_steps(count: int, random_bytes: RandomBytes) -> npt.NDArray[np.int64]:
    """Return (count,) independent draws with a standard deviation of SIGMA_STEPS, each a whole number of grid steps."""
    draws = np.frombuffer(random_bytes(8 * count), np.uint64)
    return np.searchsorted(_cumulative(), draws, side="right") - _REACH * SIGMA_STEPS
