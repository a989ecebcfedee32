"""Turns a picture as the display matrix of its video says: phones record on their side, and mirror."""

import math
import struct
from dataclasses import dataclass

import numpy as np

from privcam_core.types.arrays import Image

# FFmpeg's display matrix: nine 32-bit numbers, of which a, b, u, c, d are the first five.
_MATRIX = struct.Struct("=9i")


@dataclass(frozen=True)
class Orientation:
    """How a decoded picture becomes upright: transposed or not, then mirrored along x or y."""

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    def apply(self, image: Image) -> Image:
        """Return the upright picture. image: (H, W, 3); the result is (W, H, 3) where it is transposed."""
        if self == UPRIGHT:
            return image
        turned = image.transpose(1, 0, 2) if self.transposed else image
        turned = turned[:, ::-1] if self.mirrored_x else turned
        turned = turned[::-1] if self.mirrored_y else turned
        return np.ascontiguousarray(turned)

    @property
    def text(self) -> str:
        """What a person calls it: `none`, or degrees clockwise, with `mirrored` where it is."""
        # A picture that is transposed, or mirrored along one axis, is a mirror picture; both together are a turn.
        mirrored = self.transposed ^ self.mirrored_x ^ self.mirrored_y
        if not mirrored:
            degrees = (90 if self.mirrored_x else 270) if self.transposed else 180 if self.mirrored_x else 0
            return f"{degrees}° clockwise" if degrees else "none"
        if not self.transposed:
            return "mirrored" if self.mirrored_x else "mirrored, 180° clockwise"
        return "mirrored, 90° clockwise" if self.mirrored_x else "mirrored, 270° clockwise"


UPRIGHT = Orientation()


def orientation_of(matrix: bytes) -> Orientation:
    """Read a display matrix, as FFmpeg gives it with a frame. An angle between is taken for the nearest quarter turn.

    matrix: x' = a x + c y, y' = b x + d y, in px, y downwards. Raises ValueError where it is none.
    """
    if len(matrix) < _MATRIX.size:
        raise ValueError(f"a display matrix has {_MATRIX.size} bytes, not {len(matrix)}")
    a, b, _, c, d, *_ = _MATRIX.unpack(matrix[: _MATRIX.size])
    if math.hypot(a, d) >= math.hypot(b, c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)
