"""Mutates what only the cloud receives: key expressions, attachments, packed payloads, patches."""

from random import Random

import numpy as np
from backports import zstd

from fuzzing import raw_png
from fuzzing.omega_layout import Raw, number, write
from fuzzing.oracle import KEPT, digest_of
from fuzzing.raw_png import Pixels
from privcam_core.types.omega import SCHEMA
from privcam_link.wire import TYPE_HASH, TYPE_NAME

KEY = "privcam/room1/omega"
QUEUE = "00112233445566ff"
_KEYS = (
    "privcam/*/omega", "privcam/**", "privcam/room1/omega/", "privcam//omega", "privcam/ROOM1/omega", "room1", "",
    "privcam/room1/image", "privcam/room1/omega\n", "privcam/room1/omega/@adv/x", "x/privcam/room1/omega",
    "privcam/räume/omega", f"privcam/{'a' * 65}/omega", "privcam/room1/omega\x00",
)  # fmt: skip


def plain_header(n: int) -> bytes:
    """Return the attachment of the plain Ω number n."""
    return f"type={TYPE_NAME};hash={TYPE_HASH};schema={SCHEMA};queue={QUEUE};n={n};newest={n};lost=0".encode()


def bad_key_expression(random: Random) -> str:
    """Return a key on which no Ω travels."""
    return random.choice(_KEYS)


def bad_header(random: Random, n: int) -> bytes | None:
    """Return an attachment that announces no Ω."""
    good = plain_header(n)
    parts = good.split(b";")
    swapped = parts.copy()
    a, b = random.sample(range(len(parts)), 2)
    swapped[a], swapped[b] = swapped[b], swapped[a]
    short = parts[:a] + parts[a + 1 :]
    number_of = random.choice((b"n", b"newest", b"lost"))
    value = random.choice(
        (b"-1", b"1.5", b"0x10", b"+7", b"007", b"", b"9" * 30, b" 1", b"1_0", "\u0661".encode(), b"nan")
    )
    wrong = [
        name + b"=" + value if (name := part.split(b"=")[0]) == number_of else part
        for part in parts
    ]  # fmt: skip
    return random.choice((
        None, b";" * 50, b"=" * 50, good + b";", good + b";x=1", good + b";" + parts[a], b";".join(swapped),
        b";".join(short), b";".join(wrong), good.replace(b"schema=5", b"schema=4"),
        good.replace(b"hash=RIHS01_", b"hash=RIHS02_"),
        good.replace(TYPE_NAME.encode(), b"sensor_msgs/msg/Image"),
        good.replace(QUEUE.encode(), QUEUE.upper().encode()), good.replace(QUEUE.encode(), b"../../etc/passwd"),
        good.replace(b";n=%d;" % n, b";n=%d;" % (n + 1)), good.replace(b";n=%d;" % n, b";n=0;"),
        good + bytes(2000), random.randbytes(100), b"\xff" * 40, good.decode().encode("utf-16"),
        b"n=%d;ref=%d" % (n, n), b"n=%d;ref=%d" % (n, n + 1), b"n=%d;ref=0" % n, b"ref=%d;n=%d" % (n - 1, n),
        b"n=%d" % n,
        b"n=%d;ref=-1" % n, b"n=%d;ref=%d;queue=%s" % (n, n - 1, QUEUE.encode()),
    ))  # fmt: skip


def bad_packed(random: Random, payload: bytes, reference: bytes) -> bytes:
    """Return a packed payload that is none: a bomb, another dictionary, more or less than one frame."""
    good = _packed(payload, reference)
    return random.choice((
        random.choice(_BOMBS), _packed(bytes(32 * 1024 + 1), reference), _packed(payload, random.randbytes(900)),
        _packed(payload, reference[len(reference) // 2 :]), good + good, good + b"x", good + _SKIPPABLE,
        _SKIPPABLE + good, _SKIPPABLE, good[: random.randrange(len(good))], payload, b"",
        random.randbytes(random.randrange(200)),
        zstd.compress(payload)[:4] + random.randbytes(60), _flipped(random, good), _wide(payload, reference),
        _packed(good, reference),
        _packed(payload + b"\x00" * 5, reference), _packed(payload[:-3], reference), _packed(b"", reference),
    ))  # fmt: skip


def bad_patch(random: Random, raw: Raw, rgba: Pixels, base: bytes) -> bytes:
    """Return an Ω with a patch that hides something, or does not make what it says.

    rgba, base: the picture that it is on, which the cloud knows, and its digest.
    """
    new = rgba.copy()
    y, x = random.randrange(len(new)), random.randrange(new.shape[1])
    new[y, x] = (*random.randbytes(3), 255)
    patch = np.zeros_like(new)
    patch[..., 3] = KEPT
    patch[y, x] = new[y, x]
    raw["environment.sha256"], raw["environment.base"] = digest_of(new), base
    raw["environment.confirmed_fraction"] = number("f", float((new[..., 3] == 255).mean()))
    v, u = random.randrange(len(new)), random.randrange(new.shape[1])
    kind = random.randrange(8)
    if kind == 0:
        patch[v, u] = (*random.choice(((1, 0, 0), (0, 0, 255), (128, 128, 128))), KEPT)
    elif kind == 1:
        patch[v, u] = (*random.choice(((0, 0, 0), (128, 128, 127))), 0)
    elif kind == 2:
        patch[v, u, 3] = random.choice((1, 126, 128, 254))
    elif kind == 3:
        patch = np.pad(patch, ((0, 1), (0, 0), (0, 0)), mode="edge")
    elif kind == 4:
        raw["environment.base"] = random.randbytes(32)
    elif kind == 5:
        raw["environment.base"] = raw["environment.sha256"]
    elif kind == 6:
        patch[y, x, :3] ^= 1
    else:
        raw["environment.confirmed_fraction"] = number("f", random.choice((0.0, 0.5, 1.0)))
    chunks = raw_png.chunks_of(patch)
    if random.random() < 0.15:
        chunks.insert(1, (b"tEXt", b"c\x00hidden"))
    data = raw_png.join(chunks)
    raw["environment.png.data"] = (len(data), data)
    return write(raw)


def unpack(packed: bytes, reference: bytes) -> bytes | None:
    """Return what one whole frame of a small window holds, None for anything else."""
    decompressor = zstd.ZstdDecompressor(
        zstd_dict=_dictionary(reference), options={zstd.DecompressionParameter.window_log_max: 16}
    )
    try:
        payload = decompressor.decompress(packed, 32 * 1024 + 1)
    except zstd.ZstdError:
        return None
    return payload if decompressor.eof and not decompressor.unused_data and len(payload) <= 32 * 1024 else None


def _dictionary(reference: bytes) -> tuple[zstd.ZstdDict, int]:
    return zstd.ZstdDict(reference, is_raw=True).as_undigested_dict


def _packed(payload: bytes, reference: bytes) -> bytes:
    if len(reference) < 8:
        return zstd.compress(payload)
    return zstd.compress(payload, level=3, zstd_dict=_dictionary(reference))


def _flipped(random: Random, good: bytes) -> bytes:
    spoiled = bytearray(good)
    spoiled[random.randrange(len(spoiled))] ^= 1 << random.randrange(8)
    return bytes(spoiled)


def _wide(payload: bytes, reference: bytes) -> bytes:
    """Return a frame that asks for a window of 128 MiB."""
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: 27,
        zstd.CompressionParameter.content_size_flag: 0,
    }
    made = zstd.ZstdCompressor(options=options, zstd_dict=_dictionary(reference))
    return made.compress(payload) + made.flush()


_SKIPPABLE = b"\x50\x2a\x4d\x18\x06\x00\x00\x00hidden"
# 256 MiB of zeros in some 25 KiB; and frames that only announce gigabytes.
_BOMBS = (
    zstd.compress(bytes(2**28), level=1),
    b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 7 + b"\x7f" + b"\x00" * 20,
    b"\x28\xb5\x2f\xfd\x00\xff" + b"\x00" * 20,
)
