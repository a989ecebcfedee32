"""Encoders f: from the anonymous frame Ĩ to the vector z."""

from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.images import require_bgr8
from privcam_core.omega import Embedding

FloatArray = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]

INT8_MAX = 127


class Encoder(Protocol):
    """z = f(Ĩ), Eq. 5. An encoder sees the composed anonymous frame and nothing else."""

    encoder_id: str

    def __call__(self, anonymous: Image) -> Embedding:
        """Return z of one anonymous frame, (H, W, 3) uint8 BGR."""
        ...


class NoisyQuantizer:
    """Clips a vector to an L2 norm, adds Gaussian noise and rounds to int8: what is sent is never the vector itself.

    sigma: standard deviation of the noise per coordinate, in units of the value. seed: None takes the system's entropy.
    """

    # Coordinates of a clipped vector beyond this many times their root mean square saturate; for a random projection
    # fewer than 1 in 10 000 do.
    HEADROOM = 4.0

    def __init__(self, dimensions: int, clip_norm: float, sigma: float, seed: int | None = None) -> None:
        self.clip_norm = clip_norm
        self.sigma = sigma
        # Steps finer than the noise would carry nothing but noise, and cost bits.
        self.scale = max(self.HEADROOM * clip_norm / np.sqrt(dimensions) / INT8_MAX, sigma)
        self._random = np.random.default_rng(seed)

    def __call__(self, vector: FloatArray) -> bytes:
        """Return the int8 bytes of one vector (D,)."""
        norm = float(np.linalg.norm(vector))
        clipped = vector * min(1.0, self.clip_norm / max(norm, 1e-12))
        noisy = clipped + self._random.normal(0.0, self.sigma, vector.shape)
        return np.clip(np.rint(noisy / self.scale), -INT8_MAX, INT8_MAX).astype(np.int8).tobytes()


class HogEncoder:
    """Histograms of oriented gradients of the whole frame, through a fixed random projection to 128 dimensions.

    A descriptor that needs no training: it tells layout and postures apart, coarsely.
    """

    encoder_id = "hog128-1"
    DIMENSIONS = 128
    _SIZE = (128, 96)  # w, h px: coarse enough that only layout and posture are left
    _BLOCK, _CELL, _BINS = (32, 32), (16, 16), 9
    _PROJECTION_SEED = 20

    def __init__(self, sigma: float = 0.02, seed: int | None = None) -> None:
        self._hog = cv2.HOGDescriptor(self._SIZE, self._BLOCK, self._CELL, self._CELL, self._BINS)
        size = self._hog.getDescriptorSize()
        cells_a_block = (self._BLOCK[0] // self._CELL[0]) * (self._BLOCK[1] // self._CELL[1])
        blocks = size / (self._BINS * cells_a_block)
        random = np.random.default_rng(self._PROJECTION_SEED)
        # Every block is normalised to 1, so the whole has at most the norm sqrt(blocks); after this scaling about 1.
        spread = 1.0 / np.sqrt(self.DIMENSIONS * blocks)
        self._projection = random.normal(0.0, spread, (self.DIMENSIONS, size)).astype(np.float32)
        self._quantize = NoisyQuantizer(self.DIMENSIONS, clip_norm=1.0, sigma=sigma, seed=seed)

    def __call__(self, anonymous: Image) -> Embedding:
        """Return z of one anonymous frame, (H, W, 3) uint8 BGR."""
        require_bgr8(anonymous, "anonymous frame")
        grey = cv2.cvtColor(cv2.resize(anonymous, self._SIZE, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        vector = self._projection @ self._hog.compute(grey).reshape(-1)
        quantize = self._quantize
        return Embedding(
            encoder_id=self.encoder_id,
            shape=(self.DIMENSIONS,),
            scale=float(np.float32(quantize.scale)),
            data=quantize(vector.astype(np.float32)),
            noise_sigma=quantize.sigma,
            clip_norm=quantize.clip_norm,
        )
