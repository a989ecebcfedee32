"""Finds the regions of a new plate that an operator has to review, and numbers them as on the sheet."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from privcam_core.types.arrays import BoolArray, Image
from privcam_privacy.background.grid import dilate
from privcam_privacy.plates.plate_records import Reason, Region

# An operator does not read more regions. The remaining ones, the least serious, have the last number together.
MAX_REGIONS = 20
# Parts with one reason that are closer than this fraction of the picture's height are one region.
_GAP_FRACTION = 0.02
# A smaller part, as a fraction of the picture, is no region of its own ...
_MIN_FRACTION = 0.002
# ... except with one of these reasons.
_ALWAYS = (Reason.PERSON, Reason.DECLARED)


@dataclass(frozen=True, eq=False)
class _Part:
    reason: Reason
    mask: BoolArray


def number_regions(evidence: Sequence[tuple[Reason, BoolArray]], confirmed: BoolArray) -> tuple[Image, list[Region]]:
    """Return the labels (H, W), 0 where there is nothing to review, and the regions by number.

    evidence: masks (H, W), the most serious reason first; a pixel belongs to the first reason that it has.
    confirmed: (H, W), the pixels that are in the plate.
    """
    free = np.ones(confirmed.shape, np.bool_)
    parts: list[_Part] = []
    for reason, mask in evidence:
        found = [_Part(reason, part) for part in _components(mask & free)]
        parts += [p for p in _largest_first(found) if reason in _ALWAYS or p.mask.mean() >= _MIN_FRACTION]
        free &= ~mask
    labels = np.zeros(confirmed.shape, np.uint8)
    for index, part in enumerate(parts):
        labels[part.mask] = min(index + 1, MAX_REGIONS)
    numbered = enumerate(parts[:MAX_REGIONS], start=1)
    return labels, [describe_region(number, part.reason, labels, confirmed) for number, part in numbered]


def describe_region(number: int, reason: Reason, labels: Image, confirmed: BoolArray, decision: str = "") -> Region:
    """Return the region `number` of `labels` (H, W), with its measures."""
    where = labels == number
    x, y, width, height = cv2.boundingRect(where.astype(np.uint8))
    box = (x, y, x + width, y + height)
    return Region(number, reason, box, float(where.mean()), float(confirmed[where].mean()), decision)


def _largest_first(parts: list[_Part]) -> list[_Part]:
    return sorted(parts, key=lambda part: -np.count_nonzero(part.mask))


def _components(mask: BoolArray) -> list[BoolArray]:
    """Return the connected components of `mask` (H, W), those with small gaps between them as one."""
    gap = max(1, round(_GAP_FRACTION * mask.shape[0] / 2))
    count, numbers = cv2.connectedComponents(dilate(mask.view(np.uint8), gap))
    return [part for number in range(1, count) if (part := (numbers == number) & mask).any()]
