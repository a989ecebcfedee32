"""Recognition across jumps of the camera's clock, and beside replays."""

from dataclasses import replace

import pytest

from privcam_core.events.scene_report import Event, Phase, SceneReport
from privcam_core.events.scene_streams import SceneStreams
from privcam_core.types.omega import Embedding, Environment, Omega, PrivacyReport, SyncKey, Verdict
from privcam_core.types.time import NS_PER_S

Z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
START_NS = 1_700_000_000 * NS_PER_S
DAY_S = 86400.0


class Counting:
    """Reports, as an event, how many Ω it has seen; refuses what is not newer, as recognizers do."""

    made = 0
    model_id = "counting"

    def __init__(self) -> None:
        Counting.made += 1
        self._newest_ns = self._seen = 0

    def update(self, omega: Omega) -> SceneReport:
        stamp_ns = omega.key.stamp_ns
        if stamp_ns <= self._newest_ns:
            raise ValueError("not newer than the last one")
        self._newest_ns, self._seen = stamp_ns, self._seen + 1
        event = Event("standing", 1.0, (1,), self._seen, Phase.ONGOING, stamp_ns, stamp_ns, "seen")
        return SceneReport(omega.key, [], [event], "Somebody.", self.model_id)


class Bench:
    """Streams with a clock of their own, at 10 Ω/s."""

    def __init__(self, *, with_replayed_events: bool = False) -> None:
        self.now_s = 50.0
        self.streams = SceneStreams(Counting, lambda: self.now_s, with_replayed_events=with_replayed_events)

    def send(self, seconds: float, *, replay: bool = False, passed_s: float = 0.1) -> SceneReport:
        self.now_s += passed_s
        key = SyncKey("room1", 1, START_NS + round(seconds * NS_PER_S))
        report = PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS, replay=replay)
        return self.streams.update(Omega(key, Environment(key, b"", bytes(32), 8, 8, 1.0, 1), [], Z, report))


def seen(report: SceneReport) -> list[int]:
    return [event.event_id for event in report.events]


@pytest.mark.parametrize("jump_s", [-DAY_S, -5.0, 0.0, DAY_S])
def test_clock_that_jumps_begins_an_epoch_and_recognition_anew(jump_s: float) -> None:
    bench = Bench()
    assert [seen(bench.send(0.1 * number)) for number in range(3)] == [[1], [2], [3]]
    assert [seen(bench.send(0.2 + jump_s + 0.1 * number)) for number in range(3)] == [[1], [2], [3]]
    assert (bench.streams.epoch, bench.streams.epochs) == (2, 1)


def test_each_round_of_a_loop_is_recognised_from_its_first_omega_on() -> None:
    bench = Bench(with_replayed_events=True)
    for round_ in range(1, 4):
        assert [seen(bench.send(0.1 * number, replay=True)) for number in range(5)] == [[n] for n in range(1, 6)]
        assert bench.streams.epoch == round_


def test_gap_in_which_time_went_on_is_no_epoch() -> None:
    bench = Bench()
    bench.send(0.0)
    bench.send(DAY_S, passed_s=DAY_S)
    bench.send(DAY_S + 0.1, passed_s=0.001)  # of a backlog, which comes at once
    assert bench.streams.epoch == 1


def test_replay_changes_nothing_of_the_live_stream() -> None:
    bench = Bench()
    assert seen(bench.send(1000.0)) == [1]
    assert bench.send(3.0, replay=True).events == ()
    assert bench.send(2.0, replay=True).events == ()
    assert seen(bench.send(1000.1)) == [2]
    assert bench.streams.epoch == 1


def test_replay_has_events_only_where_they_were_asked_for_and_its_caption_says_what_it_is() -> None:
    silent, asked = Bench(), Bench(with_replayed_events=True)
    assert silent.send(1.0, replay=True).events == ()
    assert seen(asked.send(1.0, replay=True)) == [1]
    for bench in (silent, asked):
        assert bench.send(1.1, replay=True).caption == "Replay. Somebody."
        assert bench.send(5.0).caption == "Somebody."
    assert replace(silent.send(1.2, replay=True), caption="") == replace(
        asked.send(1.2, replay=True), caption="", events=()
    )
