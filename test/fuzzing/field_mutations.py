"""Mutates Ω field by field: every row of the table of docs/wire.md gets values that it must not have."""

import struct
from collections.abc import Callable
from random import Random

from fuzzing.omega_layout import (
    COUNTED,
    HEADER,
    KEYS,
    ROW_BYTES,
    TABLE,
    Raw,
    bytes_of,
    number,
    offsets,
    padding,
    string,
    value_of,
    write,
)

Mutation = Callable[[Random, Raw], bytes]

_NAN, _INF = float("nan"), float("inf")
_WILD = (_NAN, _INF, -_INF, 1e30, -1e30, -1e-30)
# What no field of this kind may be, beside _WILD.
_BAD_NUMBERS: dict[str, tuple[float, ...]] = {
    "schema": (0, 1, 2, 4, 6, 256, 2**32 - 1),
    "environment.height": (0, 4321, 2**16, 2**32 - 1),
    "environment.width": (0, 7681, 2**16, 2**32 - 1),
    "environment.confirmed_fraction": (*_WILD, -0.01, 1.01),
    "environment.epoch": (0,),
    "embedding.scale": (_NAN, _INF, -_INF, 0.0, -0.5),
    "embedding.noise_sigma": (*_WILD, -0.1, 1e7),
    "embedding.clip_norm": (_NAN, _INF, -_INF, 0.0, -1.0),
    "privacy.excluded_fraction": (*_WILD, -0.01, 1.01),
    "privacy.withheld_fraction": (*_WILD, -0.01, 1.01),
    "privacy.quarantined_fraction": (*_WILD, -0.01, 1.01),
    "privacy.verdict": (0, 2, 3, 128, 255),
    "privacy.sight": (10, 11, 128, 255),
    "privacy.replay": (2, 3, 128, 255),
    "privacy.epsilon": (_NAN, _INF, -_INF),
    "privacy.delta": (_NAN, _INF, -_INF, 1.0, 1e300, -1e-9),
    "privacy.detector_hz": (*_WILD, -0.5, 0.25, 5.0, 7.999, 60.1, 120.0),
    "privacy.pose_hz": (*_WILD, -0.5, 0.49, 1.5, 12.0, 61.0, 1e9),
    "privacy.unseen_people": (16, 17, 128, 255),
    "environment.png.header.seconds": (1, -1, 2**31 - 1),
    "environment.png.header.nanoseconds": (1, 10**9, 2**32 - 1),
}
_TEXTS = (
    b"", b"Mr Smith in bed 4", b"room one", b"../room1", b"room1/**", b"ROOM1", "zimmer\u00e4".encode(), b"room1\n",
    b"a" * 65, b"x" * 129, b"y" * 600, b"\xff\xfe\xfa", b"\xc3\x28", b"\xed\xa0\x80", b"a\x00b", b"<script>", b"room2",
    b"ib48-2 ", b"jpeg", b"png\x00", b"int16", b"raw", b" ", b"%s%n", b"motion near the door, face visible",
)  # fmt: skip
_ANNOUNCED = (0, 1, 64, 65, 512, 513, 4096, 4097, 2**16, 10**9, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
_SHAPES = (
    (), (0,), (0, 128), (128, 0), (65536,) * 4, (2**31, 2, 2**31, 2), (2**32 - 1,) * 4, (4097,), (127,), (1,) * 5,
    (2**16, 2**16), (2**32 - 1, 2**32 - 1), (1, 1, 1, 129), (2**20,) * 3,
)  # fmt: skip


def bad_number(random: Random, raw: Raw) -> bytes:
    """Give a number a value that its field must not have."""
    name = random.choice(tuple(_BAD_NUMBERS))
    raw[name] = number(TABLE[name], random.choice(_BAD_NUMBERS[name]))
    return write(raw)


def withhold(random: Random, raw: Raw) -> bytes:
    """Be whole and valid, but for the verdict of the privacy engine."""
    raw["privacy.verdict"] = number("B", 0)
    raw["privacy.reason"] = string(random.choice(("motion", "a person was seen", "")))
    return write(raw)


def bad_text(random: Random, raw: Raw) -> bytes:
    """Put something else into a string."""
    name = random.choice([name for name, kind in TABLE.items() if kind == "s"])
    raw[name] = string(random.choice(_TEXTS))
    return write(raw)


def drop_terminator(random: Random, raw: Raw) -> bytes:
    """Take the closing zero from a string, or the whole of it."""
    name = random.choice([name for name, kind in TABLE.items() if kind == "s"])
    data = random.choice((bytes_of(raw, name).rstrip(b"\x00") or b"x", b""))
    raw[name] = (len(data), data)
    return write(raw)


def bad_count(random: Random, raw: Raw) -> bytes:
    """Announce more, or less, than there is, up to gigabytes."""
    name = random.choice(COUNTED)
    part = raw[name]
    assert isinstance(part, tuple)
    raw[name] = random.choice((*_ANNOUNCED, part[0] + 1, max(part[0] - 1, 0))), part[1]
    return write(raw)


def bad_shape(random: Random, raw: Raw) -> bytes:
    """Give z a shape that is not that of its values, also one whose product overflows to it."""
    shape = random.choice(_SHAPES)
    raw["embedding.shape"] = (len(shape), struct.pack(f"<{len(shape)}I", *shape))
    if random.random() < 0.7:
        data = random.choice((b"", bytes(128), bytes(4097)))
        raw["embedding.data"] = (len(data), data)
    return write(raw)


def bad_key(random: Random, raw: Raw) -> bytes:
    """Spoil one of the five κ: out of range, or of another frame than the others."""
    name = random.choice(KEYS)
    part, value = random.choice((
        ("frame_id", 0), ("frame_id", int(value_of(raw, f"{name}.frame_id")) + random.choice((1, 2**40))),
        ("seconds", -1), ("seconds", int(value_of(raw, f"{name}.seconds")) + 1), ("seconds", -(2**31)),
        ("nanoseconds", 10**9), ("nanoseconds", 2**32 - 1),
        ("nanoseconds", (int(value_of(raw, f"{name}.nanoseconds")) + 1) % 10**9),
    ))  # fmt: skip
    raw[f"{name}.{part}"] = number({"frame_id": "Q", "seconds": "i", "nanoseconds": "I"}[part], value)
    return write(raw)


def other_camera(random: Random, raw: Raw) -> bytes:
    """Be a whole and valid Ω of somebody else."""
    camera = random.choice(("room2", "room", "room11", "r", "z" * 64))
    for name in KEYS:
        raw[f"{name}.camera_id"] = string(camera)
    return write(raw)


def other_time(random: Random, raw: Raw) -> bytes:
    """Be from the past, or from the far future."""
    frame, seconds = int(value_of(raw, "key.frame_id")), int(value_of(raw, "key.seconds"))
    new = random.choice((
        (frame - 1, seconds - 5), (frame, seconds - random.choice((3600, 86400))), (1, 1), (frame + 1, 2**31 - 1),
        (frame + 1, seconds + 4 * 10**8),
    ))  # fmt: skip
    for name in KEYS:
        raw[f"{name}.frame_id"], raw[f"{name}.seconds"] = number("Q", new[0]), number("i", new[1])
    return write(raw)


def bad_pose(random: Random, raw: Raw) -> bytes:
    """Spoil one number of one person."""
    rows = bytearray(bytes_of(raw, "poses"))
    if not rows:
        return bad_number(random, raw)
    at = random.randrange(len(rows) // ROW_BYTES) * ROW_BYTES
    offset, code, value = random.choice((
        (0, "I", 0), (0, "I", 2 ** random.randrange(8, 33) - 1),
        (240, "B", random.randrange(64, 256)), (224, "B", random.randrange(2, 256)),
        (4 + 4 * random.randrange(4), "f", random.choice((_NAN, _INF, -_INF, 1e9, -1e9, 2e4))),
        (20 + 12 * random.randrange(17), "f", random.choice((_NAN, _INF, -_INF, 30721.0, -1e30, 2e4))),
        (24 + 12 * random.randrange(17), "f", random.choice((_NAN, _INF, -_INF, -30721.0, 1e30, -2e4))),
        (28 + 12 * random.randrange(17), "f", random.choice((_NAN, _INF, -_INF, -0.01, 1.01, -1e-30, 1e9))),
        (228 + 4 * random.randrange(3), "f", random.choice((_NAN, _INF, -_INF, 3.2, -3.2, 1e9))),
    ))  # fmt: skip
    struct.pack_into("<" + code, rows, at + offset, value)
    return _with_rows(raw, rows)


def bad_people(random: Random, raw: Raw) -> bytes:
    """Spoil people as a whole: boxes turned round, two of one number or layer, too many, angles without a head."""
    rows = bytearray(bytes_of(raw, "poses"))
    count = len(rows) // ROW_BYTES
    kind = random.randrange(5)
    if kind == 0 or not count:
        one = bytes(rows[:ROW_BYTES]) or bytes(ROW_BYTES)
        return _with_rows(raw, bytearray(one * random.choice((65, 66, 200, 2 if count else 1))))
    at = random.randrange(count) * ROW_BYTES
    if kind == 1:
        box = struct.unpack_from("<4f", rows, at + 4)
        struct.pack_into(
            "<4f", rows, at + 4, *random.choice(((*box[2:], *box[:2]), (box[0], *box[1:3], box[1]), (0,) * 4))
        )
    elif kind == 2:
        rows[at + 224] = 0
        struct.pack_into("<3f", rows, at + 228, random.choice((_NAN, 0.25, 1e-30)), 0, 0)
    else:
        duplicate = bytearray(rows[at : at + ROW_BYTES])
        duplicate[240 if kind == 3 else 0] ^= 1  # the same number in another layer, or another one in the same layer
        rows += duplicate
    return _with_rows(raw, rows)


def unknown_picture(random: Random, raw: Raw) -> bytes:
    """Name a picture that never came. A gate refuses it; a cloud asks for it, and goes on without after a while."""
    raw["environment.png.data"], raw["environment.sha256"] = (0, b""), random.randbytes(32)
    return write(raw)


def cut(random: Random, raw: Raw) -> bytes:
    """End early."""
    payload = write(raw)
    return payload[: random.choice((random.randrange(len(payload)), len(payload) - random.randint(1, 40)))]


def grow(random: Random, raw: Raw) -> bytes:
    """Insert bytes, or append some, up to a whole second message."""
    payload = write(raw)
    more = random.choice((random.randbytes(random.randint(4, 64)), payload, payload[4:], bytes(4), b"secret"))
    place = random.choice((len(payload), random.randrange(len(payload))))
    return payload[:place] + more + payload[place:]


def flip_bits(random: Random, raw: Raw) -> bytes:
    """Change bytes anywhere; what is still valid afterwards is told apart by the rules."""
    payload = bytearray(write(raw))
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        payload[random.randrange(len(payload))] ^= 1 << random.randrange(8)
    return bytes(payload)


def other_encoding(random: Random, raw: Raw) -> bytes:
    """Announce another encoding, be turned round, or be no message at all."""
    body = write(raw)[len(HEADER) :]
    turned = b"".join(body[at : at + 4][::-1] for at in range(0, len(body), 4))
    return random.choice((
        b"\x00\x00\x00\x00" + body, b"\x00\x00\x00\x00" + turned, b"\x00\x01\x80\x00" + body,
        b"\x00\x07\x00\x00" + body, b"\x00\x03\x00\x00" + body, HEADER + turned, body, HEADER, b"",
        b"GET / HTTP/1.1\r\n\r\n", random.randbytes(200),
        HEADER + random.randbytes(random.randrange(3000)), HEADER + bytes(3 * 640 * 48), b"\x1f\x8b\x08" + body,
    ))  # fmt: skip


def dirty_padding(random: Random, raw: Raw) -> bytes:
    """Put bytes where nothing is. A gate lets them through as zeros; a cloud refuses them."""
    payload = bytearray(write(raw))
    places = [at for start, end in padding(bytes(payload)) for at in range(start, end)]
    first, last = offsets(bytes(payload))["poses"]
    places += [
        first + 4 + row + at for row in range(0, last - first - 4, ROW_BYTES) for at in (225, 226, 227, 241, 242, 243)
    ]
    for place in random.sample(places, random.randint(1, len(places))):
        payload[place] = random.randint(1, 255)
    return bytes(payload) + random.choice((b"", b"PX"))


def _with_rows(raw: Raw, rows: bytearray) -> bytes:
    raw["poses"] = (len(rows) // ROW_BYTES, bytes(rows))
    return write(raw)


FIELDS: tuple[tuple[Mutation, int], ...] = (
    (bad_number, 10), (bad_text, 8), (drop_terminator, 4), (bad_count, 8), (bad_shape, 4), (bad_key, 6),
    (other_camera, 2), (other_time, 4), (bad_pose, 8), (bad_people, 6), (cut, 4), (grow, 4), (flip_bits, 6),
    (other_encoding, 4), (dirty_padding, 2), (withhold, 2), (unknown_picture, 1),
)  # fmt: skip
