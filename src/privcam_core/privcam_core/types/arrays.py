"""Array types that all packages share. A name says the element type and its use; docstrings give the shape."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Float32Array: TypeAlias = npt.NDArray[np.float32]
Float64Array: TypeAlias = npt.NDArray[np.float64]
# Either precision: for functions that keep the precision of their argument.
FloatArray: TypeAlias = npt.NDArray[np.floating]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
# A picture: (H, W, 3) BGR, (H, W, 4) BGRA or (H, W) grey, origin in the top left corner.
Image: TypeAlias = npt.NDArray[np.uint8]
# (H, W), 0 where it is off and 1 or 255 where it is on, as OpenCV draws and filters it.
Mask: TypeAlias = npt.NDArray[np.uint8]
# x0, y0, x1, y1 in picture pixels; may extend beyond the picture.
Box: TypeAlias = tuple[float, float, float, float]
# x0, y0, x1, y1 in whole pixels inside the picture; x1 and y1 are excluded.
Region: TypeAlias = tuple[int, int, int, int]
