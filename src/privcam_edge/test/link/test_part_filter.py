"""Parts that eraser and embedder did not seal do not take the place of the true ones between eraser and gate."""

import random
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from harness.sealed_gate import SealClock
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_core.types.seals import Seals
from privcam_edge.link.part_filter import MAX_FRAMES, MAX_PARTS, PartFilter
from privcam_edge.link.sealing import MAX_SEAL_AGE_NS, OmegaSealer, Part, ProxyCoder, SealKeys, SealVerifier

NAMES = ("environment", "poses", "embedding", "privacy")


def png(level: int) -> bytes:
    return encode_environment(np.full((4, 6, 3), level, np.uint8), np.ones((4, 6), np.bool_))


def omega(frame: int, level: int = 90) -> Omega:
    key = SyncKey("room1", frame, 10**18 + frame)
    pose = SubjectPose(frame, (1.0, 2.0, 3.0, 4.0), np.full((17, 3), 0.5, np.float32))
    z = Embedding("ib", (1,), 0.5, bytes([frame % 250]), 0.25, 1.0)
    return Omega(key, environment_of(key, png(level), 1), [pose], z, PrivacyReport(0.1, 0.0, 0.0, Verdict.PASS))


class Node:
    """A node between eraser and gate. `taken` are the names and κ of the parts that it took."""

    def __init__(self) -> None:
        self.clock, self.keys = SealClock(), SealKeys.random()
        self.sealer = OmegaSealer(self.keys, self.clock)
        self.filter: PartFilter[tuple[str, int]] = PartFilter(SealVerifier(self.keys), self.clock)
        self.taken: list[tuple[str, int]] = []

    def seal(self, made: Omega) -> Seals:
        return self.sealer.seal(made, sha256(made.environment.png).digest())

    def send(self, name: str, part: Part, key: SyncKey) -> None:
        self.taken += self.filter.add_part(key, part, (name, key.frame_id))

    def send_all(self, made: Omega) -> None:
        for name in NAMES:
            self.send(name, getattr(made, name), made.key)

    def send_seals(self, seals: Seals) -> None:
        for seal in (seals.published, seals.embedded):
            self.taken += self.filter.add_seal(seal)


def forged(made: Omega) -> Omega:
    """Return another Ω with the same κ."""
    return Omega(
        made.key,
        environment_of(made.key, png(7), 1),
        [],
        replace(made.embedding, data=b"\xff"),
        replace(made.privacy, excluded_fraction=0.9),
    )


@pytest.mark.parametrize("seed", range(20))
def test_true_parts_pass_once_in_any_order_and_forged_ones_never(seed: int) -> None:
    node, order = Node(), random.Random(seed)
    made = omega(1)
    seals, other = node.seal(made), forged(made)
    foreign = OmegaSealer(SealKeys.random(), node.clock).seal(other, bytes(32))
    steps = [lambda one=one: node.taken.extend(node.filter.add_seal(one)) for one in (seals.published, seals.embedded)]
    steps += [lambda one=one: node.filter.add_seal(one) for one in (foreign.published, foreign.embedded)]
    for name in NAMES:
        steps += [lambda name=name: node.send(name, getattr(made, name), made.key)] * 2
        steps += [lambda name=name: node.send(name, getattr(other, name), made.key)] * 2
    order.shuffle(steps)
    for step in steps:
        step()
    assert sorted(node.taken) == sorted((name, 1) for name in NAMES)
    assert (node.filter.forged, node.filter.unsealed) == (2, 8)


def test_environment_is_taken_with_the_picture_that_was_inspected_or_by_digest() -> None:
    node, made = Node(), omega(1)
    node.send_seals(node.seal(made))
    hidden = replace(made.environment, png=png(8))
    node.send("hidden", hidden, made.key)
    node.send("bare", made.environment.without_png(), made.key)
    node.send_seals(node.seal(omega(2)))
    node.send("whole", omega(2).environment, omega(2).key)
    assert node.taken == [("bare", 1), ("whole", 2)]


def test_parts_that_came_before_their_seals_are_bounded() -> None:
    node = Node()
    for frame in range(1, 2 * MAX_FRAMES + 1):
        node.send_all(omega(frame))
    for frame in range(1, 2 * MAX_FRAMES + 1):
        node.send_seals(node.seal(omega(frame)))
    assert {frame for _, frame in node.taken} == set(range(MAX_FRAMES + 1, 2 * MAX_FRAMES + 1))
    flood = omega(100)
    for _ in range(3 * MAX_PARTS):
        node.send("poses", forged(flood).poses, flood.key)
    node.send_seals(node.seal(flood))
    assert node.filter.unsealed == MAX_PARTS


def test_recorded_frames_do_not_pass_again() -> None:
    node = Node()
    recorded = [(made, node.seal(made)) for made in map(omega, range(1, 30))]
    for made, seals in recorded:
        node.send_seals(seals)
        node.send_all(made)
    count = len(node.taken)
    assert count == 4 * len(recorded)
    for made, seals in recorded:
        node.send_seals(seals)
        node.send_all(made)
    node.clock.now_ns += MAX_SEAL_AGE_NS + 1
    node.send_seals(node.seal(omega(100)))
    for made, seals in recorded:
        node.send_all(made)
        node.send_seals(seals)
    assert len(node.taken) == count


def test_only_frames_of_the_composer_of_this_start_are_taken_and_each_once() -> None:
    keys, clock, pixels, key = SealKeys.random(), SealClock(), bytes(range(256)) * 40, omega(1).key
    composer, embedder = ProxyCoder(keys, clock), ProxyCoder(keys, clock)
    code, late = composer.code(key, pixels), composer.code(omega(2).key, pixels)
    assert composer.code(key, pixels) != code  # a key is used once
    for wrong in (
        (omega(2).key, pixels, code),
        (key, pixels[:-1] + b"\x00", code),
        (key, pixels, bytes(32)),
        (key, pixels, code[:-1] + bytes([code[-1] ^ 1])),
        (key, pixels, bytes([code[0] ^ 1]) + code[1:]),
        (key, pixels, b""),
        (key, pixels, ProxyCoder(SealKeys.random(), clock).code(key, pixels)),
    ):
        assert not embedder.take(*wrong)
    assert [embedder.take(key, pixels, code) for _ in range(2)] == [True, False]
    clock.now_ns += MAX_SEAL_AGE_NS + 1
    assert not embedder.take(omega(2).key, pixels, late)
    assert embedder.take(omega(3).key, pixels, composer.code(omega(3).key, pixels))


def test_first_seal_of_an_embedding_holds() -> None:
    node, made = Node(), omega(1)
    node.send_seals(node.seal(made))
    other = replace(made, embedding=replace(made.embedding, data=b"\x07"))
    node.send_seals(node.seal(other))
    node.send("second", other.embedding, made.key)
    node.send("first", made.embedding, made.key)
    assert node.taken == [("first", 1)]
