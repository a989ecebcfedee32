"""The cloud knows each picture whole, and asks for what it does not know."""

from dataclasses import replace

import numpy as np
import pytest

from privcam_core.images.environment import decode_environment, encode_environment, environment_of
from privcam_core.types.omega import Environment, SyncKey
from privcam_link.patches import encode_patch
from privcam_link.receiving.picture_store import PictureStore
from privcam_link.receiving.quotas import Limits, ProcessorBudget
from privcam_link.validation import Rejected
from privcam_link.wire import MAX_HAVE

LIMITS = Limits(picture_processor=1e12)


def environment(level: int) -> Environment:
    png = encode_environment(np.full((8, 8, 3), level, np.uint8), np.ones((8, 8), np.bool_))
    return environment_of(SyncKey("room1", 1, 10**18), png, 1)


def patch(new: Environment, base: Environment) -> Environment:
    png = encode_patch(decode_environment(new.png), decode_environment(base.png))
    return replace(new, png=png, base=base.digest)


A, B, C = environment(10), environment(20), environment(30)


class Bench:
    """PictureStore whose clock and questions are in the test's hands."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.now = 50.0
        self.asked: list[tuple[bytes, tuple[bytes, ...]]] = []

        def clock() -> float:
            return self.now

        self.pictures = PictureStore(
            lambda digest, have: self.asked.append((digest, have)),
            limits=limits,
            processor=ProcessorBudget(limits.picture_processor, clock),
            grace_s=2.0,
            clock=clock,
        )

    def want(self, wanted: Environment, after_s: float = 0.0) -> int:
        """Return how often was asked, by now."""
        self.now += after_s
        self.pictures.want(wanted.digest)
        return len(self.asked)


def test_whole_picture_is_known_from_then_on() -> None:
    bench = Bench()
    assert bench.pictures.get(A.digest) is None
    bench.pictures.learn(A)
    bench.pictures.learn(A)
    assert bench.pictures.get(A.digest) == A


def test_patch_is_known_as_the_whole_picture_that_it_makes() -> None:
    bench = Bench()
    bench.pictures.learn(A)
    bench.pictures.learn(patch(B, A))
    bench.pictures.learn(patch(C, B))
    assert bench.pictures.get(B.digest) == B
    assert bench.pictures.get(C.digest) == C
    assert bench.asked == []


def test_patch_on_an_unknown_picture_is_asked_for_anew() -> None:
    bench = Bench()
    bench.pictures.learn(patch(B, A))
    assert bench.pictures.get(B.digest) is None
    assert bench.asked == [(B.digest, ())]


@pytest.mark.parametrize(
    "wrong",
    [
        replace(B, png=B.png + b"hidden"),
        replace(B, png=A.png),
        replace(B, height=9),
        replace(patch(B, A), png=patch(C, A).png),
    ],
)
def test_picture_that_is_not_what_it_says_is_refused_and_stays_unknown(wrong: Environment) -> None:
    bench = Bench()
    bench.pictures.learn(A)
    with pytest.raises(Rejected):
        bench.pictures.learn(wrong)
    assert bench.pictures.get(B.digest) is None
    bench.pictures.learn(B)
    assert bench.pictures.get(B.digest) == B


def test_first_picture_of_a_camera_is_asked_for_at_once_and_one_at_a_time() -> None:
    bench = Bench()
    assert [bench.want(A), bench.want(A, 100.0)] == [1, 1]
    assert bench.asked == [(A.digest, ())]


def test_changed_picture_is_asked_for_only_when_it_does_not_come_by_itself() -> None:
    bench = Bench()
    bench.pictures.learn(A)
    assert [bench.want(B), bench.want(B, 1.9), bench.want(B, 0.2), bench.want(B, 9.0)] == [0, 0, 1, 1]
    assert bench.asked == [(B.digest, (A.digest,))]


def test_question_that_brought_nothing_is_repeated_but_not_at_once() -> None:
    bench = Bench()
    bench.want(A)
    bench.pictures.ended(A.digest)
    assert [bench.want(A), bench.want(A, 1.9), bench.want(A, 0.2)] == [1, 1, 2]
    bench.pictures.learn(A)
    bench.pictures.ended(A.digest)
    assert bench.pictures.get(A.digest) == A


def test_question_names_the_newest_pictures_of_that_camera_and_no_more_than_may_be() -> None:
    bench = Bench()
    known = [environment(level) for level in range(1, MAX_HAVE + 3)]
    for one in known:
        bench.pictures.learn(one)
    bench.want(A)
    bench.want(environment(250), 0.0)
    bench.want(environment(250), 2.1)
    ((_, have),) = bench.asked[-1:]
    assert have == tuple(one.digest for one in reversed(known))[:MAX_HAVE]


def test_pictures_beyond_the_memory_are_forgotten_longest_unused_first() -> None:
    valid, random = np.ones((120, 160), np.bool_), np.random.default_rng(1)
    large = [
        environment_of(A.key, encode_environment(random.integers(0, 256, (120, 160, 3), np.uint8), valid), 1)
        for _ in range(3)
    ]
    bench = Bench(replace(LIMITS, kept_bytes=len(large[0].png) * 5 // 2))
    for one in large[:2]:
        bench.pictures.learn(one)
    assert bench.pictures.get(large[0].digest) is not None
    bench.pictures.learn(large[2])
    assert [bench.pictures.get(one.digest) is not None for one in large] == [True, False, True]


def test_newest_picture_is_known_though_it_is_larger_than_the_memory() -> None:
    bench = Bench(replace(LIMITS, kept_bytes=1))
    for one in (A, B):
        bench.pictures.learn(one)
    assert [bench.pictures.get(one.digest) is not None for one in (A, B)] == [False, True]
