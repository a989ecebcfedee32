"""The information-bottleneck encoder: computes z of the anonymous frame Ĩ with calibrated noise."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from privcam_core.images.png import require_bgr8
from privcam_core.models.network_time import counted
from privcam_core.models.own_networks import session
from privcam_core.types.arrays import Image
from privcam_core.types.omega import Embedding
from privcam_edge.embedding.bottleneck_weights import WEIGHTS, BottleneckWeights, blank_embedding
from privcam_edge.embedding.quantizer import NoisyQuantizer
from privcam_edge.embedding.shrinking import shrink

# The network counts up to this many subjects; the last class means "this many or more".
MAX_COUNT = 10


class BottleneckEncoder:
    """z = f(Ĩ) = μ(Ĩ) + σ(Ĩ)·ε, ε ~ N(0, I) (Eq. 5); then clipped, noise of the channel added, and rounded to int8.

    It is trained to encode how many subjects are present, where, and whether each is upright, low or lying. Every bit
    costs β in training, so z encodes little else. sigma: standard deviation of the channel's noise; None takes the
    value of the training. seed: None takes the system's entropy. threads: processor cores. Raises WrongWeights.
    """

    def __init__(
        self, sigma: float | None = None, seed: int | None = None, *, weights: Path = WEIGHTS, threads: int = 1
    ) -> None:
        self.weights = BottleneckWeights.read(weights)
        self.encoder_id = self.weights.encoder_id
        self._session = session(weights.parent / self.weights.file, self.weights.sha256, threads=threads)
        self._random = np.random.default_rng(seed)
        sigma = self.weights.sigma if sigma is None else sigma
        # Two streams of noise out of one seed must not be the same one.
        channel = None if seed is None else seed + 1
        self._blank = blank_embedding(sigma, weights)
        self._quantizer = NoisyQuantizer(self.weights.dimensions, self.weights.clip_norm, sigma, channel)

    def encode(self, anonymous: Image) -> Embedding:
        """Return z of one anonymous frame, (H, W, 3) uint8 BGR of any size; it is shrunk where it is not yet."""
        require_bgr8(anonymous, "anonymous frame")
        pictures = shrink(anonymous)[None]
        with counted("bottleneck"):
            mean, log_variance = self._session.run(None, {"pictures": pictures})
        noise = self._random.standard_normal(self.weights.dimensions)
        z = (mean[0] + np.exp(0.5 * log_variance[0]) * noise).astype(np.float32)
        return replace(self._blank, data=self._quantizer.quantize(z))
