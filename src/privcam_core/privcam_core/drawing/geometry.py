"""Plane geometry of drawing: convex solids with an outline, and vectors. Picture pixels, origin top left, v down."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import cos, hypot, pi, sin

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.types.arrays import Box, Float32Array, Float64Array
from privcam_core.types.boxes import pixel_slices

Points = Float32Array
Polygon = npt.NDArray[np.int32]
Vector = Float64Array

# OpenCV draws at sub-pixel positions when coordinates are integers with this many fractional bits.
SUBPIXEL_BITS = 4

_CIRCLE_POINTS = 20
_ELLIPSE_POINTS = 40


def _unit_circle(count: int) -> Vector:
    angles = np.arange(count) * (2 * pi / count)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


_NO_CIRCLES = np.empty((0, 3))
_CIRCLE, _ELLIPSE = _unit_circle(_CIRCLE_POINTS), _unit_circle(_ELLIPSE_POINTS)
# Smallest radius of a solid in px: a distant person must cover pixels.
_MIN_RADIUS_PX = 0.5


@dataclass(frozen=True, eq=False)
class Hull:
    """The convex hull of circles: two of them are a tapered capsule. circles: (K, 3) of u, v and radius in px."""

    circles: Vector

    def outline(self, grow: float = 0.0) -> Points:
        """Return the (N, 2) convex outline in px of the solid grown by `grow` px on all sides."""
        return _hull(_rims(self.circles, grow))

    def scaled(self, scale: float) -> "Hull":
        """Return the solid in a picture with `scale` times finer pixels."""
        return Hull(self.circles * scale)


@dataclass(frozen=True, eq=False)
class Ellipse:
    """An ellipse. centre: (2,) px. axes: half axes across and along in px. angle: of "along" from upright, rad."""

    centre: Vector
    axes: tuple[float, float]
    angle: float

    def outline(self, grow: float = 0.0) -> Points:
        """Return the (N, 2) convex outline in px of the ellipse grown by `grow` px on all sides."""
        axes = np.maximum(np.asarray(self.axes) + grow, _MIN_RADIUS_PX)
        turn = np.array([[cos(self.angle), sin(self.angle)], [-sin(self.angle), cos(self.angle)]])
        return np.asarray(self.centre + (_ELLIPSE * axes) @ turn, np.float32)

    def scaled(self, scale: float) -> "Ellipse":
        """Return the ellipse in a picture with `scale` times finer pixels."""
        return Ellipse(self.centre * scale, (self.axes[0] * scale, self.axes[1] * scale), self.angle)


def outlines(shapes: Sequence[Hull | Ellipse], grow: float = 0.0) -> list[Points]:
    """Return `outline(grow)` of each solid; all circles of all hulls are computed together, which is faster."""
    circles = [shape.circles if isinstance(shape, Hull) else _NO_CIRCLES for shape in shapes]
    rims = _rims(np.concatenate(circles), grow)
    ends = accumulate((len(some) for some in circles), initial=0)
    return [
        _hull(rims[start:end]) if isinstance(shape, Hull) else shape.outline(grow)
        for shape, (start, end) in zip(shapes, pairwise(ends), strict=True)
    ]


def _rims(circles: Vector, grow: float) -> Points:
    """Return (K, 20, 2) points on circles grown by `grow` px. circles: (K, 3) of u, v and radius in px."""
    radii = np.maximum(circles[:, 2] + grow, _MIN_RADIUS_PX)
    return (circles[:, None, :2] + radii[:, None, None] * _CIRCLE).astype(np.float32)


def _hull(points: Points) -> Points:
    """Return the (N, 2) corners of the convex hull of points, (..., 2)."""
    return np.asarray(cv2.convexHull(points.reshape(-1, 2)), np.float32)[:, 0]


def capsule(a: Vector, a_radius: float, b: Vector, b_radius: float) -> Hull:
    """Return the tapered capsule between two circles. a, b: (2,) centres in px; radii in px."""
    return Hull(np.array([[a[0], a[1], a_radius], [b[0], b[1], b_radius]]))


def fixed_point(points: Points, origin: tuple[int, int] = (0, 0)) -> Polygon:
    """Return (N, 2) px points for OpenCV drawing with shift=SUBPIXEL_BITS, relative to the pixel `origin` (u, v)."""
    return np.rint((points - np.asarray(origin, np.float32)) * (1 << SUBPIXEL_BITS)).astype(np.int32)


def fixed_points(curves: Sequence[Points], origin: tuple[int, int] = (0, 0)) -> list[Polygon]:
    """Return `fixed_point` of each curve, computed together, which is faster for many short ones."""
    points = fixed_point(np.concatenate(curves), origin)
    ends = accumulate((len(curve) for curve in curves), initial=0)
    return [points[start:end] for start, end in pairwise(ends)]


def crop(box: Box, width: int, height: int) -> tuple[slice, slice] | None:
    """Return the (rows, columns) of a picture that a box touches, None if it lies outside of the picture."""
    # Curves end at pixel centres, which have whole coordinates here: a corner on a centre touches that pixel as well.
    rows, columns = pixel_slices((box[0], box[1], box[2] + 1, box[3] + 1), height, width)
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def length(vector: Vector) -> float:
    """Return the Euclidean length of a (2,) vector."""
    return hypot(vector[0], vector[1])


def unit(vector: Vector) -> Vector:
    """Return the (2,) vector at length 1, or zero for the zero vector."""
    size = length(vector)
    return vector / size if size > 0 else np.zeros(2)


def right_of(up: Vector) -> Vector:
    """Return the direction to the picture's right for a body whose head points `up`: `up` turned by 90° clockwise."""
    return np.array([-up[1], up[0]])


def reach(box: Box, start: Vector, direction: Vector, distance: float) -> Vector:
    """Return `direction` times `distance`, shortened so that it does not lead out of the box."""
    for axis in (0, 1):
        if direction[axis] != 0:
            wall = box[axis + 2] if direction[axis] > 0 else box[axis]
            distance = min(distance, max((wall - start[axis]) / direction[axis], 0.0))
    return direction * distance


def inside(box: Box, point: Vector) -> bool:
    """Return whether a (2,) point lies in the box."""
    return bool(box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3])
