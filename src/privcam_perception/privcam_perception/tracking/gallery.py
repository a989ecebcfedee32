"""Stores the appearance descriptors of one track. The gallery lives and ends inside the tracker process."""

from collections import deque

import numpy as np

from privcam_core.types.arrays import Float32Array

# DeepSORT keeps the last 100 descriptors of every track.
BUDGET = 100

Descriptor = Float32Array


class Gallery:
    """The newest descriptors of one person; the oldest one is dropped first."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._descriptors: deque[Descriptor] = deque(maxlen=budget)

    def __len__(self) -> int:
        return len(self._descriptors)

    def add(self, descriptor: Descriptor) -> None:
        """Store one (D,) unit vector."""
        self._descriptors.append(descriptor)

    def distances(self, descriptors: Descriptor) -> Float32Array:
        """Return (M,) smallest cosine distances, in [0, 2], of (M, D) unit vectors to the gallery; 0 if it is empty."""
        if not self._descriptors:
            return np.zeros(len(descriptors), np.float32)
        similarity = np.stack(self._descriptors) @ descriptors.T
        return np.asarray(1 - similarity.max(axis=0), np.float32)
