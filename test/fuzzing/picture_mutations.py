"""Mutates the environment picture of an Ω: PNG with hidden data, decompression bombs, false sizes, other formats."""

import zlib
from collections.abc import Callable
from random import Random

import cv2
import numpy as np

from fuzzing import raw_png
from fuzzing.omega_layout import Raw, bytes_of, number, write
from fuzzing.oracle import KEPT, digest_of
from fuzzing.raw_png import Pixels

Picture = Callable[[Random, Pixels, Raw], bytes]

_EXTRA = (
    (b"tEXt", b"Comment\x00patient in bed 4"), (b"zTXt", b"c\x00\x00" + zlib.compress(b"hidden" * 50)),
    (b"iTXt", b"c\x00\x00\x00\x00\x00hidden"), (b"eXIf", b"MM\x00*\x00\x00\x00\x08\x00\x00"),
    (b"tIME", b"\x07\xe8\x01\x01\x00\x00\x00"),
    (b"iCCP", b"p\x00\x00" + zlib.compress(bytes(300))), (b"gAMA", b"\x00\x01\x86\xa0"), (b"pHYs", bytes(9)),
    (b"PLTE", bytes(768)), (b"tRNS", bytes(6)), (b"sRGB", b"\x00"), (b"prVt", b"private"), (b"acTL", bytes(8)),
    (b"fdAT", bytes(64)), (b"IHDR", raw_png.header(1, 1)), (b"idat", b"x"), (b"\x00\xff\x01\x02", b"?"),
    (b"IEND", b""), (b"IEND", b"late"),
)  # fmt: skip
_SIZES = (0, 1, 4320, 7680, 7681, 65536, 2**31 - 1, 2**31, 2**32 - 1)


def extra_chunk(random: Random, rgba: Pixels, _raw: Raw) -> bytes:
    """Carry a chunk beside the pixels."""
    chunks = raw_png.chunks_of(rgba)
    chunks.insert(random.randint(0, 3), random.choice(_EXTRA))
    return raw_png.join(chunks)


def wrong_order(random: Random, rgba: Pixels, _raw: Raw) -> bytes:
    """Have the right chunks in a wrong way: missing, twice, in another order, with content in the end, as confetti."""
    head, data, end = raw_png.chunks_of(rgba)
    return raw_png.join(random.choice((
        [head, end, data], [data, head, end], [head, data], [head, end], [head, head, data, end], [end], [],
        [head, data, (b"IEND", b"more")], [head, data, data, end], [head, *[(b"IDAT", b"")] * 4096, data, end],
        [(b"IHDR", head[1] + b"\x00"), data, end], [(b"IHDR", head[1][:-1]), data, end],
    )))  # fmt: skip


def bytes_behind(random: Random, rgba: Pixels, _raw: Raw) -> bytes:
    """Carry bytes behind the end, or before the begin."""
    plain = raw_png.join(raw_png.chunks_of(rgba))
    more = random.choice((b"\x00", b"secret", plain, random.randbytes(500), bytes(10**5)))
    return random.choice((plain + more, more + plain))


def broken_chunk(random: Random, rgba: Pixels, _raw: Raw) -> bytes:
    """Have a wrong CRC, a length that is not there, or be cut off."""
    plain = bytearray(raw_png.join(raw_png.chunks_of(rgba)))
    kind = random.randrange(3)
    if kind == 0:
        plain[random.choice((29, 30, len(plain) - 1, len(plain) - 14))] ^= 1 << random.randrange(8)
    elif kind == 1:
        at = random.choice((8, 33, len(plain) - 12))
        plain[at : at + 4] = number("I", random.choice((2**31, 2**32 - 1, 1, len(plain))))[::-1]
    else:
        del plain[random.randrange(len(plain)) :]
    return bytes(plain)


def other_pixels(random: Random, rgba: Pixels, _raw: Raw) -> bytes:
    """Be a PNG of another kind: grey, palette, RGB, 16 bits, interlaced; whole, with a stream to go with it."""
    height, width = rgba.shape[:2]
    depth, colour, channels = random.choice(
        ((8, 0, 1), (16, 0, 2), (8, 2, 3), (8, 3, 1), (1, 0, 1), (8, 4, 2), (16, 6, 8), (8, 6, 4))
    )
    rest = b"\x00\x00\x01" if (depth, colour) == (8, 6) else random.choice((b"\x00\x00\x00", b"\x00\x00\x01"))
    pixels = np.repeat(rgba[..., :1], channels, axis=2)
    chunks = [
        (b"IHDR", raw_png.header(width, height, depth, colour, rest)),
        (b"IDAT", zlib.compress(raw_png.rows(pixels))),
    ]
    palette = [(b"PLTE", random.randbytes(768))] if colour == 3 else []
    return raw_png.join([chunks[0], *palette, chunks[1], (b"IEND", b"")])


def bad_stream(random: Random, rgba: Pixels, _raw: Raw) -> bytes:
    """Have a stream that is too long, up to a bomb, too short, broken, followed by bytes, or with unknown filters."""
    lines = raw_png.rows(rgba)
    stream = zlib.compress(lines, 1)
    return raw_png.join(raw_png.chunks_of(rgba, random.choice((
        _BOMB, zlib.compress(lines + lines[: 1 + 4 * rgba.shape[1]]), zlib.compress(lines + b"x"),
        zlib.compress(lines[:-1]),
        stream + b"behind", stream + stream, stream[:-1], stream[:-4] + b"\x00\x00\x00\x00", b"", random.randbytes(80),
        zlib.compress(raw_png.rows(rgba, random.randint(5, 255))), b"\x78\xbb" + random.randbytes(60), lines,
        stream[2:-4],
    ))))  # fmt: skip


def bad_size(random: Random, rgba: Pixels, raw: Raw) -> bytes:
    """Announce a size that is not that of the pixels, in the PNG and, half of the time, in Ω too."""
    height, width = random.choice(_SIZES), random.choice(_SIZES)
    if random.random() < 0.5:
        raw["environment.height"], raw["environment.width"] = number("I", height), number("I", width)
    stream = (
        random.choice((zlib.compress(raw_png.rows(rgba)), _BOMB))
        if width * height > 2**26
        else zlib.compress(raw_png.rows(rgba))
    )
    return raw_png.join([(b"IHDR", raw_png.header(width, height)), (b"IDAT", stream), (b"IEND", b"")])


def other_size(random: Random, rgba: Pixels, raw: Raw) -> bytes:
    """Be a good picture of another size, validity or digest than Ω says."""
    height, width = rgba.shape[:2]
    raw["environment.height"], raw["environment.width"] = number("I", height + 1), number("I", width)
    kind = random.randrange(4)
    if kind:
        raw["environment.height"] = number("I", height)
    if kind == 1:
        confirmed = float((rgba[..., 3] == 255).mean())
        raw["environment.confirmed_fraction"] = number("f", confirmed - 0.01 if confirmed > 0.5 else confirmed + 0.01)
    elif kind == 2:
        raw["environment.sha256"] = random.choice((bytes(32), random.randbytes(32), b"\xff" * 32))
    elif kind == 3:
        raw["environment.width"] = number("I", max(width - 1, 1) if width > 1 else 2)
    return raw_png.join(raw_png.chunks_of(rgba))


def hidden_pixels(random: Random, rgba: Pixels, raw: Raw) -> bytes:
    """Have alpha values other than 0 and 255, or colours below 0. The digest goes with the bytes, or what they show."""
    bad = rgba.copy()
    y, x = random.randrange(len(bad)), random.randrange(bad.shape[1])
    if random.random() < 0.5:
        bad[y, x] = (128, 128, 128, 0)
        bad[y, x, random.randrange(3)] = random.choice((0, 127, 129, 255))
    else:
        bad[y, x, 3] = random.choice((1, KEPT, 128, 254, random.randint(1, 254)))
    clean = np.where(bad[..., 3:] == 255, bad, np.array([128, 128, 128, 0], np.uint8))
    raw["environment.sha256"] = digest_of(random.choice((bad, clean)))
    raw["environment.confirmed_fraction"] = number("f", float((bad[..., 3] == 255).mean()))
    return raw_png.join(raw_png.chunks_of(bad))


def no_png(random: Random, rgba: Pixels, _raw: Raw) -> bytes:
    """Be something else than a PNG."""
    kind = random.randrange(6)
    if kind < 3:
        suffix = (".jpg", ".bmp", ".webp")[kind]
        return bytes(cv2.imencode(suffix, np.ascontiguousarray(rgba[..., 2::-1]))[1])
    return random.choice(
        (b"GIF89a" + bytes(40), raw_png.SIGNATURE, b"\x00", random.randbytes(300), rgba.tobytes(), b"<svg/>")
    )


def flip_png_bits(random: Random, rgba: Pixels, _raw: Raw) -> bytes:
    """Change bytes of a good PNG, with the CRC made right again half of the time."""
    head, (name, data), end = raw_png.chunks_of(rgba)
    spoiled = bytearray(data if random.random() < 0.7 else head[1])
    spoiled[random.randrange(len(spoiled))] ^= 1 << random.randrange(8)
    chunks = (
        [head, (name, bytes(spoiled)), end] if len(spoiled) != 13 else [(b"IHDR", bytes(spoiled)), (name, data), end]
    )
    made = bytearray(raw_png.join(chunks))
    if random.random() < 0.5:
        made[random.randrange(len(made))] ^= 1 << random.randrange(8)
    return bytes(made)


def named_base(random: Random, rgba: Pixels, raw: Raw) -> bytes:
    """Name a base: unknown, itself, or with a picture that is no patch."""
    raw["environment.base"] = random.choice(
        (random.randbytes(32), bytes_of(raw, "environment.sha256"), b"\x01" + bytes(31))
    )
    return random.choice((raw_png.join(raw_png.chunks_of(rgba)), b""))


PICTURES: tuple[tuple[Picture, int], ...] = (
    (extra_chunk, 5), (wrong_order, 3), (bytes_behind, 3), (broken_chunk, 4), (other_pixels, 4), (bad_stream, 4),
    (bad_size, 4), (other_size, 4), (hidden_pixels, 5), (no_png, 3), (flip_png_bits, 4), (named_base, 2),
)  # fmt: skip


def insert_mutated_picture(random: Random, change: Picture, raw: Raw, rgba: Pixels) -> bytes:
    """Return the bytes of an Ω with a new picture that `change` mutated."""
    fresh = rgba.copy()
    fresh[random.randrange(len(fresh)), random.randrange(fresh.shape[1])] = (*random.randbytes(3), 255)
    raw["environment.sha256"] = digest_of(fresh)
    raw["environment.confirmed_fraction"] = number("f", float((fresh[..., 3] == 255).mean()))
    data = change(random, fresh, raw)
    raw["environment.png.data"] = (len(data), data)
    return write(raw)


def _bomb() -> bytes:
    """Return a stream of 64 KiB that inflates to 64 MiB."""
    return zlib.compress(bytes(64 * 2**20), 9)


_BOMB = _bomb()
