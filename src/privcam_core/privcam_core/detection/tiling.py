"""Runs a detector on overlapping tiles of a picture, so that small persons and faces are enlarged for the network."""

from collections.abc import Iterable
from hashlib import blake2b
from math import ceil
from typing import Protocol

import numpy as np

from privcam_core.types.arrays import Float32Array, Image, Region
from privcam_core.types.perception import Detections

# Overlap of neighbouring tiles as a fraction of a tile: an object smaller than this lies completely in a tile.
OVERLAP = 0.25


class PictureDetector(Protocol):
    """A detector that gives the same result for the same pixels."""

    def detect(self, image: Image) -> Detections:
        """Return the detections in a (H, W, 3) uint8 BGR picture, boxes in px of that picture."""
        ...


def grid(height: int, width: int, per_side: int, overlap: float = OVERLAP) -> list[Region]:
    """Return per_side · per_side tiles of one size that cover a picture, row by row. overlap: fraction of a tile.

    Raises ValueError for fewer than one tile or an overlap outside of [0, 1).
    """
    if per_side < 1 or not 0.0 <= overlap < 1.0:
        raise ValueError(
            f"tiles: {per_side} per side with overlap {overlap}, needs at least 1 and an overlap in [0, 1)"
        )
    fraction = 1 / (1 + (per_side - 1) * (1 - overlap))
    tall, wide = ceil(height * fraction), ceil(width * fraction)
    rows, columns = _starts(height - tall, per_side), _starts(width - wide, per_side)
    return [(x, y, x + wide, y + tall) for y in rows for x in columns]


def _starts(rest: int, count: int) -> list[int]:
    return [round(rest * step / max(1, count - 1)) for step in range(count)]


class TiledDetector:
    """Runs a detector on tiles of the pictures of one camera, and again only on tiles whose pixels changed."""

    def __init__(self, detector: PictureDetector) -> None:
        self._detector = detector
        self._cache: dict[Region, tuple[bytes, Detections]] = {}

    def detect(self, image: Image, tiles: Iterable[Region]) -> Detections:
        """Return all detections in the tiles of a (H, W, 3) picture, in px of the picture, without suppression."""
        boxes: list[Float32Array] = [np.empty((0, 4), np.float32)]
        scores: list[Float32Array] = [np.empty(0, np.float32)]
        for tile in tiles:
            found = self._detect_in_tile(image, tile)
            boxes.append(found.boxes + np.array([*tile[:2], *tile[:2]], np.float32))
            scores.append(found.scores)
        return Detections(np.concatenate(boxes), np.concatenate(scores))

    def _detect_in_tile(self, image: Image, tile: Region) -> Detections:
        x0, y0, x1, y1 = tile
        part = np.ascontiguousarray(image[y0:y1, x0:x1])
        digest = blake2b(part.data, digest_size=16).digest()
        if self._cache.get(tile, (b"",))[0] != digest:
            self._cache[tile] = (digest, self._detector.detect(part))
        return self._cache[tile][1]
