"""A camera that attacks its cloud: `python -m privcam_evaluation.bench.hostile_camera ATTACK ENDPOINT CAMERA`.

It has a link of its own, keeps to the format where that costs the cloud most, and to no limit of the edge.
"""

import itertools
import os
import secrets
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import zenoh

from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import (
    MAX_HEIGHT,
    MAX_SUBJECTS,
    MAX_WIDTH,
    Embedding,
    Environment,
    Omega,
    PrivacyReport,
    SubjectPose,
    SyncKey,
    Verdict,
)
from privcam_link import cdr
from privcam_link.endpoints import connect_settings
from privcam_link.wire import Header, key_expression

# The cloud is measured: the attacker shall not take the processor from the other cameras, which are on this host too.
NICENESS = 5
VGA = (480, 640)
# The largest size that a cloud takes by default.
LARGE = (1728, 2304)
# Rate of attacks whose work is in each Ω.
RATE_HZ = 60.0
# A bomb inflates to this many bytes, from a thousandth.
BOMB_BYTES = 64 * 1024 * 1024


def _omega(camera: str, n: int, environment: Environment, poses: Sequence[SubjectPose] = ()) -> Omega:
    key = SyncKey(camera, n, time.time_ns())
    z = Embedding("hostile", (48,), 0.5, bytes(48), 0.25, 1.0)
    return Omega(key, replace(environment, key=key), list(poses), z, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))


def _picture(size: tuple[int, int], grey: int = 100) -> Environment:
    plate, confirmed = np.full((*size, 3), grey, np.uint8), np.ones(size, np.bool_)
    return environment_of(SyncKey("hostile", 1, 1), encode_environment(plate, confirmed), 1)


def _unknown(size: tuple[int, int]) -> Environment:
    return replace(_picture(VGA), digest=secrets.token_bytes(32), height=size[0], width=size[1], png=b"")


def huge_pictures(camera: str) -> Iterator[Omega]:
    """8K pictures of one colour: small on the line, 133 MB in memory. The digest need not be theirs to be decoded."""
    png = encode_environment(np.full((MAX_HEIGHT, MAX_WIDTH, 3), 9, np.uint8), np.ones((MAX_HEIGHT, MAX_WIDTH), bool))
    for n in itertools.count(1):
        unknown = replace(_unknown((MAX_HEIGHT, MAX_WIDTH)), confirmed_fraction=1.0)
        yield _omega(camera, n, replace(unknown, png=png))


def large_pictures(camera: str) -> Iterator[Omega]:
    """Pictures of the largest size that the cloud takes, each another one."""
    png = encode_environment(np.full((*LARGE, 3), 9, np.uint8), np.ones(LARGE, np.bool_))
    for n in itertools.count(1):
        yield _omega(camera, n, replace(_unknown(LARGE), confirmed_fraction=1.0, png=png))


def many_pictures(camera: str) -> Iterator[Omega]:
    """Noise in VGA, each picture another one: 1 MB each."""
    plate, confirmed = np.random.default_rng(1).integers(0, 256, (*VGA, 3), np.uint8), np.ones(VGA, np.bool_)
    for n in itertools.count(1):
        plate[0, 0] = n % 256, n // 256 % 256, n // 65536 % 256
        yield _omega(camera, n, environment_of(SyncKey(camera, 1, 1), encode_environment(plate, confirmed), 1))


def png_bombs(camera: str) -> Iterator[Omega]:
    """PNG files whose header says VGA and whose stream inflates to more."""
    rows = zlib.compress(bytes(BOMB_BYTES), 9)
    parts = (b"IHDR", struct.pack(">IIBBBBB", VGA[1], VGA[0], 8, 6, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    ]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
    for n in itertools.count(1):
        yield _omega(camera, n, replace(_unknown(VGA), png=png))


def new_digests(camera: str) -> Iterator[Omega]:
    """Ω that each name another picture that does not exist."""
    for n in itertools.count(1):
        yield _omega(camera, n, _unknown(VGA))


def crowds(camera: str) -> Iterator[Omega]:
    """As many people as an Ω holds, in one place, all in motion."""
    random, room = np.random.default_rng(2), _picture(VGA)
    for n in itertools.count(1):
        poses = []
        for subject in range(MAX_SUBJECTS):
            keypoints = np.full((17, 3), 0.9, np.float32)
            keypoints[:, 0] = 300 + subject + random.normal(0, 15, 17)
            keypoints[:, 1] = np.linspace(150, 400, 17) + random.normal(0, 15)
            poses.append(
                SubjectPose(subject + 1, (260.0 + subject, 150.0, 340.0 + subject, 400.0), keypoints, None, subject)
            )
        yield _omega(camera, n, room if n == 1 else room.without_png(), poses)


def flood(camera: str) -> Iterator[Omega]:
    """Small Ω."""
    room = _picture(VGA)
    for n in itertools.count(1):
        yield _omega(camera, n, room if n == 1 else room.without_png())


# Attacks by name, with the rate at which each sends; 0: as fast as it can.
ATTACKS: dict[str, tuple[Callable[[str], Iterator[Omega]], float]] = {
    "huge_pictures": (huge_pictures, 0.0),
    "large_pictures": (large_pictures, 0.0),
    "many_pictures": (many_pictures, 0.0),
    "png_bombs": (png_bombs, 0.0),
    "new_digests": (new_digests, RATE_HZ),
    "crowds": (crowds, RATE_HZ),
    "flood": (flood, 0.0),
    "queries": (flood, RATE_HZ),
}


def main(argv: Sequence[str]) -> int:
    """Attack until the process is ended."""
    attack, endpoint, camera = argv
    os.nice(NICENESS)
    make, rate_hz = ATTACKS[attack]
    config = zenoh.Config()
    for name, value in {**connect_settings([endpoint]), "mode": '"client"'}.items():
        config.insert_json5(name, value)
    queue, key = secrets.token_hex(8), key_expression(camera)
    with zenoh.open(config) as session, session.liveliness().declare_token(key):
        for n, omega in enumerate(make(camera), start=1):
            header = Header(n, 0, queue, n, 0)
            session.put(
                key,
                cdr.encode(omega),
                attachment=header.encode(),
                congestion_control=zenoh.CongestionControl.BLOCK,
                priority=zenoh.Priority.REAL_TIME,
            )
            if attack == "queries":
                for _ in range(100):
                    session.get("privcam/*/omega?digest=" + secrets.token_hex(32), lambda _reply: None, timeout=1.0)
            if rate_hz:
                time.sleep(1.0 / rate_hz)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
