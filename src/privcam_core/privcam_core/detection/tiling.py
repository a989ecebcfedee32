"""Looking at a picture in parts, so that a detector with a small input sees what is small in the picture enlarged."""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from math import ceil

import numpy as np

from privcam_core.types.arrays import Float32Array, Image
from privcam_core.types.perception import Detections

# x0, y0, x1, y1 in whole px.
Region = tuple[int, int, int, int]

# Neighbours share this part of a tile: what is smaller than that lies whole in at least one of them.
OVERLAP = 0.25


def grid(height: int, width: int, per_side: int, overlap: float = OVERLAP) -> list[Region]:
    """Return per_side · per_side tiles of one size that cover a picture, row by row. overlap: share of a tile.

    Raises ValueError for fewer than one tile or an overlap outside of [0, 1).
    """
    if per_side < 1 or not 0.0 <= overlap < 1.0:
        raise ValueError(
            f"tiles: {per_side} per side with overlap {overlap}, needs at least 1 and an overlap in [0, 1)"
        )
    share = 1 / (1 + (per_side - 1) * (1 - overlap))
    tall, wide = ceil(height * share), ceil(width * share)
    rows, columns = _starts(height - tall, per_side), _starts(width - wide, per_side)
    return [(x, y, x + wide, y + tall) for y in rows for x in columns]


def _starts(rest: int, count: int) -> list[int]:
    return [round(rest * step / max(1, count - 1)) for step in range(count)]


class TileSearch:
    """Runs a detector on tiles of the pictures of one camera. A tile that did not change is not searched again."""

    def __init__(self, detect: Callable[[Image], Detections]) -> None:
        """detect: takes a (H, W, 3) uint8 BGR picture, always with the same result for the same bytes."""
        self._detect = detect
        self._known: dict[Region, tuple[bytes, Detections]] = {}

    def __call__(self, image: Image, tiles: Iterable[Region]) -> Detections:
        """Return all that is found in the tiles of a (H, W, 3) picture, in px of the picture, unmerged."""
        boxes: list[Float32Array] = [np.empty((0, 4), np.float32)]
        scores: list[Float32Array] = [np.empty(0, np.float32)]
        for tile in tiles:
            found = self._search(image, tile)
            boxes.append(found.boxes + np.array([*tile[:2], *tile[:2]], np.float32))
            scores.append(found.scores)
        return Detections(np.concatenate(boxes), np.concatenate(scores))

    def _search(self, image: Image, tile: Region) -> Detections:
        x0, y0, x1, y1 = tile
        part = np.ascontiguousarray(image[y0:y1, x0:x1])
        digest = blake2b(part.data, digest_size=16).digest()
        if self._known.get(tile, (b"",))[0] != digest:
            self._known[tile] = (digest, self._detect(part))
        return self._known[tile][1]
