"""Repeats z while the anonymous frame stays the same."""

import numpy as np

from privcam_core.types.arrays import Image
from privcam_core.types.omega import Embedding
from privcam_edge.embedding.encoder import BottleneckEncoder
from privcam_edge.embedding.shrinking import shrink


class StillEncoder:
    """Encodes anonymous frames that differ from the last one, and gives the last z for those that do not.

    In a room without anybody nothing is computed. It tells less, too: of the same frame, no two draws of the noise are
    seen, which somebody could average.
    """

    def __init__(self, encoder: BottleneckEncoder) -> None:
        self._encoder = encoder
        self._frame: Image | None = None
        self._embedding: Embedding | None = None

    def encode(self, anonymous: Image) -> Embedding:
        """Return z of one anonymous frame, (H, W, 3) uint8 BGR."""
        frame = shrink(anonymous)
        if self._embedding is None or self._frame is None or not np.array_equal(frame, self._frame):
            self._frame, self._embedding = frame, self._encoder.encode(frame)
        return self._embedding
