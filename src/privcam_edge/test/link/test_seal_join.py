"""Ω and seals find each other in any order, and nothing that somebody else sends displaces a true one."""

from hashlib import sha256

import numpy as np

from harness.sealed_gate import SealClock
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SyncKey, Verdict
from privcam_core.types.seals import Seals
from privcam_edge.link.seal_join import MAX_EARLY, MAX_WAITING_BYTES, TIMEOUT_NS, SealJoin
from privcam_edge.link.sealing import MAX_SEAL_AGE_NS, OmegaSealer, SealKeys, SealVerifier
from privcam_link import cdr

PNG = encode_environment(np.zeros((4, 4, 3), np.uint8), np.ones((4, 4), np.bool_))


class Bench:
    """A join, and Ω with their seals."""

    def __init__(self) -> None:
        self.clock, keys = SealClock(), SealKeys.random()
        self.sealer = OmegaSealer(keys, self.clock)
        self.foreign = OmegaSealer(SealKeys.random(), self.clock)
        self.join = SealJoin(SealVerifier(keys), self.clock)

    def make(self, frame: int, sealer: OmegaSealer | None = None) -> tuple[bytes, Seals]:
        key = SyncKey("room1", frame, 10**18 + frame)
        z = Embedding("ib", (1,), 0.5, b"\x01", 0.25, 1.0)
        made = Omega(key, environment_of(key, PNG, 1), [], z, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))
        return cdr.encode(made), (sealer or self.sealer).seal(made, sha256(PNG).digest())


def test_omega_comes_out_with_its_seals_whatever_comes_last() -> None:
    bench = Bench()
    payload, seals = bench.make(1)
    assert bench.join.add_seal(seals.published) == []
    assert bench.join.add_seal(seals.embedded) == []
    assert bench.join.add_omega(payload) == [(payload, seals)]
    payload, seals = bench.make(2)
    assert bench.join.add_omega(payload) == []
    assert bench.join.add_seal(seals.published) == []
    assert bench.join.add_seal(seals.embedded) == [(payload, seals)]
    payload, seals = bench.make(3)
    assert bench.join.add_seal(seals.embedded) == []
    assert bench.join.add_omega(payload) == []
    assert bench.join.add_seal(seals.published) == [(payload, seals)]
    assert bench.join.expire() == []


def test_forged_seals_are_counted_and_displace_nothing() -> None:
    bench = Bench()
    payload, seals = bench.make(1)
    _, forged = bench.make(1, bench.foreign)
    for one in (forged, seals, forged):
        bench.join.add_seal(one.published)
        bench.join.add_seal(one.embedded)
    assert bench.join.add_omega(payload) == [(payload, seals)]
    assert bench.join.forged == 4


def test_forged_omega_with_a_true_key_is_handed_on_beside_the_true_one() -> None:
    bench = Bench()
    payload, seals = bench.make(1)
    forged = payload[:-1] + b"\x01"
    assert bench.join.add_omega(forged) == []
    assert bench.join.add_omega(payload) == []
    bench.join.add_seal(seals.published)
    assert bench.join.add_seal(seals.embedded) == [(forged, seals), (payload, seals)]


def test_omega_without_seals_comes_out_unsealed_after_the_timeout() -> None:
    bench = Bench()
    payload, _ = bench.make(1)
    later, seals = bench.make(2)
    assert bench.join.add_omega(payload) == []
    bench.clock.now_ns += TIMEOUT_NS // 2
    assert bench.join.add_omega(later) == []
    bench.clock.now_ns += TIMEOUT_NS // 2
    assert bench.join.expire() == [(payload, None)]
    bench.join.add_seal(seals.published)
    assert bench.join.add_seal(seals.embedded) == [(later, seals)]


def test_bytes_that_are_no_omega_come_out_at_once_unsealed() -> None:
    bench = Bench()
    for payload in (b"", b"GET / HTTP/1.1", bytes(40), b"\x00\x01\x00\x00" + bytes(400)):
        assert bench.join.add_omega(payload) == [(payload, None)]


def test_flood_of_omega_does_not_fill_the_memory() -> None:
    bench = Bench()
    payload, _ = bench.make(1)
    large = payload + bytes(MAX_WAITING_BYTES // 4)
    given_up = [one for _ in range(40) for one in bench.join.add_omega(large)]
    assert len(given_up) >= 36
    assert all(seals is None for _, seals in given_up)


def test_flood_of_recorded_seals_displaces_no_new_one() -> None:
    bench = Bench()
    recorded = [bench.make(frame)[1] for frame in range(1, 3 * MAX_EARLY)]
    bench.clock.now_ns += MAX_SEAL_AGE_NS + 1
    payload, seals = bench.make(1000)
    bench.join.add_seal(seals.published)
    bench.join.add_seal(seals.embedded)
    for old in recorded:
        bench.join.add_seal(old.published)
        bench.join.add_seal(old.embedded)
    assert bench.join.add_omega(payload) == [(payload, seals)]
    assert bench.join.forged == 0


def test_seals_are_kept_no_longer_than_an_omega_may_need() -> None:
    bench = Bench()
    payload, seals = bench.make(1)
    bench.join.add_seal(seals.published)
    bench.join.add_seal(seals.embedded)
    bench.clock.now_ns += MAX_SEAL_AGE_NS + 1
    bench.join.add_seal(bench.make(2)[1].published)
    assert bench.join.add_omega(payload) == []
    assert bench.join.add_seal(seals.published) == []  # too old to be taken again


def test_seal_of_the_same_frame_that_comes_again_changes_nothing() -> None:
    bench = Bench()
    payload, seals = bench.make(1)
    bench.join.add_seal(seals.published)
    bench.join.add_seal(seals.embedded)
    again = bench.make(1)[1]
    assert again.published != seals.published
    assert bench.join.add_seal(again.published) == []
    assert bench.join.add_omega(payload) == [(payload, Seals(seals.published, seals.embedded))]
