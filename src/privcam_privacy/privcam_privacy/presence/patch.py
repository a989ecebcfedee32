"""A part of the grid: a rectangle of cells, and which of them are set. Presences are small, so these are cheap."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from privcam_core.types.arrays import Box, Mask
from privcam_privacy.background.grid import GRID


@dataclass(frozen=True, eq=False)
class Patch:
    """Cells of the grid. y, x: first row and column of the rectangle. mask: (h, w), grid mask of the rectangle.

    All cells outside of the rectangle are not set. The rectangle may be empty. No method changes a patch.
    """

    y: int
    x: int
    mask: Mask

    @classmethod
    def nothing(cls) -> "Patch":
        """Return no cells."""
        return cls(0, 0, np.zeros((0, 0), np.uint8))

    @classmethod
    def rectangle(cls, cells: tuple[slice, slice]) -> "Patch":
        """Return all cells in these rows and columns."""
        rows, columns = cells
        size = max(0, rows.stop - rows.start), max(0, columns.stop - columns.start)
        return cls(rows.start, columns.start, np.full(size, 255, np.uint8))

    @classmethod
    def join(cls, patches: Iterable["Patch"]) -> "Patch":
        """Return the cells that are in at least one of the patches."""
        parts = [patch for patch in patches if patch.mask.size]
        if not parts:
            return cls.nothing()
        y, x = min(part.y for part in parts), min(part.x for part in parts)
        height = max(part.y + part.mask.shape[0] for part in parts) - y
        width = max(part.x + part.mask.shape[1] for part in parts) - x
        joined = cls(y, x, np.zeros((height, width), np.uint8))
        for part in parts:
            rows, columns = part.cells
            joined.mask[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x] |= part.mask
        return joined

    @property
    def cells(self) -> tuple[slice, slice]:
        """The rows and columns of the rectangle."""
        height, width = self.mask.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)

    @property
    def area(self) -> int:
        """The number of cells that are set."""
        return int(cv2.countNonZero(self.mask)) if self.mask.size else 0

    @property
    def box(self) -> Box:
        """The smallest box around the cells that are set, px. Some have to be set."""
        x, y, w, h = cv2.boundingRect(self.mask)
        left, top = GRID * (self.x + x), GRID * (self.y + y)
        return float(left), float(top), float(left + GRID * w), float(top + GRID * h)

    def contains(self, row: int, column: int) -> bool:
        """Return whether this cell is set."""
        y, x = row - self.y, column - self.x
        height, width = self.mask.shape
        return 0 <= y < height and 0 <= x < width and bool(self.mask[y, x])

    def overlaps(self, other: "Patch") -> bool:
        """Return whether a cell is in both patches."""
        mine, others = self._common(other)
        return bool((mine & others).any())

    def meets(self, mask: Mask) -> bool:
        """Return whether one of the cells is in a grid mask of the whole picture."""
        return bool((self.mask & mask[self.cells]).any())

    def within(self, mask: Mask) -> "Patch":
        """Return the cells that are in a grid mask of the whole picture."""
        return self.with_mask(self.mask & mask[self.cells])

    def without(self, mask: Mask) -> "Patch":
        """Return the cells that are not in a grid mask of the whole picture."""
        return self.with_mask(self.mask & ~mask[self.cells])

    def minus(self, other: "Patch") -> "Patch":
        """Return the cells that are not in `other`."""
        if not self._common(other)[0].size:
            return self
        left = Patch(self.y, self.x, self.mask.copy())
        mine, others = left._common(other)
        mine &= ~others
        return left.with_mask(left.mask)

    def with_mask(self, mask: Mask) -> "Patch":
        """Return the same rectangle with other cells set, without the empty rows and columns around them."""
        if not mask.size:
            return self
        x, y, w, h = cv2.boundingRect(mask)
        return Patch(self.y + y, self.x + x, mask[y : y + h, x : x + w])

    def dilate(self, radius: int, grid: tuple[int, int]) -> "Patch":
        """Return the cells that are at most `radius` rows and columns away. grid: (h, w) of the whole picture."""
        if not self.mask.size:
            return self
        top, left = min(radius, self.y), min(radius, self.x)
        height, width = self.mask.shape
        below, right = (min(radius, grid[0] - self.y - height), min(radius, grid[1] - self.x - width))
        wide = cv2.copyMakeBorder(self.mask, top, below, left, right, cv2.BORDER_CONSTANT)
        return Patch(self.y - top, self.x - left, cv2.dilate(wide, np.ones((2 * radius + 1,) * 2, np.uint8)))

    def paint(self, mask: Mask) -> None:
        """Set the cells in a grid mask of the whole picture, in place."""
        mask[self.cells] |= self.mask

    def _common(self, other: "Patch") -> tuple[Mask, Mask]:
        """Return views of both masks on the rectangle that they share."""
        height, width = self.mask.shape
        rows, columns = other.mask.shape
        top, left = max(self.y, other.y), max(self.x, other.x)
        below, right = min(self.y + height, other.y + rows), min(self.x + width, other.x + columns)
        if below <= top or right <= left:
            return _NOTHING, _NOTHING
        mine = self.mask[top - self.y : below - self.y, left - self.x : right - self.x]
        return mine, other.mask[top - other.y : below - other.y, left - other.x : right - other.x]


_NOTHING: Mask = np.zeros((0, 0), np.uint8)
