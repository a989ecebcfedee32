"""Hides data in valid Ω, in places that the rules leave free. The gate has to remove all of it."""

import struct
from random import Random

from fuzzing.omega_layout import ROW_BYTES, Raw, bytes_of, number, value_of, write

_UNSEEN_CONFIDENCES = (0.0, 0.05, 0.19)


def hide_data(random: Random, raw: Raw) -> bytes:
    """Hide data in an Ω as a gate writes it, in several places at once, and return its bytes.

    The places: unseen keypoints, digits below the resolution, key, epoch and validity of the picture, layer numbers,
    the budget of an Ω without accounting, the order of the rows.
    """
    raw = dict(raw)
    frame = int(value_of(raw, "key.frame_id"))
    raw["environment.key.frame_id"] = number("Q", random.randint(1, frame))
    raw["environment.key.nanoseconds"] = number("I", random.randint(0, int(value_of(raw, "key.nanoseconds"))))
    raw["environment.epoch"] = number("I", random.randint(1, 2**32 - 1))
    raw["environment.confirmed_fraction"] = number(
        "f", abs(value_of(raw, "environment.confirmed_fraction") - random.uniform(0, 9e-4))
    )
    for name in ("excluded_fraction", "quarantined_fraction"):
        area = value_of(raw, f"privacy.{name}") + random.uniform(-4e-5, 4e-5)
        raw[f"privacy.{name}"] = number("f", min(max(area, 0.0), 1.0))
    raw["privacy.withheld_fraction"] = number("f", random.random())
    if value_of(raw, "privacy.epsilon") < 0:
        raw["privacy.epsilon"] = number("f", -random.uniform(1e-20, 1e20))
        raw["privacy.delta"] = number("d8", random.random())
    rows = bytes_of(raw, "poses")
    layers = sorted(random.sample(range(64), len(rows) // ROW_BYTES))
    hidden = [_row(random, rows[at : at + ROW_BYTES], layers[at // ROW_BYTES]) for at in range(0, len(rows), ROW_BYTES)]
    random.shuffle(hidden)
    raw["poses"] = (len(hidden), b"".join(hidden))
    return write(raw)


def _row(random: Random, row: bytes, layer: int) -> bytes:
    subject, *floats = struct.unpack_from("<I55f", row)
    valid, *angles = struct.unpack_from("<B3x3f", row, 224)
    box = [value + random.uniform(-0.03, 0.03) for value in floats[:4]]
    points: list[float] = []
    for u, v, rho in zip(floats[4::3], floats[5::3], floats[6::3], strict=True):
        if rho < 0.2:
            points += (random.uniform(-3e4, 3e4), random.uniform(-3e4, 3e4), random.choice(_UNSEEN_CONFIDENCES))
        else:
            points += (u + random.uniform(-0.03, 0.03), v + random.uniform(-0.03, 0.03), min(rho + 1e-3, 1.0))
    if valid:
        angles = [angle + random.uniform(-0.003, 0.003) for angle in angles]
    padding = struct.unpack("<3B", random.randbytes(3))
    return struct.pack("<I55fB3B3fB3B", subject, *box, *points, valid, *padding, *angles, layer, *padding)
