"""Ω by digest becomes Ω with its picture, in order, or is counted as lost."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privcam_cloud.link.environments import EnvironmentStore, Lost
from privcam_core.omega import Embedding, Environment, Omega, PrivacyReport, SyncKey, Verdict

A, B, C = b"picture a", b"picture b", b"picture c"


def digest(png: bytes) -> bytes:
    return sha256(png).digest()


def whole(frame: int, png: bytes = A, camera: str = "room1") -> Omega:
    key = SyncKey(camera, frame, 10**18 + frame)
    environment = Environment(key, png, digest(png), 8, 8, 1.0, 1)
    embedding = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
    return Omega(key, environment, [], embedding, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))


def bare(frame: int, png: bytes = A, camera: str = "room1") -> Omega:
    omega = whole(frame, png, camera)
    return replace(omega, environment=omega.environment.without_png())


class Bench:
    """A store whose clock and questions are in the test's hands."""

    def __init__(self, **settings: float) -> None:
        self.now = 50.0
        self.asked: list[tuple[str, bytes]] = []
        self.store = EnvironmentStore(
            lambda camera, wanted: self.asked.append((camera, wanted)),
            clock=lambda: self.now,
            **settings,  # type: ignore[arg-type]
        )

    def offer(self, *omegas: Omega) -> list[tuple[int, bytes]]:
        return [frame for omega in omegas for frame in frames(self.store.offer(omega))]

    def tick(self, seconds: float) -> list[tuple[int, bytes]]:
        self.now += seconds
        return frames(self.store.tick())


def frames(omegas: list[Omega]) -> list[tuple[int, bytes]]:
    return [(omega.key.frame_id, omega.environment.png) for omega in omegas]


def test_omega_with_its_picture_goes_on_at_once() -> None:
    bench = Bench()
    assert bench.offer(whole(1)) == [(1, A)]
    assert bench.asked == []


def test_omega_by_known_digest_gets_its_picture() -> None:
    bench = Bench()
    assert bench.offer(whole(1), bare(2), whole(3, B), bare(4, A), bare(5, B)) == [
        (1, A),
        (2, A),
        (3, B),
        (4, A),
        (5, B),
    ]


def test_unknown_digest_is_asked_for_and_all_that_waited_goes_on_in_order() -> None:
    bench = Bench()
    assert bench.offer(bare(1), bare(2), bare(3)) == []
    assert bench.asked == [("room1", digest(A))]
    assert bench.store.waiting == 3
    answer = whole(2)
    assert bench.offer(answer) == [(1, A), (2, A), (3, A)]
    assert (bench.store.waiting, bench.store.lost) == (0, {})


def test_known_picture_waits_behind_an_unknown_one_to_keep_the_order() -> None:
    bench = Bench()
    assert bench.offer(whole(1, A), bare(2, B), bare(3, A)) == [(1, A)]
    assert bench.offer(whole(2, B)) == [(2, B), (3, A)]


def test_answer_that_is_newer_than_all_is_an_omega_too() -> None:
    bench = Bench()
    bench.offer(bare(1))
    assert bench.offer(whole(4)) == [(1, A), (4, A)]


def test_omega_whose_picture_does_not_come_is_dropped_and_counted() -> None:
    bench = Bench(hold_s=5.0)
    bench.offer(bare(1, A), bare(2, B))
    bench.offer(whole(2, B))
    assert bench.tick(4.9) == []
    assert bench.tick(0.2) == [(2, B)]
    assert bench.store.lost == {Lost.NO_PICTURE: 1}


def test_question_is_repeated_until_it_is_answered_but_not_too_often() -> None:
    bench = Bench(hold_s=60.0, ask_again_s=1.0)
    bench.offer(bare(1), bare(2))
    for _ in range(10):
        bench.tick(0.25)
    assert len(bench.asked) == 3
    bench.offer(whole(2))
    bench.tick(5.0)
    assert len(bench.asked) == 3


def test_more_than_may_wait_costs_the_oldest() -> None:
    bench = Bench(hold=3)
    bench.offer(*(bare(frame) for frame in range(1, 6)))
    assert bench.store.lost == {Lost.TOO_MANY: 2}
    assert bench.offer(whole(5)) == [(3, A), (4, A), (5, A)]


def test_duplicates_and_older_ones_are_dropped_and_counted() -> None:
    bench = Bench()
    assert bench.offer(whole(2), whole(2), bare(2), whole(1)) == [(2, A)]
    assert bench.store.lost == {Lost.DUPLICATE: 3}


def test_picture_of_a_duplicate_is_kept() -> None:
    bench = Bench()
    bench.offer(whole(2, A))
    bench.offer(whole(1, B))
    assert bench.offer(bare(3, B)) == [(3, B)]


def test_cameras_do_not_wait_for_each_other_nor_share_pictures() -> None:
    bench = Bench()
    bench.offer(bare(1, A, "room1"))
    assert bench.offer(whole(1, A, "room2")) == [(1, A)]
    assert bench.offer(bare(2, A, "room1")) == []
    assert bench.asked == [("room1", digest(A))]


def test_omega_that_states_another_size_than_its_picture_is_dropped() -> None:
    bench = Bench()
    bench.offer(whole(1))
    other = bare(2)
    assert bench.offer(replace(other, environment=replace(other.environment, height=16)), bare(3)) == [(3, A)]
    assert bench.store.lost == {Lost.OTHER_SIZE: 1}


def test_pictures_beyond_the_memory_are_forgotten_longest_unused_first() -> None:
    bench = Bench(memory=2 * len(A))
    bench.offer(whole(1, A), whole(2, B), bare(3, A), whole(4, C))
    assert bench.offer(bare(5, A), bare(6, C)) == [(5, A), (6, C)]
    assert bench.offer(bare(7, B)) == []
    assert bench.asked == [("room1", digest(B))]


def test_number_of_cameras_is_bounded() -> None:
    bench = Bench(cameras=2)
    assert bench.offer(*(whole(1, A, f"room{n}") for n in range(4))) == [(1, A), (1, A)]
    assert bench.store.lost == {Lost.TOO_MANY_CAMERAS: 2}


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(1, 12), st.sampled_from([A, B, C]), st.booleans(), st.sampled_from([0.0, 0.5, 3.0])),
        max_size=40,
    )
)
def test_whatever_comes_goes_on_once_in_order_with_its_own_picture(
    arrivals: list[tuple[int, bytes, bool, float]],
) -> None:
    bench = Bench(hold=4)
    picture_of: dict[int, bytes] = {}
    out: list[tuple[int, bytes]] = []
    for frame, png, with_picture, wait in arrivals:
        own = picture_of.setdefault(frame, png)
        out += bench.tick(wait)
        out += bench.offer(whole(frame, own) if with_picture else bare(frame, own))
    assert [frame for frame, _ in out] == sorted({frame for frame, _ in out})
    assert all(png == picture_of[frame] for frame, png in out)
    assert bench.store.waiting <= 4


@pytest.mark.parametrize("seconds", [5.1, 1000.0])
def test_nothing_waits_for_ever(seconds: float) -> None:
    bench = Bench()
    bench.offer(bare(1), bare(2))
    assert bench.tick(seconds) == []
    assert (bench.store.waiting, bench.store.lost) == (0, {Lost.NO_PICTURE: 2})
