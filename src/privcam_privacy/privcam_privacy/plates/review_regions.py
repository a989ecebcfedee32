"""Which parts of a new plate an operator should look at, numbered as on the sheet."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from privcam_privacy.background.exclusion_masks import BoolArray, Mask
from privcam_privacy.plates.plate_records import Reason, Region

# More than this nobody reads. What is left over, the least grave, shares the last number.
MOST_REGIONS = 20
# Parts of one reason closer than this share of the picture's height are one region.
_GAP_SHARE = 0.02
# Smaller than this share of the picture is no region of its own, except where a person was followed or declared none.
_LEAST_SHARE = 0.002
_ALWAYS = (Reason.PERSON, Reason.DECLARED)


@dataclass(frozen=True, eq=False)
class _Part:
    reason: Reason
    mask: BoolArray


def number_regions(
    evidence: Sequence[tuple[Reason, BoolArray]], validity: BoolArray
) -> tuple[npt.NDArray[np.uint8], list[Region]]:
    """Return the labels (H, W), 0 where there is nothing to ask, and the regions by number.

    evidence: masks (H, W), the gravest reason first; a pixel belongs to the first reason that it has.
    validity: (H, W), what the plate shows.
    """
    free = np.ones(validity.shape, np.bool_)
    parts: list[_Part] = []
    for reason, mask in evidence:
        found = [_Part(reason, part) for part in _connected(mask & free)]
        parts += [p for p in _largest_first(found) if reason in _ALWAYS or p.mask.mean() >= _LEAST_SHARE]
        free &= ~mask
    labels = np.zeros(validity.shape, np.uint8)
    for index, part in enumerate(parts):
        labels[part.mask] = min(index + 1, MOST_REGIONS)
    return labels, [describe(number, part.reason, labels, validity) for number, part in _numbered(parts)]


def describe(
    number: int, reason: Reason, labels: npt.NDArray[np.uint8], validity: BoolArray, decision: str = ""
) -> Region:
    """Return what is to be said of the region `number` in `labels`."""
    where = labels == number
    x, y, width, height = cv2.boundingRect(where.astype(np.uint8))
    shown = float(validity[where].mean())
    return Region(number, reason, (x, y, x + width, y + height), float(where.mean()), shown, decision)


def _numbered(parts: Sequence[_Part]) -> list[tuple[int, _Part]]:
    return list(enumerate(parts[:MOST_REGIONS], start=1))


def _largest_first(parts: list[_Part]) -> list[_Part]:
    return sorted(parts, key=lambda part: -np.count_nonzero(part.mask))


def _connected(mask: BoolArray) -> list[BoolArray]:
    gap = max(1, round(_GAP_SHARE * mask.shape[0] / 2))
    joined: Mask = cv2.dilate(mask.view(np.uint8), np.ones((2 * gap + 1, 2 * gap + 1), np.uint8))
    count, numbers = cv2.connectedComponents(joined)
    return [part for number in range(1, count) if (part := (numbers == number) & mask).any()]
