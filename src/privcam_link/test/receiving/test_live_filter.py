"""Only what the bridge sealed just now is live; a replay changes nothing of it, whatever it says of itself."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from privcam_core.types.omega import Embedding, Environment, Omega, PrivacyReport, SyncKey, Verdict
from privcam_core.types.time import NS_PER_S
from privcam_link.receiving.live_filter import LIVE_S, MAX_WAITING, SEAL_WAIT_S, LiveFilter, digest_of

Z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
START_NS = 1_700_000_000 * NS_PER_S


def omega(number: int, *, replay: bool = False, png: bytes = b"") -> Omega:
    key = SyncKey("room1", number, START_NS + number * NS_PER_S // 10)
    report = PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS, replay=replay)
    return Omega(key, Environment(key, png, bytes(32), 8, 8, 1.0, 1), [], Z, report)


class Bench:
    """A filter with a clock of its own. handed: frame number, and whether it is said to be a replay."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.has_bridge = True
        self.handed: list[tuple[int, bool]] = []
        self.filter = LiveFilter(self._take, lambda: self.has_bridge, lambda: self.now_s)

    def _take(self, found: Omega) -> None:
        self.handed.append((found.key.frame_id, found.privacy.replay))

    def live(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.filter.add_seal(digest_of(omega(number)))
            self.filter.add_omega(omega(number))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_sealed_omega_is_live_in_either_order_of_the_two_topics(bench: Bench) -> None:
    bench.live([1])
    bench.filter.add_omega(omega(2, png=b"the picture is not part of the digest"))
    assert bench.handed == [(1, False)]
    bench.filter.add_seal(digest_of(omega(2)))
    assert bench.handed == [(1, False), (2, False)]


def test_recorded_omega_is_a_replay_though_it_says_that_it_is_live(bench: Bench) -> None:
    bench.has_bridge = False
    for number in (7, 8, 7, 8):
        bench.filter.add_omega(omega(number))
    assert bench.handed == [(7, True), (8, True), (7, True), (8, True)]


def test_first_live_omega_is_live_though_its_seal_comes_after_it(bench: Bench) -> None:
    bench.filter.add_omega(omega(1))
    assert bench.handed == []
    bench.filter.add_seal(digest_of(omega(1)))
    assert bench.handed == [(1, False)]


def test_replay_beside_a_live_camera_is_dropped_and_counted_and_delays_nothing(bench: Bench) -> None:
    bench.live([1, 2, 3])
    bench.filter.add_omega(omega(1))  # what came live a moment ago, byte for byte
    bench.filter.add_omega(omega(900))
    bench.live([4])
    assert bench.handed == [(number, False) for number in (1, 2, 3, 4)]
    bench.now_s += SEAL_WAIT_S
    bench.filter.expire()
    assert bench.handed == [(number, False) for number in (1, 2, 3, 4)]
    assert bench.filter.dropped == 2
    assert bench.filter.is_live


def test_seal_counts_once(bench: Bench) -> None:
    bench.live([1])
    bench.filter.add_omega(omega(1))
    bench.now_s += SEAL_WAIT_S
    bench.filter.expire()
    assert bench.handed == [(1, False)]
    assert bench.filter.dropped == 1


def test_replay_is_handed_on_when_nothing_is_live_any_more(bench: Bench) -> None:
    bench.live([1])
    bench.now_s += LIVE_S - 0.1
    bench.filter.add_omega(omega(5))
    bench.now_s += SEAL_WAIT_S
    bench.filter.expire()
    bench.filter.add_omega(omega(6))
    bench.now_s += SEAL_WAIT_S
    bench.filter.expire()
    assert bench.handed == [(1, False), (5, True), (6, True)]
    bench.live([2])
    assert bench.handed[-1] == (2, False)


def test_replay_of_an_edge_stays_one_though_the_bridge_sealed_it(bench: Bench) -> None:
    played = omega(3, replay=True)
    bench.filter.add_seal(digest_of(played))
    bench.filter.add_omega(played)
    assert bench.handed == [(3, True)]
    assert not bench.filter.is_live


def test_flag_that_is_taken_off_a_sealed_replay_breaks_its_seal(bench: Bench) -> None:
    played = omega(3, replay=True)
    bench.filter.add_seal(digest_of(played))
    bench.filter.add_omega(replace(played, privacy=replace(played.privacy, replay=False)))
    bench.now_s += SEAL_WAIT_S
    bench.filter.expire()
    assert bench.handed == [(3, True)]


def test_flood_of_replays_is_bounded_and_live_omega_go_through(bench: Bench) -> None:
    bench.live([1])
    for number in range(10, 10 + 3 * MAX_WAITING):
        bench.filter.add_omega(omega(number))
    bench.live([2])
    assert bench.handed == [(1, False), (2, False)]
    assert bench.filter.dropped == 2 * MAX_WAITING
