"""Each seal passes once. A clock that is set by hours stops nothing, and one wrong stamp neither."""

import pytest

from harness.sealed_gate import SealClock
from privcam_core.types.omega import SyncKey
from privcam_core.types.seals import Seal
from privcam_core.types.time import NS_PER_S
from privcam_edge.link.sealing import MAX_SEAL_AGE_NS
from privcam_edge.link.stamp_order import MAX_SKIPPED_FRAMES, RUNS_BURST, StampOrder
from privcam_link.validation import MAX_AHEAD_NS, Reason, Rejected

HOUR_NS = 3600 * NS_PER_S
START_NS = 1_700_000_000 * NS_PER_S
PERIOD_NS = NS_PER_S // 10


class Stream:
    """A camera that gives frames every 0.1 s, and the order of its Ω. `stamp_ns` is what its clock says."""

    def __init__(self, last: SyncKey | None = None) -> None:
        self.clock = SealClock()
        self.order = StampOrder(self.clock, last)
        self.frame, self.stamp_ns = 0, START_NS

    def seal(self) -> Seal:
        """Return the seal of the next frame."""
        self.clock.advance(0.1)
        self.frame += 1
        self.stamp_ns += PERIOD_NS
        return seal(self.frame, self.stamp_ns, self.clock())

    def offer(self, one: Seal) -> bool:
        """Offer an Ω; return whether it may pass."""
        try:
            self.order.require_turn(one)
        except Rejected as rejection:
            assert rejection.reason == Reason.ORDER
            return False
        self.order.accept(one)
        return True

    def run(self, count: int) -> int:
        """Offer the next frames; return how many passed."""
        return sum(self.offer(self.seal()) for _ in range(count))


def seal(frame: int, stamp_ns: int, sealed_ns: int) -> Seal:
    return Seal(SyncKey("room1", frame, stamp_ns), sealed_ns, *[bytes(32)] * 5)


def test_frames_one_after_the_other_pass_in_one_run() -> None:
    stream = Stream()
    assert (stream.run(100), stream.order.runs) == (100, 0)


@pytest.mark.parametrize("step_ns", [-30 * HOUR_NS, -HOUR_NS, -NS_PER_S, HOUR_NS, 8 * HOUR_NS, 400 * HOUR_NS], ids=str)
def test_clock_that_is_set_costs_no_omega(step_ns: int) -> None:
    stream = Stream()
    stream.run(50)
    stream.stamp_ns += step_ns
    assert stream.run(100) == 100
    assert stream.order.runs == 1


@pytest.mark.parametrize("step_ns", [-2 * HOUR_NS, 0, 2 * HOUR_NS], ids=str)
def test_camera_that_is_started_again_counts_from_one_and_passes(step_ns: int) -> None:
    stream = Stream()
    stream.run(500)
    stream.frame, stream.stamp_ns = 0, stream.stamp_ns + step_ns
    assert stream.run(20) == 20


@pytest.mark.parametrize("ahead_ns", [59 * NS_PER_S, HOUR_NS, 4 * 10**8 * NS_PER_S], ids=str)
def test_one_stamp_from_the_future_keeps_no_later_omega_back(ahead_ns: int) -> None:
    stream = Stream()
    stream.run(10)
    ahead = stream.seal()
    stream.offer(seal(ahead.key.frame_id, ahead.key.stamp_ns + ahead_ns, ahead.sealed_ns))
    assert stream.run(50) == 50


def test_stamps_are_bounded_by_the_clock_since_boot_from_the_begin_of_their_run_on() -> None:
    stream = Stream()
    stream.run(1)
    for _ in range(120):  # always a second ahead: each alone is near, all together are not
        stream.stamp_ns += NS_PER_S
        assert stream.run(1) == 1
    assert stream.order.runs == 120 * NS_PER_S // MAX_AHEAD_NS - 1


def test_runs_are_limited_and_refill_with_time() -> None:
    stream = Stream()
    stream.run(1)
    passed = 0
    for _ in range(30):
        stream.stamp_ns -= HOUR_NS
        passed += stream.run(1)
    assert passed == RUNS_BURST
    stream.clock.advance(60.0)
    assert stream.run(20) == 20


@pytest.mark.parametrize("jump", [MAX_SKIPPED_FRAMES + 100, 2**63], ids=str)
def test_frame_number_that_jumps_begins_a_run(jump: int) -> None:
    stream = Stream()
    stream.run(10)
    stream.frame += jump
    assert (stream.run(10), stream.order.runs) == (10, 1)
    stream.frame += MAX_SKIPPED_FRAMES // 2  # a slow edge skips frames
    assert (stream.run(10), stream.order.runs) == (10, 1)


def test_recorded_omega_never_pass_again() -> None:
    stream = Stream()
    seals = [stream.seal() for _ in range(20)]
    assert all(map(stream.offer, seals))
    assert not any(map(stream.offer, seals))
    stream.stamp_ns -= HOUR_NS
    assert stream.run(5) == 5
    assert not any(map(stream.offer, seals))


@pytest.mark.parametrize("age_ns", [MAX_SEAL_AGE_NS + NS_PER_S, 2 * HOUR_NS], ids=str)
def test_old_seal_does_not_pass_though_nothing_came_after_it(age_ns: int) -> None:
    stream = Stream()
    stream.run(1)
    kept = stream.seal()
    stream.clock.advance(age_ns / NS_PER_S)
    assert not stream.offer(kept)
    assert stream.run(3) == 3


def test_seal_from_the_future_does_not_pass() -> None:
    stream = Stream()
    stream.run(1)
    kept = stream.seal()
    assert not stream.offer(seal(kept.key.frame_id, kept.key.stamp_ns, stream.clock() + NS_PER_S))
    assert stream.offer(stream.seal())


def test_after_a_restart_only_what_comes_after_the_last_one_passes_of_what_was_sealed_before() -> None:
    before = Stream()
    seals = [before.seal() for _ in range(6)]
    after = Stream(last=seals[2].key)
    after.clock.now_ns = before.clock.now_ns
    after.order = StampOrder(after.clock, seals[2].key)
    assert [after.offer(one) for one in seals] == [False, False, False, True, True, True]
    # Back in time is only what is sealed after the start.
    old = seal(1, START_NS - HOUR_NS, seals[5].sealed_ns - 1)
    assert not after.offer(old)
    assert after.offer(seal(1, START_NS - HOUR_NS, after.clock()))


def test_gate_without_a_past_takes_nothing_that_was_sealed_before_its_start() -> None:
    stream = Stream()
    early = stream.seal()
    stream.order = StampOrder(stream.clock)
    assert not stream.offer(early)
    assert stream.run(3) == 3
