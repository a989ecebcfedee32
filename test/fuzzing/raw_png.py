"""Writes and reads PNG chunk by chunk, without an image library, so that a test can make any malformed file."""

import struct
import zlib

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Pixels = npt.NDArray[np.uint8]
Chunks = list[tuple[bytes, bytes]]


class NotPlain(ValueError):
    """Not an 8-bit RGBA picture alone."""


def chunk(name: bytes, data: bytes) -> bytes:
    """Return one chunk with its CRC."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def join(chunks: Chunks) -> bytes:
    """Return a PNG of these chunks."""
    return SIGNATURE + b"".join(chunk(*one) for one in chunks)


def header(width: int, height: int, depth: int = 8, colour: int = 6, rest: bytes = b"\x00\x00\x00") -> bytes:
    """Return the content of an IHDR."""
    return struct.pack(">IIBB", width, height, depth, colour) + rest


def rows(pixels: Pixels, filtering: int = 0) -> bytes:
    """Return the unfiltered rows of (H, W, C) uint8, each behind the number of its filter."""
    flat = pixels.reshape(len(pixels), -1)
    return np.column_stack([np.full(len(flat), filtering, np.uint8), flat]).tobytes()


def chunks_of(rgba: Pixels, stream: bytes | None = None) -> Chunks:
    """Return the chunks of a plain picture, (H, W, 4). stream: the compressed rows, None makes them."""
    height, width = rgba.shape[:2]
    return [
        (b"IHDR", header(width, height)),
        (b"IDAT", zlib.compress(rows(rgba), 1) if stream is None else stream),
        (b"IEND", b""),
    ]


def read(png: bytes) -> Pixels:
    """Return the (H, W, 4) RGBA of a PNG with IHDR, IDAT and IEND alone. Raises NotPlain for anything else."""
    if png[:8] != SIGNATURE:
        raise NotPlain("signature")
    names, at, size, stream = [], 8, b"", b""
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        name, data, crc = png[at + 4 : at + 8], png[at + 8 : at + 8 + length], png[at + 8 + length : at + 12 + length]
        if len(data) != length or crc != struct.pack(">I", zlib.crc32(name + data)):
            raise NotPlain("chunk")
        names.append(name)
        if name == b"IHDR":
            size = data
        elif name == b"IDAT":
            stream += data
        elif name != b"IEND" or data:
            raise NotPlain("content")
        at += 12 + length
    middle = len(names) - 2
    if middle < 1 or middle > 4094 or names != [b"IHDR", *[b"IDAT"] * middle, b"IEND"]:
        raise NotPlain("order")
    if len(size) != 13 or size[8:] != b"\x08\x06\x00\x00\x00":
        raise NotPlain("header")
    width, height = struct.unpack(">II", size[:8])
    if not (0 < width <= 7680 and 0 < height <= 4320):
        raise NotPlain("size")
    return _unfiltered(_inflated(stream, height * (4 * width + 1)), width, height)


def _inflated(stream: bytes, count: int) -> bytes:
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(stream, count + 1)
    except zlib.error as error:
        raise NotPlain("stream") from error
    if len(data) != count or not inflate.eof or inflate.unused_data:
        raise NotPlain("stream length")
    return data


def _unfiltered(data: bytes, width: int, height: int) -> Pixels:
    lines = np.frombuffer(data, np.uint8).reshape(height, 4 * width + 1)
    if (lines[:, 0] > 4).any():
        raise NotPlain("filter")
    out = np.zeros((height, width, 4), np.uint8)
    above: npt.NDArray[np.int64] = np.zeros((width, 4), np.int64)
    for line, row in zip(lines, out, strict=True):
        coded = line[1:].reshape(width, 4).astype(np.int64)
        if line[0] == 0:
            made: npt.NDArray[np.int64] = coded
        elif line[0] == 1:
            made = np.cumsum(coded, axis=0)
        elif line[0] == 2:
            made = coded + above
        else:
            made = _by_pixel(coded, above, average=line[0] == 3)
        above = made % 256
        row[:] = above
    return out


def _by_pixel(coded: npt.NDArray[np.int64], above: npt.NDArray[np.int64], *, average: bool) -> npt.NDArray[np.int64]:
    made = np.zeros_like(coded)
    left = corner = np.zeros(4, np.int64)
    for x, (value, up) in enumerate(zip(coded, above, strict=True)):
        if average:
            guess = (left + up) // 2
        else:
            far = np.abs([up - corner, left - corner, left + up - 2 * corner])
            guess = np.where((far[0] <= far[1]) & (far[0] <= far[2]), left, np.where(far[1] <= far[2], up, corner))
        made[x] = left = (value + guess) % 256
        corner = up
    return made
