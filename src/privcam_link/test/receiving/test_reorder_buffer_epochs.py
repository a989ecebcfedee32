"""A clock that was set costs the live stream a moment, and the recording nothing."""

from dataclasses import replace

import pytest

from privcam_core.types.omega import Embedding, Environment, Omega, PrivacyReport, SyncKey, Verdict
from privcam_core.types.time import NS_PER_S
from privcam_link import cdr
from privcam_link.receiving.reorder_buffer import LossReason, Received, ReorderBuffer
from privcam_link.validation import Reason, Rejected
from privcam_link.wire import Header

NOW_NS = 1_700_000_000 * NS_PER_S
FRAME_NS = NS_PER_S // 10
HOUR_NS = 3600 * NS_PER_S
Z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
PASS = PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS)


class World:
    """A camera of 10 Hz with its queue, and the cloud's buffer. A row: header and payload, by number."""

    def __init__(self) -> None:
        self.now_ns, self.offset_ns, self.queue = NOW_NS, 0, 1
        self.rows: list[tuple[Header, bytes]] = []
        self.stamps: list[int] = []
        self.live: list[int] = []
        self.recording: list[int] = []
        self.refused: list[Reason] = []
        self.buffer = ReorderBuffer("room1", now_ns=lambda: self.now_ns)
        self.buffer.record_from(0)

    def send(self, count: int, *, arrives: bool = True, replayed_ns: int = 0, rate: int = 1) -> None:
        """Send live Ω, or those of a replay whose stamps begin at `replayed_ns` and go `rate` times as fast as time."""
        for number in range(count):
            self.now_ns += FRAME_NS
            n = len(self.rows) + 1
            stamp_ns = replayed_ns + rate * number * FRAME_NS if replayed_ns else self.now_ns + self.offset_ns
            key = SyncKey("room1", n, stamp_ns)
            environment = Environment(key, b"", bytes(32), 8, 8, 1.0, 1)
            report = replace(PASS, replay=bool(replayed_ns))
            self.rows.append(
                (Header(n, 0, f"{self.queue:016x}", n, 0), cdr.encode(Omega(key, environment, [], Z, report)))
            )
            self.stamps.append(key.stamp_ns)
            if arrives:
                self.put(*self.rows[-1])

    def put(self, header: Header, payload: bytes) -> None:
        try:
            self._take(self.buffer.put(header, payload))
        except Rejected as rejection:
            self.refused.append(rejection.reason)

    def ask(self) -> None:
        """Fetch what is missing, as an edge answers: everything behind the row with the wanted stamp, by number."""
        after_ns = self.buffer.wanted_after_ns
        reply = self.buffer.begin_reply(after_ns)
        place = self.stamps.index(after_ns) + 1 if after_ns else 0
        for header, payload in self.rows[place:]:
            self._take(reply.take(replace(header, newest=len(self.rows)), payload))

    def _take(self, received: Received) -> None:
        self.live += [omega.key.frame_id for omega in received.live]
        self.recording += [omega.key.frame_id for omega in received.recording]


@pytest.mark.parametrize("step_ns", [-24 * HOUR_NS, -HOUR_NS, -10 * NS_PER_S, HOUR_NS, 24 * HOUR_NS])
def test_recording_has_everything_once_and_in_order_across_a_clock_that_was_set(step_ns: int) -> None:
    world = World()
    world.ask()
    world.send(20)
    world.offset_ns += step_ns
    world.send(20)
    world.ask()
    world.send(5)
    assert world.recording == list(range(1, 46))
    assert (world.live[:20], world.live[-20:]) == (list(range(1, 21)), list(range(26, 46)))
    assert world.buffer.epochs.epochs == 1
    assert world.buffer.lost[LossReason.EDGE] == 0
    assert not world.buffer.missing


@pytest.mark.parametrize("ahead_ns", [0, 24 * HOUR_NS])
def test_clock_that_was_set_back_while_the_line_was_down_loses_nothing(ahead_ns: int) -> None:
    world = World()
    world.offset_ns = ahead_ns
    world.ask()
    world.send(10)
    world.send(10, arrives=False)
    world.offset_ns = -HOUR_NS
    world.send(10, arrives=False)
    world.send(10)
    world.ask()
    world.send(10)
    world.ask()
    assert world.recording == list(range(1, 51))
    assert world.live[-5:] == list(range(46, 51))


def test_recorder_that_starts_again_behind_a_clock_that_was_set_back_gets_the_rest_once() -> None:
    world = World()
    world.ask()
    world.send(10)
    world.offset_ns -= HOUR_NS
    world.send(20)
    world.buffer.record_from(world.stamps[14])
    world.recording = list(range(1, 16))
    world.ask()
    world.send(5)
    assert world.recording == list(range(1, 36))


def test_samples_of_a_queue_that_was_replaced_are_refused() -> None:
    world = World()
    world.send(10)
    old = list(world.rows)
    world.queue, world.rows, world.stamps = 2, [], []
    world.send(10)
    live = list(world.live)
    for row in old:
        world.put(*row)
    assert world.refused == [Reason.ORDER] * len(old)
    assert world.live == live
    world.send(1)
    assert world.live == [*live, 11]


def test_skipped_numbers_are_counted() -> None:
    world = World()
    world.send(5)
    world.send(7, arrives=False)
    world.send(5)
    assert world.buffer.skipped == 7


@pytest.mark.parametrize("rate", [1, 2, 50])
@pytest.mark.parametrize("begins_ns", [NOW_NS - 365 * 24 * HOUR_NS, NOW_NS + 365 * 24 * HOUR_NS])
def test_replay_at_any_speed_and_of_any_time_arrives_whole_in_each_round(rate: int, begins_ns: int) -> None:
    world = World()
    for _ in range(6):
        world.send(20, replayed_ns=begins_ns, rate=rate)
    assert world.live == list(range(1, 121))
    assert (world.buffer.replays.epochs, world.buffer.replayed) == (5, 120)
    assert (world.refused, world.buffer.epochs.epochs) == ([], 0)


def test_replay_between_live_omega_changes_nothing_of_what_the_camera_may_send_next() -> None:
    world = World()
    world.send(20)
    world.send(20, replayed_ns=NOW_NS + 365 * 24 * HOUR_NS)  # far ahead: as a live stamp it would be refused
    world.send(20)
    assert world.live == list(range(1, 61))
    assert (world.refused, world.buffer.epochs.epochs) == ([], 0)


def test_repeated_sample_of_a_replay_is_no_new_round() -> None:
    world = World()
    world.send(10, replayed_ns=NOW_NS)
    for row in world.rows[:9]:
        world.put(*row)
    assert world.live == list(range(1, 11))
    assert world.buffer.replays.epochs == 0
