"""The Gaussian noise on the features of a pose, and the sensitivity of the features in units of that noise."""

from dataclasses import dataclass

import numpy as np

from privcam_anonymization.discrete_gaussian import SIGMA_STEPS, draw_steps
from privcam_anonymization.features import MAX_FEATURES, MIN_FEATURES, TOWARDS
from privcam_anonymization.random_source import RandomBytes
from privcam_anonymization.standard_body import DIRECTIONS
from privcam_core.types.arrays import Float64Array


@dataclass(frozen=True)
class Noise:
    """Standard deviations of the noise on the features.

    directions: as a fraction of the full length. turn: of turn and gaze, whose range is 2. place: as fractions of the
    picture's width and height. size: of the logarithms of the box's height and shape.
    """

    directions: float = 0.05
    turn: float = 0.1
    place: float = 0.004
    size: float = 0.03

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value <= 10:
                raise ValueError(f"noise.{name}: {value} is not in (0, 10]; without noise there is no budget to state")

    def sigmas(self) -> Float64Array:
        """Return the (20,) standard deviations in the order of the features."""
        return np.array([self.place] * 2 + [self.size] * 2 + [self.turn] * 2 + [self.directions] * 2 * DIRECTIONS)

    def add_noise(self, features: Float64Array, random_bytes: RandomBytes) -> Float64Array:
        """Return the (20,) clipped features with noise: each a whole number of grid steps, whatever came in."""
        steps = self.sigmas() / SIGMA_STEPS
        whole = np.rint(features / steps).astype(np.int64) + draw_steps(features.size, random_bytes)
        return np.asarray(whole * steps)

    def sensitivity(self) -> float:
        """Return the largest distance (L2) of the features of two poses, each feature in units of its own noise.

        Two directions in the unit disk differ by at most 2; every other feature differs by at most its range. Rounding
        to the grid of the noise adds at most one step to each number of a difference.
        """
        ranges = np.append(MAX_FEATURES - MIN_FEATURES, [2.0] * DIRECTIONS)
        sigmas = np.append(self.sigmas()[: TOWARDS.start], [self.directions] * DIRECTIONS)
        rounding = np.append(np.ones(TOWARDS.start), np.full(DIRECTIONS, np.sqrt(2.0))) / SIGMA_STEPS
        return float(np.linalg.norm(ranges / sigmas + rounding))
