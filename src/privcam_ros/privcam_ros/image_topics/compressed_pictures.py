"""Decodes the pictures of camera drivers that are compressed (sensor_msgs/CompressedImage): JPEG and PNG."""

import cv2
import numpy as np

from privcam_core.types.arrays import Image
from privcam_ros.image_topics.encodings import (
    FULL_16_BIT,
    MAX_HEIGHT,
    MAX_WIDTH,
    UnsupportedPicture,
    scale_to_8_bit,
)

_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
# Markers of JPEG with the size of the picture, and those without a length.
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xDA)})
_TO_BGR = {1: cv2.COLOR_GRAY2BGR, 4: cv2.COLOR_BGRA2BGR}


def decode(data: bytes, format_text: str, range_16: tuple[int, int] = FULL_16_BIT) -> Image:
    """Return a compressed picture as (H, W, 3) uint8 BGR.

    format_text: the field `format`. Its encoding is not needed, JPEG and PNG say it themselves; it tells depth
    pictures, which are PNG too. range_16: as in `encodings.to_bgr`, for PNG of 16 bits.
    Raises UnsupportedPicture for anything else, for a torn picture, which OpenCV would fill with grey, and for one
    whose header announces more pixels than a camera has, before memory is allocated for it.
    """
    if "compressedDepth" in format_text:
        raise UnsupportedPicture("format compressedDepth: a picture of distances; use the topic of the colour camera")
    if data.startswith(_JPEG):
        if not data.rstrip(b"\x00").endswith(_JPEG_END):
            raise UnsupportedPicture(f"JPEG of {len(data)} bytes without an end: it is torn")
        size = _jpeg_size(data)
    elif data.startswith(_PNG):
        if not data.rstrip(b"\x00").endswith(_PNG_END):
            raise UnsupportedPicture(f"PNG of {len(data)} bytes without an end: it is torn")
        size = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    else:
        raise UnsupportedPicture(
            f"format {format_text[:40]!r}: neither JPEG nor PNG; let the driver publish one of these"
        )
    width, height = size
    if not (0 < height <= MAX_HEIGHT and 0 < width <= MAX_WIDTH):
        raise UnsupportedPicture(f"{width}×{height} px is not within 1×1 to {MAX_WIDTH}×{MAX_HEIGHT}")
    flags = cv2.IMREAD_COLOR if data.startswith(_JPEG) else cv2.IMREAD_UNCHANGED
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise UnsupportedPicture(f"format {format_text[:40]!r}: cannot be decoded, it is damaged")
    if pixels.dtype == np.uint16:
        pixels = scale_to_8_bit(pixels.astype(np.uint16), range_16)
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    return np.asarray(cv2.cvtColor(pixels, _TO_BGR[channels]) if channels in _TO_BGR else pixels, np.uint8)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) from the header of a JPEG. Raises UnsupportedPicture without one."""
    place = 2
    while place + 9 <= len(data):
        if data[place] != 0xFF:
            break
        marker = data[place + 1]
        if marker in _START_OF_FRAME:
            height, width = (int.from_bytes(data[at : at + 2], "big") for at in (place + 5, place + 7))
            return width, height
        if marker == 0xFF:  # fill bytes
            place += 1
        elif marker in _WITHOUT_LENGTH:
            place += 2
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    raise UnsupportedPicture("JPEG without a size: it is damaged")
