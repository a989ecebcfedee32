"""The one picture format that leaves the edge: a PNG that holds pixels and a confirmed mask, and nothing else.

PNG is a container: text, times, colour profiles, bytes after the end, colours below full transparency and a compressed
stream that is longer than its picture all survive a decoder that only looks at pixels. The reader here refuses every
one of them, so that what was inspected is all that there is.
"""

import struct
import zlib
from hashlib import sha256

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.types.omega import MAX_HEIGHT, MAX_PNG_BYTES, MAX_WIDTH, Environment, SyncKey

# The flat neutral grey of every pixel that is not confirmed background, in all three channels.
FILL = 128

# Level 3 with libpng's own choice of filters: on real rooms in VGA 471 KiB in 35 ms. Level 1 has 491 KiB in 20 ms,
# level 6 442 KiB in 100 ms, which is too long a pause on a gateway of two cores for 6 % of a rare message.
_COMPRESSION = (cv2.IMWRITE_PNG_COMPRESSION, 3)

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ALLOWED_CHUNKS = (b"IHDR", b"IDAT", b"IEND")
_IHDR = struct.Struct(">IIBBBBB")
_RGBA = 6
_LAST_FILTER = 4
# The encoder writes 8 KiB a chunk. Confetti of tiny chunks costs the reader time for nothing.
_MAX_CHUNKS = MAX_PNG_BYTES // 4096

BgrArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]


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


def encode_environment(plate: BgrArray, confirmed: BoolArray) -> bytes:
    """Return the environment as an 8-bit RGBA PNG.

    plate: (H, W, 3) uint8 BGR. confirmed: (H, W), True where the plate is confirmed background (alpha 255).
    Privacy: a pixel that is not valid is written as FILL, whatever the plate holds there.
    The same input gives the same bytes. Raises ValueError for a wrong shape or type, or a PNG that is too large.
    """
    require_bgr8(plate, "plate")
    if confirmed.dtype != np.bool_ or confirmed.shape != plate.shape[:2]:
        raise ValueError(
            f"confirmed: is {confirmed.dtype} of shape {confirmed.shape}, needs bool of shape {plate.shape[:2]}"
        )
    height, width = confirmed.shape
    _require_size(width, height)
    return pack(_bgra(plate, confirmed))


def _bgra(plate: BgrArray, confirmed: BoolArray) -> BgrArray:
    """Return the one way to write a picture, (H, W, 4): alpha is 255 or 0, and below 0 is the fill."""
    bgra = np.full((*confirmed.shape, 4), FILL, np.uint8)
    bgra[..., 3] = 0
    bgra[confirmed, :3] = plate[confirmed]
    bgra[confirmed, 3] = 255
    return bgra


def pack(bgra: BgrArray) -> bytes:
    """Return (H, W, 4) uint8 BGRA as a PNG. Raises ValueError where it is larger than a picture may be."""
    done, buffer = cv2.imencode(".png", bgra, _COMPRESSION)
    if not done:
        raise ValueError(f"plate: OpenCV could not encode a {bgra.shape[1]}x{bgra.shape[0]} PNG")
    png = bytes(buffer)
    if len(png) > MAX_PNG_BYTES:
        raise ValueError(f"plate: PNG has {len(png)} bytes, the limit is {MAX_PNG_BYTES}; use a smaller picture")
    return png


def picture_digest(plate: BgrArray, confirmed: BoolArray) -> bytes:
    """Return the SHA-256 of what a picture shows, 32 bytes: one picture has one digest, whoever packed its PNG.

    plate, confirmed: as for `encode_environment`. Hashed are height and width (uint32, little endian), then R, G, B, A
    of every pixel, row by row, with FILL and alpha 0 where it is not valid.
    """
    rgba = cv2.cvtColor(_bgra(plate, confirmed), cv2.COLOR_BGRA2RGBA)
    return sha256(struct.pack("<II", *confirmed.shape) + rgba.tobytes()).digest()


def environment_of(key: SyncKey, png: bytes, epoch: int) -> Environment:
    """Return the environment of a whole picture. Raises ValueError for a PNG that `decode_environment` refuses."""
    plate, confirmed = decode_environment(png)
    height, width = confirmed.shape
    share = float(np.float32(confirmed.mean()))  # as it travels
    return Environment(key, png, picture_digest(plate, confirmed), height, width, share, epoch)


def decode_environment(png: bytes) -> tuple[BgrArray, BoolArray]:
    """Return (plate, confirmed) of an environment PNG: (H, W, 3) uint8 BGR, (H, W) bool.

    Raises ValueError for anything but an 8-bit RGBA picture with alpha 0 or 255, FILL below alpha 0, and no other
    content. Sizes are checked before a pixel is unpacked.
    """
    bgra = unpack(png)
    alpha = bgra[..., 3]
    confirmed = alpha == 255
    if not (confirmed | (alpha == 0)).all():
        raise ValueError("PNG: the alpha plane has a value other than 0 and 255")
    plate = np.ascontiguousarray(bgra[..., :3])
    if (plate[~confirmed] != FILL).any():
        raise ValueError(f"PNG: a pixel with alpha 0 hides a colour other than the fill {FILL}")
    return plate, confirmed


def unpack(png: bytes) -> BgrArray:
    """Return the (H, W, 4) uint8 BGRA of an 8-bit RGBA PNG that holds its pixels and nothing else, or raise ValueError.

    Sizes are checked before a pixel is unpacked.
    """
    parts = chunks(png)
    width, height = _read_header(parts)
    _require_exact_stream(b"".join(data for name, data in parts if name == b"IDAT"), width, height)
    bgra = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if bgra is None or bgra.shape != (height, width, 4) or bgra.dtype != np.uint8:
        raise ValueError("PNG: does not decode to the picture that its header names")
    return bgra.astype(np.uint8, copy=False)


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Return the (name, data) of every chunk of a PNG, in order.

    Raises ValueError for a PNG over the size limit, a wrong signature or CRC, any chunk but IHDR, IDAT and IEND, a
    wrong order of them, more chunks than an honest encoder makes, and bytes after the end.
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
    _require_size(width, height)
    return width, height


def _require_size(width: int, height: int) -> None:
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
