"""Ω by digest becomes Ω with its picture, in order, or goes on without and is counted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SyncKey, Verdict
from privcam_link.receiving.picture_resolver import PictureResolver
from privcam_link.receiving.picture_store import PictureStore
from privcam_link.receiving.quotas import Limits, ProcessorBudget
from privcam_link.receiving.reorder_buffer import LossReason

A, B, C = (encode_environment(np.full((8, 8, 3), n, np.uint8), np.ones((8, 8), np.bool_)) for n in (1, 2, 3))
NONE = b""
LIMITS = Limits(picture_processor=1e12)


def digest(png: bytes) -> bytes:
    return environment_of(SyncKey("room1", 1, 1), png, 1).digest


def whole(frame: int, png: bytes = A) -> Omega:
    key = SyncKey("room1", frame, 10**18 + frame)
    embedding = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
    return Omega(key, environment_of(key, png, 1), [], embedding, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))


class Bench:
    """A resolver whose clock and questions are in the test's hands."""

    def __init__(self, **settings: float) -> None:
        self.now = 50.0
        self.asked: list[bytes] = []

        def clock() -> float:
            return self.now

        self.pictures = PictureStore(
            lambda wanted, _have: self.asked.append(wanted),
            limits=LIMITS,
            processor=ProcessorBudget(LIMITS.picture_processor, clock),
            grace_s=1.0,
            clock=clock,
        )
        self.resolver = PictureResolver(self.pictures, clock=lambda: self.now, **settings)  # type: ignore[arg-type]

    def learn(self, png: bytes) -> None:
        self.pictures.learn(whole(1, png).environment)

    def offer(self, *omegas: Omega) -> list[tuple[int, bytes]]:
        return [(omega.key.frame_id, omega.environment.png) for omega in self.resolver.resolve(omegas)]

    def tick(self, seconds: float) -> list[tuple[int, bytes]]:
        self.now += seconds
        return self.offer()


def bare(frame: int, png: bytes = A) -> Omega:
    omega = whole(frame, png)
    return replace(omega, environment=omega.environment.without_png())


def test_omega_by_known_digest_gets_its_picture() -> None:
    bench = Bench()
    bench.learn(A)
    bench.learn(B)
    received = (bare(1), bare(2), bare(3, B), bare(4, A), bare(5, B))
    assert bench.offer(*received) == [(1, A), (2, A), (3, B), (4, A), (5, B)]
    assert (bench.asked, bench.resolver.lost) == ([], {})


def test_omega_keeps_everything_else_that_it_said_of_its_picture() -> None:
    bench = Bench()
    bench.learn(A)
    other = replace(bare(7), environment=replace(bare(7).environment, epoch=9))
    (ready,) = bench.resolver.resolve([other])
    assert replace(ready, environment=ready.environment.without_png()).environment == other.environment


def test_unknown_digest_is_asked_for_and_all_that_waited_goes_on_in_order() -> None:
    bench = Bench()
    assert bench.offer(bare(1), bare(2), bare(3)) == []
    assert (bench.asked, bench.resolver.waiting) == ([digest(A)], 3)
    bench.learn(A)
    assert bench.tick(0.0) == [(1, A), (2, A), (3, A)]
    assert (bench.resolver.waiting, bench.resolver.lost) == (0, {})


def test_known_picture_waits_behind_an_unknown_one_to_keep_the_order() -> None:
    bench = Bench()
    bench.learn(A)
    assert bench.offer(bare(1, A), bare(2, B), bare(3, A)) == [(1, A)]
    bench.learn(B)
    assert bench.offer(bare(4, B)) == [(2, B), (3, A), (4, B)]


def test_omega_whose_picture_does_not_come_goes_on_without_and_is_counted() -> None:
    bench = Bench(timeout_s=5.0)
    bench.offer(bare(1, A), bare(2, B))
    bench.learn(B)
    assert bench.tick(4.9) == []
    assert bench.tick(0.2) == [(1, NONE), (2, B)]
    assert bench.resolver.lost == {LossReason.NO_PICTURE: 1}


def test_question_is_repeated_until_it_is_answered_but_not_too_often() -> None:
    bench = Bench(timeout_s=60.0)
    bench.offer(bare(1), bare(2))
    for _ in range(12):
        bench.pictures.ended(digest(A)) if len(bench.asked) % 2 else None
        bench.tick(0.25)
    assert 1 <= len(bench.asked) <= 4
    bench.learn(A)
    asked = len(bench.asked)
    bench.tick(5.0)
    assert len(bench.asked) == asked


def test_more_than_may_wait_costs_the_oldest_its_picture() -> None:
    bench = Bench(max_waiting=3)
    assert bench.offer(*(bare(frame) for frame in range(1, 6))) == [(1, NONE), (2, NONE)]
    assert bench.resolver.lost == {LossReason.TOO_MANY: 2}
    bench.learn(A)
    assert bench.tick(0.0) == [(3, A), (4, A), (5, A)]


def test_omega_that_states_another_size_than_its_picture_never_gets_it() -> None:
    bench = Bench(timeout_s=5.0)
    bench.learn(A)
    other = bare(1)
    assert bench.offer(replace(other, environment=replace(other.environment, height=16)), bare(2)) == []
    assert bench.tick(5.1) == [(1, NONE), (2, A)]
    assert bench.resolver.lost == {LossReason.NO_PICTURE: 1}


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.tuples(st.sampled_from([A, B, C]), st.sampled_from([NONE, A, B, C]), st.sampled_from([0.0, 0.4, 3.0])),
        max_size=40,
    )
)
def test_whatever_comes_goes_on_once_in_order_with_its_own_picture_or_none(
    received: list[tuple[bytes, bytes, float]],
) -> None:
    bench = Bench(max_waiting=4)
    out: list[tuple[int, bytes]] = []
    for frame, (own, learnt, wait) in enumerate(received, start=1):
        if learnt:
            bench.learn(learnt)
        out += bench.tick(wait)
        out += bench.offer(bare(frame, own))
        assert bench.resolver.waiting <= 4
    out += bench.tick(3.0)
    assert [frame for frame, _ in out] == list(range(1, len(received) + 1))
    assert all(png in (NONE, received[frame - 1][0]) for frame, png in out)
    assert sum(not png for _, png in out) == sum(bench.resolver.lost.values())


@pytest.mark.parametrize("seconds", [1.1, 1000.0])
def test_nothing_waits_for_ever(seconds: float) -> None:
    bench = Bench()
    bench.offer(bare(1), bare(2))
    assert bench.tick(seconds) == [(1, NONE), (2, NONE)]
    assert (bench.resolver.waiting, bench.resolver.lost) == (0, {LossReason.NO_PICTURE: 2})


def test_nobody_can_stop_the_stream_with_pictures_that_do_not_exist() -> None:
    bench = Bench(max_waiting=1000)
    made_up = [
        replace(omega, environment=replace(omega.environment, digest=frame.to_bytes(32, "big")))
        for frame in range(1, 401)
        for omega in [bare(frame)]
    ]
    assert bench.offer(*made_up) == []
    assert [frame for frame, _ in bench.tick(1.5)] == list(range(1, 401))
