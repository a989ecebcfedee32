"""Quantizes a vector with noise: clips it, adds Gaussian noise and rounds it to int8."""

import numpy as np

from privcam_core.types.arrays import Float32Array

INT8_MAX = 127


class NoisyQuantizer:
    """Clips a vector to an L2 norm, adds Gaussian noise and rounds it to int8, so that no exact vector leaves.

    sigma: standard deviation of the noise per coordinate, in units of the value. seed: None takes the system's entropy.
    """

    # Coordinates of a clipped vector beyond this many times their root mean square saturate; of Gaussian ones fewer
    # than 1 in 10 000 do.
    HEADROOM = 4.0

    def __init__(self, dimensions: int, clip_norm: float, sigma: float, seed: int | None = None) -> None:
        self.clip_norm = clip_norm
        self.sigma = sigma
        # Steps finer than the noise would only encode noise, and cost bits.
        self.scale = max(self.HEADROOM * clip_norm / np.sqrt(dimensions) / INT8_MAX, sigma)
        self._random = np.random.default_rng(seed)

    def quantize(self, vector: Float32Array) -> bytes:
        """Return the int8 bytes of one vector (D,)."""
        norm = float(np.linalg.norm(vector))
        clipped = vector * min(1.0, self.clip_norm / max(norm, 1e-12))
        noisy = clipped + self._random.normal(0.0, self.sigma, vector.shape)
        rounded = np.clip(np.rint(noisy / self.scale), -INT8_MAX, INT8_MAX)
        return bytes(rounded.astype(np.int8).tobytes())
