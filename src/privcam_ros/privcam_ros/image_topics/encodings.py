"""Converts the pictures of camera drivers (sensor_msgs/Image) to BGR, by the encodings of sensor_msgs.

Every encoding is converted rightly or refused by name: a picture in false colours, or shifted by a few bytes a row,
would still look like one to a program.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from privcam_core.types.arrays import Image

MAX_HEIGHT, MAX_WIDTH = 4320, 7680
FULL_16_BIT = (0, 65535)


class UnsupportedPicture(ValueError):
    """A picture cannot be used. The message says what is wrong with it, and what to do."""


@dataclass(frozen=True)
class RawPicture:
    """The fields of a sensor_msgs/Image, as they came. step: bytes of a row. data: all rows."""

    encoding: str
    height: int
    width: int
    step: int
    data: bytes | memoryview
    big_endian: bool = False


@dataclass(frozen=True)
class _Layout:
    """How pixels lie in a row. channels of `depth` bytes each; conversion: code of OpenCV to BGR, None: it is BGR."""

    channels: int
    depth: int
    conversion: int | None = None


# OpenCV names a Bayer pattern by its second row and column; these aliases are named as in ROS.
_BAYER: Mapping[str, int] = {
    "rggb": cv2.COLOR_BayerRGGB2BGR,
    "bggr": cv2.COLOR_BayerBGGR2BGR,
    "gbrg": cv2.COLOR_BayerGBRG2BGR,
    "grbg": cv2.COLOR_BayerGRBG2BGR,
}
_LAYOUTS: Mapping[str, _Layout] = {
    "bgr8": _Layout(3, 1),
    "8UC3": _Layout(3, 1),
    "rgb8": _Layout(3, 1, cv2.COLOR_RGB2BGR),
    "bgra8": _Layout(4, 1, cv2.COLOR_BGRA2BGR),
    "rgba8": _Layout(4, 1, cv2.COLOR_RGBA2BGR),
    "mono8": _Layout(1, 1, cv2.COLOR_GRAY2BGR),
    "8UC1": _Layout(1, 1, cv2.COLOR_GRAY2BGR),
    "bgr16": _Layout(3, 2),
    "rgb16": _Layout(3, 2, cv2.COLOR_RGB2BGR),
    "bgra16": _Layout(4, 2, cv2.COLOR_BGRA2BGR),
    "rgba16": _Layout(4, 2, cv2.COLOR_RGBA2BGR),
    "mono16": _Layout(1, 2, cv2.COLOR_GRAY2BGR),
    # Two bytes a pixel: a luma of its own, and a chroma that is shared with the neighbour.
    "yuv422": _Layout(2, 1, cv2.COLOR_YUV2BGR_UYVY),
    "uyvy": _Layout(2, 1, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422_yuy2": _Layout(2, 1, cv2.COLOR_YUV2BGR_YUY2),
    "yuyv": _Layout(2, 1, cv2.COLOR_YUV2BGR_YUY2),
    **{f"bayer_{name}8": _Layout(1, 1, code) for name, code in _BAYER.items()},
    **{f"bayer_{name}16": _Layout(1, 2, code) for name, code in _BAYER.items()},
}
ENCODINGS = tuple(_LAYOUTS)
_PAIRED = ("yuv422", "uyvy", "yuv422_yuy2", "yuyv")


def to_bgr(picture: RawPicture, range_16: tuple[int, int] = FULL_16_BIT) -> Image:
    """Return a picture as (H, W, 3) uint8 BGR, without the padding of its rows.

    range_16: the values of a 16-bit encoding that become black and white; what is outside is clipped. Cameras with 10
    or 12 bits put them into 16 without scaling. Raises UnsupportedPicture.
    """
    layout = _LAYOUTS.get(picture.encoding)
    if layout is None:
        raise UnsupportedPicture(
            f"encoding {picture.encoding[:40]!r} is not one of {', '.join(ENCODINGS)}; let the driver, or image_proc, "
            "publish one of these"
        )
    row = _row_bytes(picture, layout)
    rows = np.frombuffer(picture.data, np.uint8).reshape(picture.height, picture.step)[:, :row]
    shape = (picture.height, picture.width, layout.channels)
    if layout.depth == 2:
        kind = np.dtype(">u2" if picture.big_endian else "<u2")
        pixels = scale_to_8_bit(np.ascontiguousarray(rows).view(kind).reshape(shape), range_16)
    else:
        pixels = np.ascontiguousarray(rows).reshape(shape)
    if layout.conversion is None:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, layout.conversion), np.uint8)


def require_range(range_16: tuple[int, int]) -> None:
    """Raise UnsupportedPicture for a range of 16-bit values that does not rise."""
    low, high = range_16
    if not 0 <= low < high <= FULL_16_BIT[1]:
        raise UnsupportedPicture(f"16-bit range {low} to {high}: has to rise, within 0 to {FULL_16_BIT[1]}")


def scale_to_8_bit(values: np.ndarray[tuple[int, ...], np.dtype[np.uint16]], range_16: tuple[int, int]) -> Image:
    """Return 16-bit values as uint8: the first of the range as 0, the second as 255, others in proportion, clipped."""
    require_range(range_16)
    low, high = range_16
    table = np.clip((np.arange(1 << 16, dtype=np.float64) - low) * (255.0 / (high - low)) + 0.5, 0, 255)
    return np.asarray(table.astype(np.uint8)[values])


def _row_bytes(picture: RawPicture, layout: _Layout) -> int:
    """Return the bytes of a row without padding. Raises UnsupportedPicture where the fields do not fit together."""
    height, width, step, size = picture.height, picture.width, picture.step, len(picture.data)
    if not (0 < height <= MAX_HEIGHT and 0 < width <= MAX_WIDTH):
        raise UnsupportedPicture(f"{width}×{height} px is not within 1×1 to {MAX_WIDTH}×{MAX_HEIGHT}")
    if picture.encoding in _PAIRED and width % 2:
        raise UnsupportedPicture(f"width {width}: {picture.encoding} has pixels in pairs")
    if "bayer" in picture.encoding and min(height, width) < 2:
        raise UnsupportedPicture(f"{width}×{height} px: {picture.encoding} has pixels in squares of 2×2")
    row = width * layout.channels * layout.depth
    if step < row:
        raise UnsupportedPicture(f"step {step}: a row of {width} px {picture.encoding} has {row} bytes; fix the driver")
    if size != step * height:
        raise UnsupportedPicture(f"{size} bytes instead of {height} rows of {step}; fix the driver")
    return row
