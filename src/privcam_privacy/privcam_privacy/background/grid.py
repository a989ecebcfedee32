"""The grid of the privacy engine: cells of 2x2 pixels, and the operations on grid masks.

The grid has half the height and half the width of the picture, rounded up. A cell is excluded as a whole or not at all.
A grid mask is (h, w) uint8 with the values 0 and 255, because OpenCV combines such masks many times faster than NumPy
combines booleans.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.types.arrays import BoolArray, Box, Float32Array, Float64Array, FloatArray, Image, Mask
from privcam_core.types.boxes import pixel_slices

# Side of a cell, px.
GRID = 2

# Moving parts are joined to bodies in a coarser picture. One of its pixels has this many cells per side.
_COARSE_CELLS = 4
# Parts of one body lie closer together than this fraction of the picture's height. Joined parts are filled as one
# rectangle, because frame differences show only the outline of an even shirt.
_BODY_GAP_FRACTION = 0.1


def grid_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the grid's height and width for a picture of `shape` (H, W)."""
    return -(-shape[0] // GRID), -(-shape[1] // GRID)


def to_grid(picture: Image) -> Image:
    """Return the mean of every cell of a (H, W) or (H, W, 3) uint8 picture. An odd border is repeated first."""
    height, width = picture.shape[:2]
    if height % GRID or width % GRID:
        picture = cv2.copyMakeBorder(picture, 0, height % GRID, 0, width % GRID, cv2.BORDER_REPLICATE)
    half = (picture.shape[1] // GRID, picture.shape[0] // GRID)
    means: Image = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
    return means


def any_to_grid(where: BoolArray) -> Mask:
    """Return the cells in which at least one pixel of `where` (H, W) is set."""
    # The mean of a cell with one set pixel of four is 64.
    return above(to_grid(where.astype(np.uint8) * np.uint8(255)), 0)


def from_grid(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """Return a grid mask as a picture mask of `shape` (H, W)."""
    full = cv2.resize(mask, (mask.shape[1] * GRID, mask.shape[0] * GRID), interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(full[: shape[0], : shape[1]])


def union(first: Mask, *others: Mask) -> Mask:
    """Return the cells that are in at least one of the masks."""
    joined = first
    for other in others:
        joined = cv2.bitwise_or(joined, other)
    return joined


def intersect(first: Mask, second: Mask) -> Mask:
    """Return the cells that are in both masks."""
    common: Mask = cv2.bitwise_and(first, second)
    return common


def complement(mask: Mask) -> Mask:
    """Return the cells that are not in `mask`."""
    others: Mask = cv2.bitwise_not(mask)
    return others


def subtract(first: Mask, second: Mask) -> Mask:
    """Return the cells that are in `first` and not in `second`."""
    return intersect(first, complement(second))


def dilate(mask: Mask, radius: int) -> Mask:
    """Return `mask` dilated by a square of `radius` cells. A square kernel is separable, therefore fast."""
    wider: Mask = cv2.dilate(mask, np.ones((2 * radius + 1, 2 * radius + 1), np.uint8))
    return wider


def above(plane: Image | Float32Array, limit: float | Image) -> Mask:
    """Return where `plane` (h, w) is greater than `limit`, which is a number or another plane (h, w)."""
    where: Mask = cv2.compare(plane, limit, cv2.CMP_GT)
    return where


def fraction(mask: Mask) -> float:
    """Return the fraction of the picture that is in `mask`, in [0, 1]."""
    return float(cv2.countNonZero(mask) / mask.size)


def box_cells(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and columns of a grid of `shape` (h, w) that `box` (px) touches, rounded outwards.

    A box that is not finite touches all cells.
    """
    if not all(map(isfinite, box)):
        # Checked before the sides are ordered: min and max may drop a side that is not a number.
        return slice(0, shape[0]), slice(0, shape[1])
    x0, y0, x1, y1 = (side / GRID for side in box)
    return pixel_slices((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), shape[0], shape[1])


def boxes_cells(boxes: Sequence[Box] | FloatArray, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return x0, y0, x1, y1 of the cells that each of `boxes` (N, 4) touches, (N, 4), the last excluded.

    The same cells as those of `box_cells`, of all boxes at once.
    """
    rows, columns = shape[:2]
    corners: Float64Array = np.array(boxes, np.float64).reshape(-1, 4)
    corners[~np.isfinite(corners).all(axis=1)] = 0, 0, GRID * columns, GRID * rows
    low = np.floor(np.minimum(corners[:, :2], corners[:, 2:]) / GRID)
    high = np.ceil(np.maximum(corners[:, :2], corners[:, 2:]) / GRID)
    cells = np.clip(np.concatenate([low, high], axis=1), 0, np.array((columns, rows) * 2))
    return np.asarray(cells, np.int64)


def fill_boxes(mask: Mask, boxes: Sequence[Box] | FloatArray) -> None:
    """Set the cells that the boxes (px) touch in a grid mask, in place."""
    for x0, y0, x1, y1 in boxes_cells(boxes, mask.shape).tolist():
        mask[y0:y1, x0:x1] = 255


def count_cells(mask: Mask, boxes: Sequence[Box] | FloatArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return how many cells of each box (px) are in `mask`, and how many cells each box has; both (N,).

    The cells of a box are those of `box_cells`. All boxes are counted at once.
    """
    if not len(boxes):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    x0, y0, x1, y1 = boxes_cells(boxes, mask.shape).T
    sums = cv2.integral(cv2.min(mask, 1)).astype(np.int64)
    inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    return inside, (y1 - y0) * (x1 - x0)


@dataclass(frozen=True, eq=False)
class Component:
    """A connected component of a grid mask. x, y: of its first column and row. area: cells. mask: (h, w) of its box."""

    x: int
    y: int
    area: int
    mask: Mask


def components(mask: Mask, min_area: int = 1) -> list[Component]:
    """Return the connected components of a grid mask that have at least `min_area` cells, from top to bottom."""
    x, y, w, h = cv2.boundingRect(mask)
    found = []
    if w:
        # OpenCV numbers components by blocks of two by two cells. An even corner keeps the order of the whole picture.
        x, y, w, h = x & ~1, y & ~1, w + (x & 1), h + (y & 1)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask[y : y + h, x : x + w], connectivity=8)
        for number in range(1, count):
            left, top, width, height, area = stats[number].tolist()
            if area >= min_area:
                same = labels[top : top + height, left : left + width] == number
                found.append(Component(x + left, y + top, area, np.where(same, np.uint8(255), np.uint8(0))))
    return found


def component_boxes(mask: Mask) -> list[Box]:
    """Return the boxes, in px, of the connected components of a grid mask."""
    x, y, w, h = cv2.boundingRect(mask)
    if not w:
        return []
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask[y : y + h, x : x + w], connectivity=8)
    boxes = GRID * (stats[1:count, :4] + (x, y, 0, 0))
    return [(float(x), float(y), float(x + w), float(y + h)) for x, y, w, h in boxes.tolist()]


def scale_mask(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """Return a grid mask in the grid of another size of picture, with a margin of one cell and nothing lost."""
    # In a smaller grid one cell stands for this many, and only one of them is read.
    step = max(-(-old // new) for old, new in zip(mask.shape, shape, strict=True))
    scaled: Mask = cv2.resize(dilate(mask, step - 1), (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
    return dilate(scaled, 1)


def fill_bodies(mask: Mask) -> Mask:
    """Return `mask` with parts near each other joined, and every joined part filled as a rectangle."""
    rows, columns = mask.shape
    height, width = -(-rows // _COARSE_CELLS), -(-columns // _COARSE_CELLS)
    padding = (height * _COARSE_CELLS - rows, width * _COARSE_CELLS - columns)
    padded = cv2.copyMakeBorder(mask, 0, padding[0], 0, padding[1], cv2.BORDER_CONSTANT)
    coarse = above(cv2.resize(padded, (width, height), interpolation=cv2.INTER_AREA), 0)
    gap = max(1, round(_BODY_GAP_FRACTION * height / 2))
    count, _, stats, _ = cv2.connectedComponentsWithStats(dilate(coarse, gap), connectivity=8)
    filled = mask.copy()
    for x, y, w, h, _ in (_COARSE_CELLS * stats[1:count]).tolist():
        filled[y : y + h, x : x + w] = 255
    return filled


def full_blocks(mask: Mask, side: int) -> Mask:
    """Return the blocks of side x side cells of which most cells are in `mask`."""
    rows, columns = mask.shape
    blocks = (-(-columns // side), -(-rows // side))
    padding = (blocks[1] * side - rows, blocks[0] * side - columns)
    padded = cv2.copyMakeBorder(mask, 0, padding[0], 0, padding[1], cv2.BORDER_REPLICATE)
    full = above(cv2.resize(padded, blocks, interpolation=cv2.INTER_AREA), 127)
    cells = cv2.resize(full, (blocks[0] * side, blocks[1] * side), interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(cells[:rows, :columns])
