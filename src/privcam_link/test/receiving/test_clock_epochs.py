"""A camera whose clock was set goes on within a second; what was sent before, or forged once, begins no epoch."""

import time
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privcam_core.types.omega import SyncKey
from privcam_core.types.time import NS_PER_S
from privcam_link.receiving.clock_epochs import (
    EPOCHS_PER_MINUTE,
    IN_STEP_NS,
    ClockEpochs,
    Order,
)
from privcam_link.validation import MAX_AHEAD_NS, Reason, Rejected

NOW_NS = 1_700_000_000 * NS_PER_S
FRAME_NS = NS_PER_S // 10
DAY_NS = 24 * 3600 * NS_PER_S


class Stream:
    """A camera of 10 Hz. offset_ns: by how much its clock is ahead."""

    def __init__(self, offset_ns: int = 0, delay_ns: int = 30_000_000) -> None:
        self.now_ns = NOW_NS
        self.offset_ns = offset_ns
        self.delay_ns = delay_ns
        self.n = 0
        self.epochs = ClockEpochs(lambda: self.now_ns)

    def next(self) -> Order | Reason:
        """Send the next Ω; return what the cloud makes of it."""
        self.now_ns += FRAME_NS
        self.n += 1
        return self.judge(self.now_ns - self.delay_ns + self.offset_ns, self.n)

    def judge(self, stamp_ns: int, n: int) -> Order | Reason:
        try:
            return self.epochs.judge(SyncKey("room1", n, stamp_ns), n)
        except Rejected as rejection:
            return rejection.reason

    def run(self, seconds: float) -> list[Order | Reason]:
        return [self.next() for _ in range(round(10 * seconds))]


def lost_at_first(orders: Iterable[Order | Reason]) -> int:
    """Return after how many Ω the stream goes on, and check that it does not stop again."""
    judged = list(orders)
    lost = next(place for place, order in enumerate(judged) if order is Order.NEW_EPOCH)
    assert judged[lost + 1 :] == [Order.NEWER] * (len(judged) - lost - 1)
    return lost


@pytest.mark.parametrize("step_ns", [-DAY_NS, -3600 * NS_PER_S, -5 * NS_PER_S, 5 * NS_PER_S, 3600 * NS_PER_S, DAY_NS])
def test_clock_that_was_set_costs_less_than_a_second_of_the_stream(step_ns: int) -> None:
    stream = Stream()
    assert stream.run(30) == [Order.NEWER] * 300
    stream.offset_ns += step_ns
    assert lost_at_first(stream.run(30)) <= 5
    assert stream.epochs.epochs == 1


def test_clock_that_is_a_day_ahead_from_the_start_is_accepted_once_it_is_confirmed() -> None:
    stream = Stream(offset_ns=DAY_NS)
    assert lost_at_first(stream.run(10)) <= 5


def test_camera_that_is_started_again_with_a_new_queue_and_an_older_clock_goes_on() -> None:
    stream = Stream()
    stream.run(10)
    stream.epochs.begin_queue()
    stream.n, stream.offset_ns = 0, -DAY_NS
    assert lost_at_first(stream.run(10)) <= 5


@pytest.mark.parametrize("ahead_ns", [IN_STEP_NS // 2, IN_STEP_NS, 59 * NS_PER_S, MAX_AHEAD_NS, DAY_NS])
def test_one_forged_stamp_silences_true_ones_for_a_second_at_most(ahead_ns: int) -> None:
    stream = Stream()
    stream.run(30)
    stream.n += 1
    forged = stream.judge(stream.now_ns + ahead_ns, stream.n)
    assert forged is (Order.NEWER if ahead_ns <= IN_STEP_NS else Reason.ORDER)
    orders = stream.run(5)
    assert set(orders[: 10 * IN_STEP_NS // NS_PER_S + 1]) <= {Order.OLD, Order.NEWER, Order.NEW_EPOCH}
    assert orders[10 * IN_STEP_NS // NS_PER_S + 1 :] == [Order.NEWER] * (len(orders) - 11)


def test_repeated_samples_never_begin_an_epoch() -> None:
    stream = Stream()
    sent = []
    for _ in range(100):
        stream.next()
        sent.append((stream.now_ns, stream.n))
    for stamp_ns, n in sent:  # exactly as fast as they were sent
        stream.now_ns += FRAME_NS
        assert stream.judge(stamp_ns, n) is Order.OLD
    assert stream.epochs.epochs == 0


def test_samples_that_arrive_faster_than_their_stamps_advance_begin_no_epoch() -> None:
    stream = Stream()
    stream.run(10)
    for place in range(1000):  # an old recording with new numbers, all at once
        stream.now_ns += FRAME_NS // 20
        stream.judge(NOW_NS - DAY_NS + place * FRAME_NS, stream.n + 1 + place)
    assert stream.epochs.epochs == 0


def test_two_samples_far_apart_begin_no_epoch() -> None:
    stream = Stream()
    stream.run(10)
    stream.offset_ns = -DAY_NS
    for _ in range(2):
        stream.now_ns += NS_PER_S
        assert stream.next() is Order.OLD
    stream.now_ns += NS_PER_S
    assert stream.next() is Order.NEW_EPOCH


def test_camera_whose_clock_jumps_all_the_time_begins_few_epochs() -> None:
    stream = Stream()
    for place in range(59):
        stream.offset_ns = -place * DAY_NS // 100
        stream.run(1)
    assert stream.epochs.epochs == EPOCHS_PER_MINUTE
    stream.run(60)
    assert stream.epochs.epochs == EPOCHS_PER_MINUTE + 1
    assert stream.next() is Order.NEWER


def test_late_first_omega_is_no_sign_of_a_clock_that_was_set() -> None:
    stream = Stream(delay_ns=20 * NS_PER_S)
    assert stream.next() is Order.NEWER
    stream.delay_ns = 0
    assert stream.run(10) == [Order.NEWER] * 100


@pytest.mark.parametrize("offset_ns", [-DAY_NS, 0, 40 * NS_PER_S])
def test_offset_is_that_of_the_quickest_omega(offset_ns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(offset_ns)
    monkeypatch.setattr("privcam_link.receiving.clock_epochs.time.time_ns", lambda: stream.now_ns)
    for delay_ms in (400, 90, 30, 250, 30, 700):
        stream.delay_ns = delay_ms * 1_000_000
        stream.now_ns += NS_PER_S
        stream.next()
    assert stream.epochs.behind_ns == 30_000_000 - offset_ns


def test_offset_follows_a_clock_that_drifts() -> None:
    stream = Stream()
    for _ in range(2000):
        stream.run(1)
        stream.offset_ns -= NS_PER_S // 1000  # a millisecond per second
    assert stream.epochs.epochs == 0
    behind_ns = stream.epochs.behind_ns
    assert behind_ns is not None
    by_monotonic_ns = behind_ns - (time.time_ns() - stream.now_ns)  # this host is not in 2023, as the stream is
    # The smallest delay of the last five minutes is that of five minutes ago.
    assert 1.6 * NS_PER_S < by_monotonic_ns < 2.1 * NS_PER_S


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(-3, 10), st.integers(-2 * DAY_NS, 2 * DAY_NS), st.integers(0, NS_PER_S)), max_size=80
    )
)
def test_whatever_comes_stamps_rise_within_an_epoch_and_an_epoch_is_confirmed(
    sent: list[tuple[int, int, int]],
) -> None:
    now_ns, n = NOW_NS, 5
    epochs = ClockEpochs(lambda: now_ns)
    newest_ns, since_ns, suspicious = 0, 0, 0
    for step, offset_ns, passed_ns in sent:
        now_ns += passed_ns
        n = max(1, n + step)
        try:
            order = epochs.judge(SyncKey("room1", n, now_ns + offset_ns), n)
        except Rejected:
            order = None
        if order is Order.NEWER:
            assert now_ns + offset_ns > newest_ns
        if order is Order.NEW_EPOCH:
            assert suspicious + 1 >= 3
            assert now_ns - since_ns >= NS_PER_S // 4
        if order in (Order.NEWER, Order.NEW_EPOCH):
            newest_ns, suspicious = now_ns + offset_ns, 0
        else:
            since_ns = since_ns if suspicious else now_ns
            suspicious += 1
