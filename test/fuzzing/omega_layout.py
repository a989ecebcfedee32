"""The table of docs/wire.md as data. Reads and writes Ω as raw parts, which may hold invalid values.

Written from the document, not from `privcam_link.cdr`: the two are compared with each other here.
"""

import struct
from itertools import pairwise

HEADER = b"\x00\x01\x00\x00"
ROW_BYTES = 244
# Behind its end a message may have this many bytes; bridges from DDS fill up to a multiple of four.
MAX_BEHIND = 3

# A number is its little-endian bytes. What is counted is its announced count and its bytes, which need not agree.
Part = bytes | tuple[int, bytes]
Raw = dict[str, Part]

_KEY = (("camera_id", "s"), ("frame_id", "Q"), ("seconds", "i"), ("nanoseconds", "I"))
KEYS = ("key", "environment.key", "poses.key", "embedding.key", "privacy.key")


def _key(name: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"{name}.{part}", kind) for part, kind in _KEY)


# Field -> kind: a code of `struct`, "s" a string, "b" a blob, "r" rows of poses, "d" dimensions, "h" 32 bytes.
TABLE: dict[str, str] = dict(
    (
        ("schema", "I"),
        *_key("key"),
        *_key("environment.key"),
        ("environment.png.header.seconds", "i"),
        ("environment.png.header.nanoseconds", "I"),
        ("environment.png.header.frame_id", "s"),
        ("environment.png.format", "s"),
        ("environment.png.data", "b"),
        ("environment.sha256", "h"),
        ("environment.base", "h"),
        ("environment.height", "I"),
        ("environment.width", "I"),
        ("environment.confirmed_fraction", "f"),
        ("environment.epoch", "I"),
        *_key("poses.key"),
        ("poses", "r"),
        *_key("embedding.key"),
        ("embedding.encoder_id", "s"),
        ("embedding.shape", "d"),
        ("embedding.dtype", "s"),
        ("embedding.scale", "f"),
        ("embedding.data", "b"),
        ("embedding.noise_sigma", "f"),
        ("embedding.clip_norm", "f"),
        *_key("privacy.key"),
        ("privacy.excluded_fraction", "f"),
        ("privacy.withheld_fraction", "f"),
        ("privacy.quarantined_fraction", "f"),
        ("privacy.verdict", "B"),
        ("privacy.sight", "B"),
        ("privacy.replay", "B"),
        ("privacy.reason", "s"),
        ("privacy.epsilon", "f"),
        ("privacy.delta", "d8"),
        ("privacy.detector_hz", "f"),
        ("privacy.pose_hz", "f"),
        ("privacy.unseen_people", "B"),
    )
)
_SIZES = {"I": 4, "i": 4, "f": 4, "Q": 8, "B": 1, "d8": 8}
_COUNTED = {"s": 1, "b": 1, "r": ROW_BYTES, "d": 4}
COUNTED = tuple(name for name, kind in TABLE.items() if kind in _COUNTED)


class Malformed(ValueError):
    """The bytes do not follow the table."""


def number(kind: str, value: float) -> bytes:
    """Return a number as its bytes. kind: as in TABLE."""
    return struct.pack("<" + kind.removesuffix("8"), value)


def value_of(raw: Raw, name: str) -> float:
    """Return the number in a field."""
    part = raw[name]
    assert isinstance(part, bytes)
    return struct.unpack("<" + TABLE[name].removesuffix("8"), part)[0]  # type: ignore[no-any-return]


def bytes_of(raw: Raw, name: str) -> bytes:
    """Return the bytes of a counted field, or of one of fixed size."""
    part = raw[name]
    return part if isinstance(part, bytes) else part[1]


def string(text: str | bytes) -> Part:
    """Return a string as it should be."""
    data = (text.encode() if isinstance(text, str) else text) + b"\x00"
    return len(data), data


def text_of(raw: Raw, name: str) -> bytes:
    """Return the characters of a string without the closing zero. Raises Malformed for anything else."""
    data = bytes_of(raw, name)
    if data[-1:] != b"\x00" or data.count(b"\x00") != 1:
        raise Malformed(name)
    return data[:-1]


def write(raw: Raw) -> bytes:
    """Return the bytes of a message, whatever is in it."""
    out = bytearray()
    for name, kind in TABLE.items():
        part = raw[name]
        if isinstance(part, tuple):
            out += bytes(-len(out) % 4) + number("I", part[0]) + part[1]
        else:
            out += bytes(-len(out) % _SIZES.get(kind, 1)) + part
    return HEADER + bytes(out)


def offsets(payload: bytes) -> dict[str, tuple[int, int]]:
    """Return where the fields of a well-formed message begin and end, their counts included."""
    found: dict[str, tuple[int, int]] = {}
    at = 0
    body = payload[len(HEADER) :]
    for name, kind in TABLE.items():
        size = 4 if kind in _COUNTED else _SIZES.get(kind, 1)
        start = at + -at % size
        if kind in _COUNTED:
            count = int.from_bytes(body[start : start + 4], "little")
            at = start + 4 + count * _COUNTED[kind]
        else:
            at = start + (32 if kind == "h" else size)
        if at > len(body):
            raise Malformed(f"{name}: ends early")
        found[name] = (start + len(HEADER), at + len(HEADER))
    return found


def padding(payload: bytes) -> list[tuple[int, int]]:
    """Return the places between the fields, from and to, where nothing is."""
    places = list(offsets(payload).values())
    return [(end, start) for (_, end), (start, _) in pairwise(places) if start > end]


def read(payload: bytes) -> Raw:
    """Return the parts of a message. Raises Malformed for what does not follow the table; values are not checked."""
    if payload[:3] != HEADER[:3]:
        raise Malformed("header")
    found = offsets(payload)
    if len(payload) - found["privacy.unseen_people"][1] > MAX_BEHIND:
        raise Malformed("bytes behind the end")
    raw: Raw = {}
    for name, (start, end) in found.items():
        part = payload[start:end]
        raw[name] = (int.from_bytes(part[:4], "little"), part[4:]) if TABLE[name] in _COUNTED else part
    return raw
