"""Offers whole and valid Ω that eraser and embedder of this start did not seal so: the attacks of another local user.

Each attack returns an Ω and its seals. The attacker has everything that was ever published, but not the keys.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from random import Random
from typing import Any

import numpy as np

from fuzzing import raw_png
from fuzzing.omega_layout import KEYS, Raw, bytes_of, number, read, string, value_of, write
from fuzzing.oracle import digest_of
from privcam_core.types.seals import Seals
from privcam_edge.link.sealing import OmegaSealer, SealKeys
from privcam_link import cdr

Clock = Callable[[], int]


@dataclass(frozen=True)
class Published:
    """What this edge published of a frame: the Ω and its seals."""

    payload: bytes
    seals: Seals


@dataclass
class Attacker:
    """What an attacker can use. newest: the frame that is on its way; recorded: an earlier one, which has left.

    keys: of this start, for attacks that have one of the two keys, or both, but do not do as eraser and embedder do.
    """

    random: Random
    newest: Published
    recorded: Published
    keys: SealKeys
    clock: Clock


Attack = Callable[[Attacker], tuple[bytes, Seals | None]]


def seal_all(payload: bytes, sealer: OmegaSealer, picture: bytes | None = None) -> Seals:
    """Return the seals of an Ω as it is. picture: SHA-256 of the inspected PNG, None: that of its own."""
    omega = cdr.decode(payload)
    return sealer.seal(omega, sha256(omega.environment.png).digest() if picture is None else picture)


def unsealed(attacker: Attacker) -> tuple[bytes, Seals | None]:
    """Publish on `omega` what nobody sealed."""
    return _with_raw_frame(attacker.random, attacker.newest.payload), None


def raw_frame(attacker: Attacker) -> tuple[bytes, Seals | None]:
    """Publish a frame as the picture of a sealed Ω, with its own digest or below the sealed one."""
    return _with_raw_frame(attacker.random, attacker.newest.payload), attacker.newest.seals


def other_bytes(attacker: Attacker) -> tuple[bytes, Seals | None]:
    """Change one value of a sealed Ω, so that it stays valid."""
    random, raw = attacker.random, read(attacker.newest.payload)
    report = ("privacy.excluded_fraction", "privacy.sight", "privacy.replay")
    name = random.choice(("embedding", "poses", *report, "environment.epoch"))
    rows = bytearray(bytes_of(raw, "poses"))
    if name == "poses" and rows:
        rows[20:24] = number("f", random.uniform(0, 1))
        raw["poses"] = len(rows) // 244, bytes(rows)
    elif name == "privacy.excluded_fraction":
        raw[name] = number("f", (value_of(raw, name) + 0.5) % 1)
    elif name == "privacy.sight":
        raw[name] = number("B", (int(value_of(raw, name)) + 1) % 10)
    elif name == "privacy.replay":
        raw[name] = number("B", 1 - int(value_of(raw, name)))
    elif name == "environment.epoch":
        raw[name] = number("I", int(value_of(raw, name)) + random.randint(1, 1000))
    else:
        data = bytearray(bytes_of(raw, "embedding.data"))
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        raw["embedding.data"] = len(data), bytes(data)
    return write(raw), attacker.newest.seals


def other_stamp(attacker: Attacker) -> tuple[bytes, Seals | None]:
    """Give a sealed Ω another time or number, as one that would stop the true ones for a minute."""
    random, raw = attacker.random, read(attacker.newest.payload)
    seconds, frame = int(value_of(raw, "key.seconds")), int(value_of(raw, "key.frame_id"))
    new = random.choice(((seconds + 59, frame), (seconds - 3600, frame), (seconds, frame + 1), (seconds + 10**8, 1)))
    return write(_with_key(raw, *new)), attacker.newest.seals


def other_frame(attacker: Attacker) -> tuple[bytes, Seals | None]:
    """Offer an Ω with the seals of another κ, both or one of them."""
    newest, recorded = attacker.newest.seals, attacker.recorded.seals
    mixed = (recorded, Seals(newest.published, recorded.embedded), Seals(recorded.published, newest.embedded))
    return attacker.newest.payload, attacker.random.choice(mixed)


def swapped(attacker: Attacker) -> tuple[bytes, Seals | None]:
    """Put a part of a recorded frame into the newest one, with the seals of either."""
    random, raw, old = attacker.random, read(attacker.newest.payload), read(attacker.recorded.payload)
    part = random.choice(("environment.", "poses", "embedding.", "privacy."))
    taken = {name: value for name, value in old.items() if name.startswith(part) and ".key." not in name}
    # A part that is the same in both frames, with its PNG or by digest, makes the newest Ω again.
    is_same = all(raw[name] == value for name, value in taken.items() if name != "environment.png.data")
    seals = attacker.recorded.seals if is_same or random.random() < 0.5 else attacker.newest.seals
    return write(raw | taken), seals


def replayed(attacker: Attacker) -> tuple[bytes, Seals | None]:
    """Publish a recorded Ω again, with its seals."""
    return attacker.recorded.payload, attacker.recorded.seals


def other_start(attacker: Attacker) -> tuple[bytes, Seals | None]:
    """Seal with keys of another start, or with only one of the two keys."""
    mine, foreign = attacker.keys, SealKeys(*(attacker.random.randbytes(32) for _ in range(3)))
    keys = attacker.random.choice((
        foreign,
        replace(mine, published=foreign.published),
        replace(mine, embedded=foreign.embedded),
        replace(mine, published=mine.embedded, embedded=mine.published),
        SealKeys(*[bytes(32)] * 3),
    ))  # fmt: skip
    return attacker.newest.payload, seal_all(attacker.newest.payload, OmegaSealer(keys, attacker.clock))


def other_camera(attacker: Attacker) -> tuple[bytes, Seals | None]:
    """Offer what another camera of this start sealed, under its own name or under this one."""
    raw = read(attacker.newest.payload)
    for name in KEYS:
        raw[f"{name}.camera_id"] = string("room2")
    theirs = write(raw)
    seals = seal_all(theirs, OmegaSealer(attacker.keys, attacker.clock))
    return attacker.random.choice((theirs, attacker.newest.payload)), seals


def forged_seal(attacker: Attacker) -> tuple[bytes, Seals | None]:
    """Change one field of a seal, as its time, or the digest of a part that was exchanged for another."""
    random, seals = attacker.random, attacker.newest.seals
    if random.random() < 0.2:
        digest = random.randbytes(32)
        return attacker.newest.payload, Seals(seals.published, replace(seals.embedded, code=digest))
    payload = _with_raw_frame(random, attacker.newest.payload) if random.random() < 0.5 else attacker.newest.payload
    made = seal_all(payload, OmegaSealer(SealKeys(*[bytes(32)] * 3), attacker.clock)).published
    name = random.choice(("picture", "environment", "poses", "privacy", "code", "sealed_ns"))
    value = getattr(made, name) if payload is not attacker.newest.payload else random.randbytes(32)
    if name == "sealed_ns":
        value = seals.published.sealed_ns + random.randint(1, 10**9)
    changed: dict[str, Any] = {name: value}
    return payload, Seals(replace(seals.published, **changed), seals.embedded)


def wrong_time(attacker: Attacker) -> tuple[bytes, Seals | None]:
    """Be sealed with the right keys, but long ago, or in the future: what an eraser with another clock would do."""
    shift_ns = attacker.random.choice((-40, -3600, 1, 60)) * 10**9
    sealer = OmegaSealer(attacker.keys, lambda: max(attacker.clock() + shift_ns, 1))
    return attacker.newest.payload, seal_all(attacker.newest.payload, sealer)


def not_inspected(attacker: Attacker) -> tuple[bytes, Seals | None]:
    """Be sealed with the right keys, for a picture whose bytes are not those that the inspection passed."""
    random = attacker.random
    payload = _with_raw_frame(random, attacker.newest.payload)
    inspected = random.choice((bytes(32), random.randbytes(32), attacker.newest.seals.published.picture))
    return payload, seal_all(payload, OmegaSealer(attacker.keys, attacker.clock), inspected)


ATTACKS: tuple[Attack, ...] = (
    unsealed, raw_frame, other_bytes, other_stamp, other_frame, swapped, replayed, other_start, other_camera,
    forged_seal, wrong_time, not_inspected,
)  # fmt: skip


def _with_key(raw: Raw, seconds: int, frame: int) -> Raw:
    changed = dict(raw)
    for name in KEYS:
        changed[f"{name}.seconds"], changed[f"{name}.frame_id"] = number("i", seconds), number("Q", frame)
    return changed


def _with_raw_frame(random: Random, payload: bytes) -> bytes:
    """Return an Ω with a picture that shows everything, as a frame does; its digest is its own or the sealed one."""
    raw = read(payload)
    size = int(value_of(raw, "environment.height")), int(value_of(raw, "environment.width"))
    rgba = np.frombuffer(random.randbytes(size[0] * size[1] * 4), np.uint8).reshape(*size, 4).copy()
    rgba[..., 3] = 255
    png = raw_png.join(raw_png.chunks_of(rgba))
    raw["environment.png.data"] = len(png), png
    if random.random() < 0.7:
        raw["environment.sha256"] = digest_of(rgba)
        raw["environment.confirmed_fraction"] = number("f", 1.0)
    return write(raw)
