"""The information-bottleneck encoder: computes z of the anonymous frame Ĩ with calibrated noise."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from privcam_core.images.png import require_bgr8
from privcam_core.models.own_networks import session
from privcam_core.types.arrays import Image
from privcam_core.types.omega import Embedding
from privcam_edge.embedding.bottleneck_weights import WEIGHTS, BottleneckWeights, blank_embedding
from privcam_edge.embedding.quantizer import NoisyQuantizer

# Input of the network, (height, width) px: a person as high as a tenth of the picture is 24 px.
INPUT = (240, 320)
# The network counts up to this many subjects; the last class means "this many or more".
MAX_COUNT = 10


def shrink(image: Image) -> Image:
    """Return a picture (H, W, 3) uint8 BGR in the input size of the network, (*INPUT, 3)."""
    return np.asarray(cv2.resize(image, INPUT[::-1], interpolation=cv2.INTER_AREA), np.uint8)


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
        """Return z of one anonymous frame, (H, W, 3) uint8 BGR."""
        require_bgr8(anonymous, "anonymous frame")
        mean, log_variance = self._session.run(None, {"pictures": shrink(anonymous)[None]})
        noise = self._random.standard_normal(self.weights.dimensions)
        z = (mean[0] + np.exp(0.5 * log_variance[0]) * noise).astype(np.float32)
        return replace(self._blank, data=self._quantizer.quantize(z))
