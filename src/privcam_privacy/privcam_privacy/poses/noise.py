"""The Gaussian noise on the features of a pose, and the sensitivity of the features in units of that noise."""

from dataclasses import dataclass

import numpy as np

from privcam_core.types.arrays import Float64Array
from privcam_privacy.poses.features import MAX_FEATURES, MIN_FEATURES, TOWARDS
from privcam_privacy.poses.standard_body import DIRECTIONS


@dataclass(frozen=True)
class Noise:
    """Standard deviations of the noise on the features.

    directions: as a fraction of the full length. turn: of turn and gaze, whose range is 2. place: as fractions of the
    picture's width and height. size: of the logarithms of the stature and of the box's height and shape.
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
        """Return the (21,) standard deviations in the order of the features."""
        return np.array([self.place] * 2 + [self.size] * 3 + [self.turn] * 2 + [self.directions] * 2 * DIRECTIONS)

    def sensitivity(self) -> float:
        """Return the largest distance (L2) of the features of two poses, each feature in units of its own noise.

        Two directions in the unit disk differ by at most 2; every other feature differs by at most its range.
        """
        ranges = np.append(MAX_FEATURES - MIN_FEATURES, [2.0] * DIRECTIONS)
        sigmas = np.append(self.sigmas()[: TOWARDS.start], [self.directions] * DIRECTIONS)
        return float(np.linalg.norm(ranges / sigmas))
