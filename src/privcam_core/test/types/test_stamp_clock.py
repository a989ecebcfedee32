"""Stamps keep order and distance, whatever is done to the wall clock of the host."""

import time
from itertools import pairwise

import pytest

from privcam_core.types.stamp_clock import (
    MAX_LATE_S,
    MAX_SLEW_PPM,
    MAX_STEP_S,
    DriverStamps,
    LateFrame,
    SimulatedStampClock,
    StampClock,
    is_of_now,
)
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

    def boottime(self) -> int:
        return self.boot_ns

    def wall(self) -> int:
        return self.wall_ns

    def wait(self, duration_ns: int) -> None:
        self.boot_ns += duration_ns
        self.wall_ns += duration_ns + duration_ns * self._drift_ppm // 10**6

    def clock(self) -> StampClock:
        return StampClock(boottime=self.boottime, wall=self.wall)


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
    moment = host.boottime()
    assert clock.stamp(moment) < clock.stamp(moment) < clock.stamp(moment - 5)


def test_clock_of_a_real_host_agrees_with_its_wall_clock() -> None:
    before = time.time_ns()
    found = StampClock().now()
    after = time.time_ns()
    # The two clocks are read one after the other, so the offset is wrong by at most the time of all this, and by what
    # the host corrects its wall clock by meanwhile.
    corrected = NS_PER_S // 1000
    assert before - corrected <= found <= after + (after - before) + corrected


def driven(host: Host, stamps: DriverStamps, first_ns: int, count: int, speed: float = 1.0) -> list[int]:
    """Return the stamps of frames that a driver, or a replay at `speed`, stamps from `first_ns` on."""
    found = []
    for number in range(count):
        host.wait(PERIOD_NS)
        found.append(stamps.follow(first_ns + round(number * PERIOD_NS * speed)))
    return found


@pytest.mark.parametrize("speed", [0.1, 1.0, 10.0])
def test_stamps_of_a_driver_or_replay_are_taken_as_they_are(speed: float) -> None:
    # A recording of last year, at any speed.
    first = START_NS - 365 * 24 * HOUR_NS
    host = Host()
    stamps = DriverStamps(boottime=host.boottime)
    assert driven(host, stamps, first, 50, speed) == [first + round(n * PERIOD_NS * speed) for n in range(50)]
    assert (stamps.steps, stamps.shift_ns) == (0, 0)


@pytest.mark.parametrize("step_s", [-5 * 3600.0, -2 * MAX_LATE_S, 2 * MAX_STEP_S, 5 * 3600.0])
def test_clock_of_a_driver_that_is_set_changes_neither_order_nor_distance(step_s: float) -> None:
    host = Host()
    stamps = DriverStamps(boottime=host.boottime)
    found = driven(host, stamps, START_NS, 25)
    found += driven(host, stamps, found[-1] + PERIOD_NS + round(step_s * NS_PER_S), 25)
    assert {later - earlier for earlier, later in pairwise(found)} == {PERIOD_NS}
    assert stamps.steps == 1
    assert stamps.shift_ns == -round(step_s * NS_PER_S)


def test_replay_that_begins_anew_goes_on_in_order() -> None:
    host = Host()
    stamps = DriverStamps(boottime=host.boottime)
    found = [stamp for _ in range(4) for stamp in driven(host, stamps, START_NS, 50)]
    assert {later - earlier for earlier, later in pairwise(found)} == {PERIOD_NS}
    assert stamps.steps == 3


def test_pause_of_a_driver_is_a_pause_of_its_stamps() -> None:
    host = Host()
    stamps = DriverStamps(boottime=host.boottime)
    first = driven(host, stamps, START_NS, 2)[-1]
    host.wait(HOUR_NS)
    assert driven(host, stamps, first + HOUR_NS, 1) == [first + HOUR_NS]
    assert stamps.steps == 0


def test_frame_that_comes_after_a_later_one_is_late_and_changes_nothing() -> None:
    host = Host()
    stamps = DriverStamps(boottime=host.boottime)
    last = driven(host, stamps, START_NS, 5)[-1]
    for late_ns in (1, PERIOD_NS, round(MAX_LATE_S * NS_PER_S)):
        with pytest.raises(LateFrame, match="before the one of the last frame"):
            stamps.follow(last - late_ns)
    assert driven(host, stamps, last + PERIOD_NS, 1) == [last + PERIOD_NS]
    assert stamps.steps == 0


def test_two_frames_that_a_driver_stamps_alike_differ() -> None:
    host = Host()
    stamps = DriverStamps(boottime=host.boottime)
    assert [stamps.follow(START_NS) for _ in range(3)] == [START_NS, START_NS + 1, START_NS + 2]


def test_simulated_time_gives_the_stamps_at_its_own_speed() -> None:
    host, simulated_ns = Host(), [7 * NS_PER_S]
    clock = SimulatedStampClock(lambda: simulated_ns[0], boottime=host.boottime)
    found = []
    for _ in range(5):
        host.wait(PERIOD_NS)
        simulated_ns[0] += 3 * PERIOD_NS
        found.append(clock.now())
    assert found == [7 * NS_PER_S + 3 * number * PERIOD_NS for number in range(1, 6)]
    assert clock.stamp(host.boottime() - 1000) == found[-1] + 1  # captured a little before now, and stamps grow


def test_simulation_that_begins_anew_or_stands_still_keeps_the_order() -> None:
    host, simulated_ns = Host(), [500 * NS_PER_S]
    clock = SimulatedStampClock(lambda: simulated_ns[0], boottime=host.boottime)
    before = [clock.now() for _ in range(3)]
    assert before == [500 * NS_PER_S, 500 * NS_PER_S + 1, 500 * NS_PER_S + 2]
    for _ in range(3):
        host.wait(PERIOD_NS)
        simulated_ns[0] = (simulated_ns[0] if simulated_ns[0] < NS_PER_S else 0) + PERIOD_NS
        before.append(clock.now())
    assert all(later - earlier > 0 for earlier, later in pairwise(before))
    assert before[-1] - before[-2] == PERIOD_NS
    assert clock.steps == 1


def test_without_simulated_time_no_frame_gets_a_stamp() -> None:
    with pytest.raises(LateFrame, match="nobody publishes /clock"):
        SimulatedStampClock(lambda: 0, boottime=Host().boottime).now()


@pytest.mark.parametrize(("apart_s", "within_s", "live"), [
    (0.0, 60.0, True), (59.9, 60.0, True), (-59.9, 60.0, True), (60.1, 60.0, False), (-86400.0, 60.0, False),
    (-86400.0, 0.0, True), (1e9, 0.0, True),
])  # fmt: skip
def test_stamp_of_another_time_than_now_is_that_of_a_recording(apart_s: float, within_s: float, live: bool) -> None:
    assert is_of_now(START_NS + round(apart_s * NS_PER_S), START_NS, within_s) is live
