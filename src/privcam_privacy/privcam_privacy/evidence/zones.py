"""Zones of the picture that an operator draws: where nothing may ever be shown, and where people go out.

A zone is a polygon in fractions of the picture, so it holds for every size of picture: (0, 0) is the upper left corner,
(1, 1) the lower right one.
"""

from collections.abc import Sequence
from math import isfinite

import cv2
import numpy as np

from privcam_core.types.arrays import Mask
from privcam_privacy.background.grid import any_to_grid, grid_shape

Polygon = tuple[tuple[float, float], ...]

# OpenCV draws integer coordinates with this many fractional bits.
_SUBPIXEL_BITS = 4
# A smaller zone than this fraction of the picture is a mistake of the units or of a corner.
_MIN_AREA = 1e-4
_EXAMPLE = '"0.1,0.2 0.3,0.2 0.3,0.6 0.1,0.6; 0.7,0 1,0 1,0.3"'


def parse_zones(text: str, name: str) -> tuple[Polygon, ...]:
    """Return the polygons of a text: corners `x,y` with spaces between, and `;` between polygons; "" is none.

    name: of the parameter, for the error. Raises ValueError, which says what is wrong with which polygon.
    """
    return tuple(_polygon(part, f"{name}: polygon {number}") for number, part in enumerate(_parts(text), 1))


def _parts(text: str) -> list[str]:
    return text.split(";") if text.strip() else []


def _polygon(text: str, where: str) -> Polygon:
    corners = text.split()
    if len(corners) < 3:
        raise ValueError(f"{where}: has {len(corners)} corner(s), needs 3 or more, written as {_EXAMPLE}")
    points = []
    for corner in corners:
        try:
            x, y = (float(side) for side in corner.split(","))
        except ValueError:
            raise ValueError(f"{where}: corner {corner!r} is not two numbers with a comma, as in {_EXAMPLE}") from None
        if not (isfinite(x) and isfinite(y) and 0 <= x <= 1 and 0 <= y <= 1):
            raise ValueError(f"{where}: corner {corner!r} is not in the picture; give fractions of it, from 0 to 1")
        points.append((x, y))
    if cv2.contourArea(np.array(points, np.float32)) < _MIN_AREA:
        raise ValueError(f"{where}: {text.strip()!r} has no area; its corners go around the zone in one direction")
    return tuple(points)


def zone_cells(zones: Sequence[Polygon], shape: tuple[int, int]) -> Mask:
    """Return the grid mask of the cells that the zones touch. shape: (H, W) of the picture."""
    drawn = np.zeros(shape, np.uint8)
    for zone in zones:
        corners = np.array(zone, np.float64) * (shape[1], shape[0]) - 0.5
        fixed = np.rint(corners * 2**_SUBPIXEL_BITS).astype(np.int32)
        cv2.fillPoly(drawn, [fixed], 1, shift=_SUBPIXEL_BITS)
    return any_to_grid(drawn > 0) if zones else np.zeros(grid_shape(shape), np.uint8)
