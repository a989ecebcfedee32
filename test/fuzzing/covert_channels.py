"""Hides data in valid Ω, in places that the rules leave free, and measures what the budgets leave to a film.

The gate has to remove what is hidden. What it cannot remove is the picture itself: a compromised eraser, which has the
key of the seals, may send any picture and any poses. How much of that leaves is limited by the budgets alone.
"""

import struct
from dataclasses import dataclass
from itertools import pairwise
from math import log2, pi
from random import Random

import numpy as np

from fuzzing.omega_layout import ROW_BYTES, Raw, bytes_of, number, value_of, write
from harness.sealed_gate import SealedGate
from privcam_core.images.environment import decode_environment, encode_environment, environment_of
from privcam_core.types.omega import (
    MAX_SUBJECTS,
    MAX_UNSEEN_PEOPLE,
    RATE_STEPS_HZ,
    Embedding,
    Omega,
    PrivacyReport,
    SubjectPose,
    SyncKey,
    Verdict,
)
from privcam_core.types.skeleton import KEYPOINT_COUNT, SEEN
from privcam_core.types.time import NS_PER_S
from privcam_edge.link.budgets import MIB, SUBJECTS_PER_S, Budgets
from privcam_edge.link.gate import MAX_REACH
from privcam_edge.link.stamp_order import MAX_SKIPPED_FRAMES
from privcam_link.canonical_form import STEPS_OF_RHO, STEPS_PER_PX, STEPS_PER_RAD
from privcam_link.patches import encode_patch

_UNSEEN_CONFIDENCES = (0.0, 0.05, 0.19)
_FILM_CAMERA = "film"
_FILM_ENCODER = Embedding("any", (1,), 0.5, b"\x00", 0.25, 1.0)
_FILM_START_NS = 1_700_000_000 * 10**9
# Of the pictures of Ω: values of a pixel that is confirmed, and the one that is not.
_PIXEL_VALUES = 256**3 + 1
# Of a privacy report: two fractions of four digits (the third is measured by the gate), ε and δ of three digits and up
# to 24 and 12 powers of ten, the sight, replay.
# The rates and unseen people of a report are in _RATES_BITS_PER_S: one triple a second, with the first Ω of the second.
_REPORT_BITS = 2 * log2(10001) + log2(900 * 24) + log2(900 * 12) + log2(10) + 1
_RATES_BITS_PER_S = 2 * log2(len(RATE_STEPS_HZ)) + log2(MAX_UNSEEN_PEOPLE + 1)


def hide_data(random: Random, raw: Raw) -> bytes:
    """Hide data in an Ω as a gate writes it, in several places at once, and return its bytes.

    The places: unseen keypoints, digits below the resolution, key, epoch and validity of the picture, layer numbers,
    the budget of an Ω without accounting, the sign of a rate that is zero, the order of the rows.
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
    for name in ("detector_hz", "pose_hz"):
        if not value_of(raw, f"privacy.{name}"):
            raw[f"privacy.{name}"] = number("f", random.choice((0.0, -0.0)))
    rows = bytes_of(raw, "poses")
    layers = sorted(random.sample(range(64), len(rows) // ROW_BYTES))
    hidden = [_row(random, rows[at : at + ROW_BYTES], layers[at // ROW_BYTES]) for at in range(0, len(rows), ROW_BYTES)]
    random.shuffle(hidden)
    raw["poses"] = (len(hidden), b"".join(hidden))
    return write(raw)


def _row(random: Random, row: bytes, layer: int) -> bytes:
    subject, *floats = struct.unpack_from("<I55f", row)
    valid, *angles = struct.unpack_from("<B3x3f", row, 224)
    box = [value + random.uniform(-0.45, 0.45) for value in floats[:4]]
    points: list[float] = []
    for u, v, rho in zip(floats[4::3], floats[5::3], floats[6::3], strict=True):
        if rho < 0.2:
            points += (random.uniform(-3e4, 3e4), random.uniform(-3e4, 3e4), random.choice(_UNSEEN_CONFIDENCES))
        else:
            points += (u + random.uniform(-0.45, 0.45), v + random.uniform(-0.45, 0.45), min(rho + 0.02, 1.0))
    if valid:
        angles = [angle + random.uniform(-0.03, 0.03) for angle in angles]
    padding = struct.unpack("<3B", random.randbytes(3))
    return struct.pack("<I55fB3B3fB3B", subject, *box, *points, valid, *padding, *angles, layer, *padding)


@dataclass(frozen=True)
class Film:
    """What left of a film whose every frame was offered as the picture of a sealed Ω.

    offered, left: pictures. seconds: of the film. bits: of the patches that left, which tell every pixel of them.
    allowed: most pictures that the budgets allow, computed from them.
    """

    offered: int
    left: int
    seconds: float
    bits: int
    allowed: int


def offer_film(budgets: Budgets, size: tuple[int, int], seconds: float, rate_hz: float, seed: int = 0) -> Film:
    """Offer a gate a film in which every pixel changes with every frame, with right seals. size: (H, W) px."""
    gate = SealedGate(_FILM_CAMERA, _FILM_ENCODER, max_rate_hz=240.0, budgets=budgets)
    random, count = np.random.default_rng(seed), int(seconds * rate_hz)
    shown: list[bytes] = []
    for frame in range(1, count + 1):
        gate.clock.advance(1 / rate_hz)
        key = SyncKey(_FILM_CAMERA, frame, _FILM_START_NS + int(frame * 1e9 / rate_hz))
        png = encode_environment(random.integers(0, 256, (*size, 3), np.uint8), np.ones(size, np.bool_))
        omega = Omega(key, environment_of(key, png, 1), [], _FILM_ENCODER, PrivacyReport(0, 0, 0, Verdict.PASS))
        left = gate.check(omega).environment
        if not shown or left.png != shown[-1]:
            shown.append(left.png)
    pictures = [decode_environment(png) for png in shown]
    size_bytes = len(shown[0]) + sum(len(encode_patch(new, base)) for base, new in pairwise(pictures))
    minutes, per_picture = seconds / 60, size_bytes / len(shown)
    allowed = min(
        budgets.pictures_per_minute * (1 + minutes),
        budgets.areas_per_minute * (1 + minutes),
        budgets.picture_mib_per_hour * MIB * (1 + minutes / 60) / per_picture,
    )
    return Film(count, len(shown), seconds, 8 * size_bytes, int(max(allowed, 1)))


def covert_capacity(
    budgets: Budgets, size: tuple[int, int], subjects: int, dimensions: int, rate_hz: float
) -> dict[str, float]:
    """Return the bits per s that a compromised part of the edge could hide in valid Ω, by part, in the long run.

    size: (H, W) px of the pictures. subjects: people in an Ω. dimensions: of z. rate_hz: Ω per s. `between` is any node
    that has no key: it can only leave Ω out. `eraser_poses` counts every value that leaves the gate, for as many poses
    as there are, or as the budget lets change. `stamps`: whoever makes κ, which the eraser seals.
    """
    area_bits = budgets.areas_per_minute / 60 * size[0] * size[1] * log2(_PIXEL_VALUES)
    pictures = min(8 * budgets.picture_mib_per_hour * MIB / 3600, area_bits)
    pose = pose_bits(max(size))
    return {
        "between": rate_hz,
        "embedder": 8 * dimensions * rate_hz,
        "eraser_pictures": pictures,
        "eraser_poses": pose * min(subjects * rate_hz, budgets.poses_per_second),
        "eraser_report": rate_hz * _REPORT_BITS,
        "eraser_rates": _RATES_BITS_PER_S,
        "stamps": rate_hz * (log2(NS_PER_S / rate_hz) + log2(MAX_SKIPPED_FRAMES)),
    }


def pose_bits(side: int) -> float:
    """Return the most bits that one pose that changed holds: a box, 17 keypoints, the head, number, layer, presence.

    side: the longer one of the picture, px. Of ρ there are the steps from SEEN on, and `not seen`. Subject numbers are
    those of a day.
    """
    coordinate = log2(2 * MAX_REACH * side * STEPS_PER_PX)
    rho = log2(STEPS_OF_RHO * (1 - SEEN) + 2)
    head = 2 * log2(2 * pi * STEPS_PER_RAD + 1) + log2(pi * STEPS_PER_RAD + 1)
    number, layer, presence = log2(SUBJECTS_PER_S * 86400), log2(MAX_SUBJECTS), 1.0
    return 4 * coordinate + KEYPOINT_COUNT * (2 * coordinate + rho) + head + number + layer + presence


@dataclass(frozen=True)
class PoseFlood:
    """What left of poses that are all others in every Ω. changed: poses that left new. seconds: of the flood."""

    offered: int
    changed: int
    seconds: float


def offer_poses(budgets: Budgets, subjects: int, seconds: float, rate_hz: float, seed: int = 0) -> PoseFlood:
    """Offer a gate Ω whose every pose changes at random every time, with right seals."""
    gate = SealedGate(_FILM_CAMERA, _FILM_ENCODER, max_rate_hz=240.0, budgets=budgets)
    random, count, changed = np.random.default_rng(seed), int(seconds * rate_hz), 0
    png = encode_environment(np.full((24, 32, 3), 90, np.uint8), np.ones((24, 32), np.bool_))
    left: dict[int, bytes] = {}
    for frame in range(1, count + 1):
        gate.clock.advance(1 / rate_hz)
        key = SyncKey(_FILM_CAMERA, frame, _FILM_START_NS + int(frame * 1e9 / rate_hz))
        poses = [
            SubjectPose(
                subject,
                (0.0, 0.0, 31.0, 23.0),
                (random.random((KEYPOINT_COUNT, 3)) * (32, 24, 1)).astype(np.float32),
                layer=subject,
            )
            for subject in range(1, subjects + 1)
        ]
        report = PrivacyReport(0, 0, 0, Verdict.PASS)
        passed = gate.check(Omega(key, environment_of(key, png, 1), poses, _FILM_ENCODER, report)).poses
        now = {pose.subject_id: pose.keypoints.tobytes() for pose in passed}
        changed += sum(left.get(subject) != points for subject, points in now.items())
        left = now
    return PoseFlood(count * subjects, changed, seconds)


def offer_rates(seconds: float, rate_hz: float, seed: int = 0) -> list[tuple[float, tuple[float, float, int]]]:
    """Offer a gate Ω with other rates and unseen people every time; return what left, with the seconds since boot."""
    gate, random = SealedGate(_FILM_CAMERA, _FILM_ENCODER, max_rate_hz=240.0), Random(seed)
    png = encode_environment(np.full((24, 32, 3), 90, np.uint8), np.ones((24, 32), np.bool_))
    left = []
    for frame in range(1, int(seconds * rate_hz) + 1):
        gate.clock.advance(1 / rate_hz)
        key = SyncKey(_FILM_CAMERA, frame, _FILM_START_NS + int(frame * 1e9 / rate_hz))
        detector_hz, pose_hz = random.choices(RATE_STEPS_HZ, k=2)
        unseen = random.randint(0, MAX_UNSEEN_PEOPLE)
        report = PrivacyReport(0, 0, 0, Verdict.PASS, detector_hz=detector_hz, pose_hz=pose_hz, unseen_people=unseen)
        passed = gate.check(Omega(key, environment_of(key, png, 1), [], _FILM_ENCODER, report)).privacy
        left.append((gate.clock.now_ns / NS_PER_S, (passed.detector_hz, passed.pose_hz, passed.unseen_people)))
    return left
