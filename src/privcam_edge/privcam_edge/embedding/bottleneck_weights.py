"""The description of the encoder, readable without the network: what an embedding of it looks like."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from privcam_core.models.network_description import described
from privcam_core.types.omega import Embedding
from privcam_edge.embedding.quantizer import NoisyQuantizer

WEIGHTS = Path(__file__).parent / "weights" / "ib.json"


@dataclass(frozen=True)
class BottleneckWeights:
    """Description of the network, stored beside the ONNX file.

    file: name of the ONNX file. sha256: of the file, hex. beta: weight of the rate when it was trained. sigma: noise of
    the channel that it was trained with. clip_norm: the L2 norm that z is clipped to. dimensions: of z.
    """

    encoder_id: str
    file: str
    sha256: str
    dimensions: int
    beta: float
    sigma: float
    clip_norm: float

    @classmethod
    def read(cls, path: Path) -> "BottleneckWeights":
        """Read a description. Raises WrongWeights."""
        return described(path, lambda said: cls(**said), "privcam_edge")


def blank_embedding(sigma: float, weights: Path = WEIGHTS) -> Embedding:
    """Return an embedding of the encoder with zeros as values: everything that is the same in every frame.

    sigma: standard deviation of the channel's noise. Raises WrongWeights.
    """
    described_as = BottleneckWeights.read(weights)
    quantizer = NoisyQuantizer(described_as.dimensions, described_as.clip_norm, sigma)
    return Embedding(
        encoder_id=described_as.encoder_id,
        shape=(described_as.dimensions,),
        scale=float(np.float32(quantizer.scale)),
        data=bytes(described_as.dimensions),
        noise_sigma=quantizer.sigma,
        clip_norm=quantizer.clip_norm,
    )
