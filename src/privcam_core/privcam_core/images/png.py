"""Encodes and decodes strict PNG files: 8-bit RGBA pixels and no other content.

PNG is a container: text, times, colour profiles, bytes after the end and a compressed stream that is longer than the
picture all pass a decoder that only reads pixels. The reader here rejects them, so that an inspection of the pixels
covers everything in the file.
"""

import struct
import zlib

import cv2
import numpy as np

from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.omega import MAX_HEIGHT, MAX_PNG_BYTES, MAX_WIDTH

# Level 1 with libpng's own choice of filters: VGA pictures of real rooms have 491 KiB in 20 ms. Level 3: 471 KiB in
# 35 ms; level 6: 442 KiB in 100 ms. These bytes stay within the edge, and on the disk of the cloud.
_COMPRESSION = (cv2.IMWRITE_PNG_COMPRESSION, 1)

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ALLOWED_CHUNKS = (b"IHDR", b"IDAT", b"IEND")
_IHDR = struct.Struct(">IIBBBBB")
# Colour type of IHDR.
_RGBA = 6
# Highest number of a row filter.
_LAST_FILTER = 4
# The encoder writes chunks of 8 KiB. More chunks than this only cost the reader time.
_MAX_CHUNKS = MAX_PNG_BYTES // 4096


def require_bgr8(image: object, what: str = "image") -> None:
    """Raise ValueError unless `image` is a (H, W, 3) uint8 array with at least one pixel. `what` names it."""
    needed = "needs a (H, W, 3) uint8 array in BGR order"
    if not isinstance(image, np.ndarray):
        raise ValueError(f"{what}: is {type(image).__name__}, {needed}")
    if image.ndim == 3 and image.shape[2] == 3 and image.size == 0:
        raise ValueError(f"{what}: has no pixels (shape {image.shape}), {needed}")
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"{what}: has shape {image.shape}, {needed}; convert grey or alpha pictures first")
    if image.dtype != np.uint8:
        raise ValueError(f"{what}: has values of type {image.dtype}, {needed}; scale 16-bit pictures first")


def require_mask(mask: BoolArray, image: Image, what: str) -> None:
    """Raise ValueError unless `mask` is a bool array of the height and width of `image`. `what` names it."""
    if mask.shape != image.shape[:2] or mask.dtype != np.bool_:
        raise ValueError(f"{what}: is {mask.dtype} {mask.shape}, needs bool {image.shape[:2]} like the image")


def encode_png(bgra: Image) -> bytes:
    """Return (H, W, 4) uint8 BGRA as a PNG. Raises ValueError if it is larger than MAX_PNG_BYTES."""
    done, buffer = cv2.imencode(".png", bgra, _COMPRESSION)
    if not done:
        raise ValueError(f"plate: OpenCV could not encode a {bgra.shape[1]}x{bgra.shape[0]} PNG")
    png = bytes(buffer)
    if len(png) > MAX_PNG_BYTES:
        raise ValueError(f"plate: PNG has {len(png)} bytes, the limit is {MAX_PNG_BYTES}; use a smaller picture")
    return png


def decode_png(png: bytes) -> Image:
    """Return the (H, W, 4) uint8 BGRA of an 8-bit RGBA PNG that holds its pixels and nothing else, or raise ValueError.

    Sizes are checked before a pixel is unpacked.
    """
    parts = chunks(png)
    width, height = _read_header(parts)
    _require_exact_stream(b"".join(data for name, data in parts if name == b"IDAT"), width, height)
    bgra = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if bgra is None or bgra.shape != (height, width, 4) or bgra.dtype != np.uint8:
        raise ValueError("PNG: does not decode to the picture that its header names")
    return np.asarray(bgra, np.uint8)


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Return the (name, data) of every chunk of a PNG, in order.

    Raises ValueError for a PNG over the size limit, a wrong signature or CRC, any chunk but IHDR, IDAT and IEND, a
    wrong order of them, more than _MAX_CHUNKS chunks, and bytes after the end.
    """
    if len(png) > MAX_PNG_BYTES:
        raise ValueError(f"PNG: has {len(png)} bytes, the limit is {MAX_PNG_BYTES}")
    if not png.startswith(_SIGNATURE):
        raise ValueError("PNG: does not start with the PNG signature")
    found: list[tuple[bytes, bytes]] = []
    offset = len(_SIGNATURE)
    while not found or found[-1][0] != b"IEND":
        name, data, offset = _chunk_at(png, offset)
        found.append((name, data))
        if len(found) > _MAX_CHUNKS:
            raise ValueError(f"PNG: has more than {_MAX_CHUNKS} chunks")
    if offset != len(png):
        raise ValueError(f"PNG: {len(png) - offset} bytes after the end of the picture")
    middle = {name for name, _ in found[1:-1]}
    if found[0][0] != b"IHDR" or middle != {b"IDAT"} or found[-1][1]:
        raise ValueError("PNG: chunks are not one IHDR, then IDAT, then an empty IEND")
    return found


def _chunk_at(png: bytes, offset: int) -> tuple[bytes, bytes, int]:
    """Return name, data and the offset after the chunk that starts at `offset`."""
    length = int.from_bytes(png[offset : offset + 4], "big")
    end = offset + 12 + length
    if offset + 12 > len(png) or end > len(png):
        raise ValueError("PNG: is cut off")
    name = png[offset + 4 : offset + 8]
    if name not in _ALLOWED_CHUNKS:
        raise ValueError(f"PNG: chunk {name!r} is not allowed, only IHDR, IDAT and IEND are")
    if zlib.crc32(png[offset + 4 : end - 4]) != int.from_bytes(png[end - 4 : end], "big"):
        raise ValueError(f"PNG: the CRC of chunk {name!r} is wrong")
    return name, png[offset + 8 : end - 4], end


def _read_header(parts: list[tuple[bytes, bytes]]) -> tuple[int, int]:
    """Return (width, height) of a header that announces an 8-bit RGBA picture without interlacing."""
    header = parts[0][1]
    if len(header) != _IHDR.size:
        raise ValueError(f"PNG: IHDR has {len(header)} bytes, needs {_IHDR.size}")
    width, height, depth, colour, compression, filtering, interlace = _IHDR.unpack(header)
    if (depth, colour) != (8, _RGBA):
        raise ValueError(f"PNG: bit depth {depth} and colour type {colour}, needs 8-bit RGBA (8 and {_RGBA})")
    if (compression, filtering, interlace) != (0, 0, 0):
        raise ValueError("PNG: interlacing and unknown compression or filter methods are not allowed")
    require_size(width, height)
    return width, height


def require_size(width: int, height: int) -> None:
    """Raise ValueError unless the size in px is within the limits of Ω."""
    if not (0 < width <= MAX_WIDTH and 0 < height <= MAX_HEIGHT):
        raise ValueError(f"picture: {width}x{height} px is not within 1x1 and {MAX_WIDTH}x{MAX_HEIGHT}")


def _require_exact_stream(data: bytes, width: int, height: int) -> None:
    """Raise ValueError unless `data` inflates to exactly the rows of the picture, never unpacking more than that."""
    row = 1 + 4 * width
    inflate = zlib.decompressobj()
    try:
        rows = inflate.decompress(data, row * height + 1)
    except zlib.error as error:
        raise ValueError(f"PNG: the pixel stream is broken ({error})") from error
    if len(rows) != row * height or not inflate.eof or inflate.unused_data:
        raise ValueError(f"PNG: the pixel stream is not exactly {width}x{height} pixels")
    if max(rows[::row]) > _LAST_FILTER:
        raise ValueError("PNG: a row has an unknown filter")
