"""Detects people in single frames with tiles of several scales, at a cost that a camera has no time for."""

import hashlib
from pathlib import Path

import numpy as np

from privcam_audit.perception_recording import Recording
from privcam_core.detection.person_detector import PersonDetector, suppress_non_maxima
from privcam_core.types.arrays import BoolArray, Float32Array, Image
from privcam_core.types.perception import Detections

# Frames/s that are searched in tiles; people move little in between.
_TILED_HZ = 5.0
# Tiles per side, and the side of a tile as a fraction of the side of the picture: 4 and 9 tiles beside the whole.
_TILINGS = ((2, 0.6), (3, 0.44))
# Smaller tiles are left out: enlarging them adds nothing that the network could see.
_MIN_TILE_PX = 200
# A box this near (px of the tile) to an inner border of its tile shows a person who is cut off.
_CUT_PX = 3.0
# Boxes below this score are dropped.
_MIN_SCORE = 0.3


def detect_tiled(detector: PersonDetector, image: Image) -> Detections:
    """Return the people in a (H, W, 3) picture, detected in the whole picture and in tiles of it."""
    height, width = image.shape[:2]
    tiles = [(0, 0, width, height)]
    for count, fraction in _TILINGS:
        tall, wide = round(fraction * height), round(fraction * width)
        if min(tall, wide) >= _MIN_TILE_PX:
            places = [step / (count - 1) for step in range(count)]
            corners = [(round(p * (width - wide)), round(q * (height - tall))) for q in places for p in places]
            tiles += [(x, y, x + wide, y + tall) for x, y in corners]
    boxes, scores = [], []
    for x0, y0, x1, y1 in tiles:
        found = detector.detect(np.ascontiguousarray(image[y0:y1, x0:x1]))
        whole = _whole(found.boxes, (x1 - x0, y1 - y0), (x0, y0, width - x1, height - y1))
        boxes.append(found.boxes[whole] + np.array([x0, y0, x0, y0], np.float32))
        scores.append(found.scores[whole])
    return suppress_non_maxima(np.concatenate(boxes), np.concatenate(scores))


def _whole(boxes: Float32Array, size: tuple[int, int], beyond: tuple[int, int, int, int]) -> BoolArray:
    """Return which boxes of a tile of `size` (w, h) it does not cut off.

    beyond: px of the picture to the left of the tile, above, to the right and below.
    """
    inwards = np.column_stack([boxes[:, :2], np.array(size) - boxes[:, 2:]])
    return ~np.asarray(((inwards < _CUT_PX) & (np.array(beyond) > 0)).any(axis=1), np.bool_)


def detect_in_tiles(recording: Recording, cache: Path, threads: int) -> list[Detections]:
    """Return the detections of every frame: those of the edge, and in some frames also those in tiles.

    cache: folder in which the detections in tiles are kept. threads: processor cores.
    """
    last = len(recording) - 1
    tiled_frames = sorted({*range(0, last, max(1, int(recording.rate_hz / _TILED_HZ))), last})
    settings = f"{recording.digest} {_TILINGS} {_MIN_TILE_PX} {_CUT_PX} {_MIN_SCORE} {tiled_frames}"
    kept = cache / f"{recording.name}-tiles-{hashlib.sha256(settings.encode()).hexdigest()[:16]}.npz"
    if not kept.exists():
        detector, wanted = PersonDetector(score=_MIN_SCORE, threads=threads), set(tiled_frames)
        found = [detect_tiled(detector, image) for number, image in enumerate(recording.read()) if number in wanted]
        counts = np.array([len(detections) for detections in found])
        boxes, scores = (np.concatenate([getattr(f, name) for f in found]) for name in ("boxes", "scores"))
        cache.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".part.npz")
        np.savez_compressed(partial, counts=counts, boxes=boxes, scores=scores)
        partial.replace(kept)
    seen = [found.detections.with_min_score(_MIN_SCORE) for found in recording.perceptions]
    with np.load(kept) as arrays:
        cuts = np.cumsum(arrays["counts"])[:-1]
        parts = zip(tiled_frames, np.split(arrays["boxes"], cuts), np.split(arrays["scores"], cuts), strict=True)
        for at, boxes, scores in parts:
            both = np.concatenate([seen[at].boxes, boxes]), np.concatenate([seen[at].scores, scores])
            seen[at] = suppress_non_maxima(*both)
    return seen
