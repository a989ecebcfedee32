"""Stamps keep order and distance, whatever is done to the wall clock of the host."""

import time
from itertools import pairwise

import pytest

from privcam_core.types.stamp_clock import MAX_SLEW_PPM, StampClock
from privcam_core.types.time import NS_PER_S

HOUR_NS = 3600 * NS_PER_S
START_NS = 1_800_000_000 * NS_PER_S
PERIOD_NS = NS_PER_S // 25


class Host:
    """A host with a clock since boot, and a wall clock that can be set and that drifts by `drift_ppm` against it."""

    def __init__(self, drift_ppm: int = 0) -> None:
        self.boot_ns = 50 * NS_PER_S
        self.wall_ns = START_NS
        self._drift_ppm = drift_ppm

    def steady(self) -> int:
        return self.boot_ns

    def wall(self) -> int:
        return self.wall_ns

    def wait(self, duration_ns: int) -> None:
        self.boot_ns += duration_ns
        self.wall_ns += duration_ns + duration_ns * self._drift_ppm // 10**6

    def clock(self) -> StampClock:
        return StampClock(steady=self.steady, wall=self.wall)


def stamps(host: Host, clock: StampClock, count: int) -> list[int]:
    found = []
    for _ in range(count):
        host.wait(PERIOD_NS)
        found.append(clock.now())
    return found


def test_stamps_are_the_time_of_the_wall_clock_that_nobody_sets() -> None:
    host = Host()
    clock = host.clock()
    assert clock.now() == START_NS
    assert stamps(host, clock, 3) == [START_NS + number * PERIOD_NS for number in (1, 2, 3)]
    assert clock.offset_s() == 0.0


@pytest.mark.parametrize("hours", [-24 * 365, -5, -0.01, 0.01, 5, 24 * 365])
def test_wall_clock_that_is_set_changes_neither_order_nor_distance(hours: float) -> None:
    host = Host()
    clock = host.clock()
    before = stamps(host, clock, 25)
    host.wall_ns += round(hours * HOUR_NS)
    after = stamps(host, clock, 25 * 60)
    found = before + after
    limit = PERIOD_NS * MAX_SLEW_PPM // 10**6
    for earlier, later in pairwise(found):
        assert 0 < PERIOD_NS - limit <= later - earlier <= PERIOD_NS + limit
    assert clock.offset_s() == pytest.approx(3600 * hours, abs=MAX_SLEW_PPM * 1e-6 * 60 * 1.01)


def test_offset_says_how_far_and_in_which_direction_the_wall_clock_was_set() -> None:
    host = Host()
    clock = host.clock()
    host.wall_ns += 7 * NS_PER_S
    assert clock.offset_s() == 7.0
    host.wall_ns -= 20 * NS_PER_S
    assert clock.offset_s() == -13.0


@pytest.mark.parametrize("drift_ppm", [-200, 50, 200])
def test_drift_of_the_clocks_is_followed(drift_ppm: int) -> None:
    host = Host(drift_ppm)
    clock = host.clock()
    stamps(host, clock, 25 * 60)
    assert abs(clock.offset_s()) < 1e-4
    assert abs(clock.now() - host.wall_ns) < NS_PER_S // 1000


def test_small_step_is_followed_within_its_time_and_no_further() -> None:
    host = Host()
    clock = host.clock()
    host.wall_ns += NS_PER_S // 100
    needed_s = 0.01 / (MAX_SLEW_PPM * 1e-6)
    stamps(host, clock, round(25 * needed_s * 0.9))
    assert clock.offset_s() == pytest.approx(0.001, rel=0.1)
    stamps(host, clock, round(25 * needed_s))
    assert clock.offset_s() == 0.0


def test_two_stamps_of_one_moment_differ() -> None:
    host = Host()
    clock = host.clock()
    moment = host.steady()
    assert clock.stamp(moment) < clock.stamp(moment) < clock.stamp(moment - 5)


def test_clock_of_a_real_host_agrees_with_its_wall_clock() -> None:
    before = time.time_ns()
    found = StampClock().now()
    after = time.time_ns()
    # The two clocks are read one after the other, so the offset is wrong by at most the time of all this, and by what
    # the host corrects its wall clock by meanwhile.
    corrected = NS_PER_S // 1000
    assert before - corrected <= found <= after + (after - before) + corrected
