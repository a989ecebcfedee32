"""Computes the true background of a clip: the environment where and when nobody is labelled."""

from collections.abc import Sequence

import numpy as np

from privcam_audit.leakage.person_labels import Labels
from privcam_audit.perception_recording import Recording
from privcam_core.types.arrays import BoolArray, Image

# The true background is the median of so many frames, where at least so many of them show it.
_SAMPLES, _MIN_SAMPLES = 40, 5
_ROWS = 32


def background(recording: Recording, labels: Labels) -> tuple[Image, BoolArray]:
    """Return the true background (H, W, 3), and where it is known (H, W): enough frames show nobody there."""
    empty = [number for number in range(len(recording)) if labels.empty(number)]
    # Half of them from all over the clip, half from when the room is empty: people may stand in one place otherwise.
    chosen = _spread(range(len(recording)), _SAMPLES // 2) | _spread(empty, _SAMPLES // 2)
    pictures = np.stack([image for number, image in enumerate(recording.read()) if number in chosen])
    free = np.stack([~labels.mask(number, recording.shape) for number in sorted(chosen)])
    count = free.sum(axis=0)
    truth = np.zeros((*recording.shape, 3), np.uint8)
    for top in range(0, recording.shape[0], _ROWS):
        rows = slice(top, top + _ROWS)
        # What is not free is moved to the end, and the middle of the rest is taken.
        values = np.where(free[:, rows, :, None], pictures[:, rows].astype(np.int16), 256)
        values.sort(axis=0)
        middle = np.maximum(count[rows] - 1, 0) // 2
        truth[rows] = np.minimum(np.take_along_axis(values, middle[None, :, :, None], axis=0)[0], 255)
    return truth, count >= min(_MIN_SAMPLES, len(chosen))


def _spread(numbers: Sequence[int], limit: int) -> set[int]:
    """Return up to `limit` of the numbers, evenly spread."""
    places = np.linspace(0, len(numbers) - 1, min(limit, len(numbers))).round().astype(int).tolist()
    return {numbers[place] for place in places}
