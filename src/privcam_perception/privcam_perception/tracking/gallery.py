"""Stores the appearance descriptors of one track. The gallery lives and ends inside the tracker process."""

import numpy as np

from privcam_core.types.arrays import Float32Array

# DeepSORT keeps the last 100 descriptors of every track.
BUDGET = 100

Descriptor = Float32Array


class Gallery:
    """The newest descriptors of one person; the oldest one is dropped first."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        # One array, so that nothing is copied to compare: the row of the oldest one is written next.
        self._descriptors: Descriptor = np.zeros((0, 0), np.float32)
        self._added = 0

    def __len__(self) -> int:
        return min(self._added, self._budget)

    def add(self, descriptor: Descriptor) -> None:
        """Store one (D,) unit vector."""
        if not self._added:
            self._descriptors = np.zeros((self._budget, len(descriptor)), np.float32)
        self._descriptors[self._added % self._budget] = descriptor
        self._added += 1

    def distances(self, descriptors: Descriptor) -> Float32Array:
        """Return (M,) smallest cosine distances, in [0, 2], of (M, D) unit vectors to the gallery; 0 if it is empty."""
        if not self._added:
            return np.zeros(len(descriptors), np.float32)
        similarity = self._descriptors[: len(self)] @ descriptors.T
        return np.asarray(1 - similarity.max(axis=0), np.float32)
