"""Whoever is down and was not seen to get up is reported, also out of sight, and helpers end nothing."""

from dataclasses import replace

import numpy as np
import pytest
from stick_figure import BENDING, FALL, LYING, SITTING, STANDING, Story, at, draw, events_by_label, moments, omega

from privcam_core.events.scene_report import Event, Phase, Recognizer
from privcam_core.types.omega import PrivacyReport, Verdict
from privcam_core.types.sight import Sight
from privcam_core.types.skeleton import Joint
from privcam_recognition.rules.long_lie import LABEL, REPORT_S
from privcam_recognition.rules.rule_model import RuleModel
from privcam_recognition.temporal.temporal_model import TemporalModel

FOREVER = 1e9
SLOWLY: Story = [(0, SITTING), (2, SITTING), (8, LYING), (FOREVER, LYING)]
LIES: Story = [(0, LYING), (FOREVER, LYING)]
# A story, and when its figure is in view, s.
Act = tuple[Story, float, float]


def play(acts: dict[int, Act], seconds: float, model: Recognizer | None = None, fps: float = 5.0) -> list[list[Event]]:
    """Play several figures by their number; return the long lies, each as its reports."""
    model, random, reports = model or RuleModel(), np.random.default_rng(2), []
    for number, t in enumerate(moments(seconds, fps), 1):
        figures = {}
        for subject, (story, begin, end) in acts.items():
            if begin <= t < end:
                points = draw(at(story, t))
                points[:, :2] += random.normal(0, 2.0, (17, 2))
                figures[subject] = points
        reports.append(model.update(omega(number, t, figures)))
    return events_by_label(reports)[LABEL]


def first_s(event: list[Event]) -> float:
    return (event[0].end_ns - event[0].start_ns) / 1e9


@pytest.mark.parametrize("fps", [2, 5, 15])
@pytest.mark.parametrize("story", [LIES, SLOWLY, [*FALL[:3], (FOREVER, LYING)]], ids=["always", "slowly", "falls"])
def test_whoever_lies_for_ten_seconds_is_reported_once(story: Story, fps: float) -> None:
    (event,) = play({1: (story, 0, FOREVER)}, 25, fps=fps)
    assert event[0].phase is Phase.STARTED
    assert first_s(event) == pytest.approx(REPORT_S, abs=1.0)
    assert event[-1].phase is Phase.ONGOING
    assert event[-1].confidence > 0.9


def test_temporal_model_reports_it_too() -> None:
    (event,) = play({1: (LIES, 0, FOREVER)}, 15, TemporalModel())
    assert first_s(event) == pytest.approx(REPORT_S, abs=1.0)


@pytest.mark.parametrize("lost_s", [4.5, 7.0, 12.0])
def test_whoever_is_lost_on_the_floor_is_reported_all_the_same(lost_s: float) -> None:
    (event,) = play({1: ([*FALL[:3], (FOREVER, LYING)], 0, lost_s)}, 40)
    assert first_s(event) == pytest.approx(REPORT_S, abs=1.0)
    assert event[-1].phase is Phase.ONGOING
    assert "not seen to get up" in event[-1].evidence
    assert "out of sight for" in event[-1].evidence


@pytest.mark.parametrize("story", [SITTING, STANDING, BENDING], ids=["sits", "stands", "bends"])
def test_other_postures_are_none(story: object) -> None:
    assert play({1: ([(0, story), (FOREVER, story)], 0, FOREVER)}, 25) == []


def test_whoever_is_lost_upright_is_none() -> None:
    assert play({1: ([(0, STANDING), (FOREVER, STANDING)], 0, 5)}, 25) == []


def test_whoever_gets_up_in_time_is_none() -> None:
    story: Story = [(0, LYING), (7, LYING), (9, STANDING), (FOREVER, STANDING)]
    assert play({1: (story, 0, FOREVER)}, 25) == []


def test_getting_up_ends_it_and_one_second_upright_does_not() -> None:
    tries: Story = [(0, LYING), (12, LYING), (12.5, STANDING), (13.3, STANDING), (13.8, LYING), (FOREVER, LYING)]
    (event,) = play({1: (tries, 0, FOREVER)}, 25)
    assert event[-1].phase is Phase.ONGOING
    up: Story = [(0, LYING), (12, LYING), (14, STANDING), (FOREVER, STANDING)]
    (event,) = play({1: (up, 0, FOREVER)}, 25)
    assert event[-1].phase is Phase.ENDED


def test_somebody_new_who_stands_up_at_the_place_is_whoever_lay_there() -> None:
    up: Story = [(0, STANDING), (FOREVER, STANDING)]
    assert play({1: (LIES, 0, 5), 2: (up, 7, FOREVER)}, 25) == []
    (event,) = play({1: (LIES, 0, 5), 2: (up, 12, FOREVER)}, 25)
    assert event[-1].phase is Phase.ENDED


def test_helper_who_walks_up_to_the_place_ends_nothing() -> None:
    helper: Story = [(0, replace(STANDING, x=40)), (7, replace(STANDING, x=40)), (12, STANDING), (FOREVER, STANDING)]
    (event,) = play({1: (LIES, 0, 5), 2: (helper, 6, FOREVER)}, 30)
    assert first_s(event) == pytest.approx(REPORT_S, abs=1.0)
    assert event[-1].phase is Phase.ONGOING


def test_whoever_is_found_again_on_the_floor_under_another_number_is_the_same() -> None:
    (event,) = play({1: (LIES, 0, 6), 2: (LIES, 9, FOREVER)}, 30)
    assert first_s(event) == pytest.approx(REPORT_S, abs=1.0)
    assert event[-1].subject_ids[0] == 2
    assert event[-1].phase is Phase.ONGOING


def test_whoever_is_flat_for_a_moment_at_the_edge_and_gone_has_walked_out() -> None:
    out: Story = [(0, replace(STANDING, x=500)), (3, replace(STANDING, x=560)), (3.5, replace(LYING, x=590))]
    assert play({1: ([*out, (FOREVER, replace(LYING, x=600))], 0, 5)}, 25) == []


def test_place_where_nobody_is_seen_for_half_an_hour_is_given_up() -> None:
    model = RuleModel()
    (event,) = play({1: (LIES, 0, 5)}, 1900, model, fps=1)
    assert event[-1].phase is Phase.ENDED
    assert 1790 < (event[-1].end_ns - event[-1].start_ns) / 1e9 < 1820


def test_place_where_somebody_only_bent_down_counts_no_time_for_whoever_lies_there_later() -> None:
    (event,) = play({1: (LIES, 0, 1.2), 2: (LIES, 120, FOREVER)}, 150)
    assert first_s(event) == pytest.approx(REPORT_S, abs=1.0)


def test_report_says_why_it_may_be_wrong() -> None:
    model, points, hidden = RuleModel(), draw(LYING), draw(LYING)
    trunk = [Joint.LEFT_SHOULDER, Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE]
    hidden[[joint for joint in Joint if joint not in trunk], 2] = 0.0
    dark = PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS, sight=Sight.DARK)
    found = []
    for number, t in enumerate(moments(3, 5), 1):
        frame = omega(number, t, {1: hidden if t > 1.5 else points})
        found += model.update(replace(frame, privacy=dark) if t > 2.5 else frame).events
    lying = [event.evidence.partition("; may be wrong: ")[2] for event in found if event.label == "lying"]
    assert lying[0] == ""
    assert "seen only in part" in lying
    assert lying[-1].startswith("seen only in part, ")
    assert "dark" in lying[-1] or "light" in lying[-1]
