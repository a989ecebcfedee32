"""States that last: occupied, motionless, out of bed, wandering."""

from dataclasses import replace

import numpy as np
import pytest
from stick_figure import (
    LYING,
    SITTING,
    STANDING,
    Story,
    at,
    draw,
    events_by_label,
    moments,
    omega,
    walking,
)

from privcam_core.events.scene_report import OCCUPIED, OUT_OF_SIGHT, Event, Phase, Recognizer
from privcam_core.types.omega import PrivacyReport, Verdict
from privcam_core.types.sight import Sight
from privcam_recognition.rules.rule_model import RuleModel
from privcam_recognition.states import bed_exit, motionless, occupancy, out_of_sight, wandering
from privcam_recognition.temporal.temporal_model import TemporalModel

FOREVER = 1e9
STANDS: Story = [(0, STANDING), (FOREVER, STANDING)]
DARK = PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS, sight=Sight.DARK)
# A story, and when its figure is in view, s.
Act = tuple[Story, float, float]


def play(
    acts: dict[int, Act], seconds: float, model: Recognizer | None = None, fps: float = 5.0, dark_from: float = FOREVER
) -> dict[str, list[list[Event]]]:
    """Play several figures by their number; return the events by label, each as its reports."""
    model, random, reports = model or RuleModel(), np.random.default_rng(2), []
    for number, t in enumerate(moments(seconds, fps), 1):
        figures = {}
        for subject, (story, begin, end) in acts.items():
            if begin <= t < end:
                points = draw(at(story, t))
                points[:, :2] += random.normal(0, 2.0, (17, 2))
                figures[subject] = points
        frame = omega(number, t, figures)
        reports.append(model.update(replace(frame, privacy=DARK) if t >= dark_from else frame))
    return events_by_label(reports)


def lasted_s(event: list[Event]) -> float:
    return (event[-1].end_ns - event[-1].start_ns) / 1e9


@pytest.mark.parametrize("model", [RuleModel, TemporalModel])
def test_room_is_occupied_from_somebodys_coming_to_ten_seconds_after_their_going(model: type[Recognizer]) -> None:
    (event,) = play({1: (STANDS, 3, 20)}, 40, model())[OCCUPIED]
    assert event[0].phase is Phase.STARTED
    assert event[-1].phase is Phase.ENDED
    assert lasted_s(event) == pytest.approx(17 + occupancy.LEAVE_S, abs=1.0)


def test_whoever_follows_another_keeps_the_room_occupied() -> None:
    (event,) = play({1: (STANDS, 0, 10), 2: (STANDS, 15, 30)}, 35)[OCCUPIED]
    assert event[-1].phase is Phase.ONGOING
    assert set(event[-1].subject_ids) == {1, 2}


def test_box_of_half_a_second_occupies_no_room() -> None:
    assert OCCUPIED not in play({1: (STANDS, 3, 3.5)}, 10)


def test_whoever_lies_out_of_sight_keeps_the_room_occupied() -> None:
    (event,) = play({1: ([(0, LYING), (FOREVER, LYING)], 0, 8)}, 60)[OCCUPIED]
    assert event[-1].phase is Phase.ONGOING
    assert "out of sight" in event[-1].evidence


def test_room_that_the_camera_cannot_see_does_not_become_empty() -> None:
    (event,) = play({1: (STANDS, 0, 10)}, 60, dark_from=10)[OCCUPIED]
    assert event[-1].phase is Phase.ONGOING


@pytest.mark.parametrize("posture", [STANDING, SITTING, LYING], ids=["stands", "sits", "lies"])
def test_whoever_keeps_a_posture_for_five_minutes_is_motionless(posture: object) -> None:
    (event,) = play({1: ([(0, posture), (FOREVER, posture)], 0, FOREVER)}, 320, fps=1)[motionless.LABEL]
    assert (event[0].end_ns - event[0].start_ns) / 1e9 == pytest.approx(motionless.HELD_S, abs=2.0)
    assert event[0].confidence == pytest.approx(0.5, abs=0.05)


def test_whoever_shifts_now_and_then_is_not_motionless() -> None:
    shifts: Story = [(t, replace(SITTING, x=300 + 70 * (t // 100 % 2))) for t in range(0, 700, 100)]
    assert motionless.LABEL not in play({1: (shifts, 0, FOREVER)}, 600, fps=1)


def test_body_of_which_nothing_is_seen_is_not_called_motionless() -> None:
    model, reports = RuleModel(), []
    for number, t in enumerate(moments(400, 1), 1):
        points = draw(STANDING)
        if t > 5:
            points[:, 2] = 0.0
        reports.append(model.update(omega(number, t, {1: points})))
    assert motionless.LABEL not in events_by_label(reports)


def unseen(people: int) -> PrivacyReport:
    return PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS, unseen_people=people)


def test_whoever_nothing_finds_is_reported_after_ten_seconds_and_keeps_the_room_occupied() -> None:
    model, reports = RuleModel(), []
    for number, t in enumerate(moments(60, 5), 1):
        frame = omega(number, t, {1: draw(STANDING)} if t < 5 else {})
        reports.append(model.update(replace(frame, privacy=unseen(8 < t < 40))))
    found = events_by_label(reports)
    (event,) = found[OUT_OF_SIGHT]
    assert (event[0].end_ns - event[0].start_ns) / 1e9 == pytest.approx(out_of_sight.REPORT_S, abs=0.5)
    assert event[0].subject_ids == ()
    assert event[-1].phase is Phase.ENDED
    (occupied,) = found[OCCUPIED]
    assert lasted_s(occupied) > 35


def test_whoever_is_found_again_in_time_was_not_out_of_sight() -> None:
    model, reports = RuleModel(), []
    for number, t in enumerate(moments(40, 5), 1):
        frame = omega(number, t, {1: draw(STANDING)} if not 5 < t < 15 else {})
        reports.append(model.update(replace(frame, privacy=unseen(8 < t < 15))))
    assert OUT_OF_SIGHT not in events_by_label(reports)


BED = replace(LYING, hips=0.3)
AT_THE_EDGE = replace(SITTING, hips=0.5)


@pytest.mark.parametrize("number", [1, 2], ids=["same number", "another number"])
def test_whoever_rises_after_a_night_sits_up_and_is_out_of_bed(number: int) -> None:
    up: Story = [(0, BED), (70, BED), (72, AT_THE_EDGE), (82, AT_THE_EDGE), (83, STANDING), (FOREVER, STANDING)]
    acts = {1: (up, 0, 70.2 if number == 2 else FOREVER)}
    if number == 2:
        acts[2] = (up, 71.8, FOREVER)
    found = play(acts, 110)
    (sat_up,) = found[bed_exit.SAT_UP]
    (out,) = found[bed_exit.OUT_OF_BED]
    assert 70 < (sat_up[0].end_ns - sat_up[0].start_ns) / 1e9 + 70 < 76
    assert out[0].start_ns > sat_up[0].start_ns
    assert out[-1].phase is Phase.ENDED
    assert lasted_s(out) == pytest.approx(bed_exit.HELD_S, abs=1.0)


def test_whoever_lies_down_again_was_not_out_of_bed() -> None:
    tries: Story = [(0, BED), (70, BED), (72, AT_THE_EDGE), (80, AT_THE_EDGE), (82, BED), (FOREVER, BED)]
    found = play({1: (tries, 0, FOREVER)}, 110)
    (sat_up,) = found[bed_exit.SAT_UP]
    assert sat_up[-1].phase is Phase.ENDED
    assert bed_exit.OUT_OF_BED not in found


def test_whoever_lay_for_a_moment_was_not_in_bed() -> None:
    up: Story = [(0, BED), (20, BED), (22, STANDING), (FOREVER, STANDING)]
    found = play({1: (up, 0, FOREVER)}, 50)
    assert not {bed_exit.SAT_UP, bed_exit.OUT_OF_BED} & set(found)


def there_and_back(until: float) -> Story:
    """Return a figure that walks there and back for so long, s, and stands then."""
    story: Story = []
    for turn in range(int(until // 10)):
        forth = walking(10 * turn, 10 * turn + 5, x=100.0, speed=0.5)
        back = walking(10 * turn + 5, 10 * turn + 10, x=600.0, speed=-0.5)
        story += [*forth, *back]
    return [*story, (until, replace(STANDING, x=100)), (FOREVER, replace(STANDING, x=100))]


def test_whoever_walks_to_and_fro_for_a_minute_wanders_also_under_other_numbers() -> None:
    story = there_and_back(120)
    found = play({1: (story, 0, 40), 2: (story, 45, 85), 3: (story, 90, 120)}, 120)
    (event,) = found[wandering.LABEL]
    assert event[0].phase is Phase.STARTED
    assert len(event[-1].subject_ids) > 1


def test_whoever_goes_to_the_bathroom_and_back_does_not_wander() -> None:
    story = there_and_back(20)
    assert wandering.LABEL not in play({1: (story, 0, 20), 2: (story, 0, 0)}, 60)


def test_wandering_ends_when_the_walks_are_long_ago() -> None:
    story = there_and_back(90)
    (event,) = play({1: (story, 0, FOREVER)}, 420, fps=3)[wandering.LABEL]
    assert event[-1].phase is Phase.ENDED
