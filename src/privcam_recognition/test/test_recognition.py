"""The rule model on a stick figure that walks, sits, falls, lies down and gets up."""

from dataclasses import replace

import numpy as np
import pytest
from stick_figure import (
    BENDING,
    FALL,
    LYING,
    SITTING,
    STANDING,
    StickPose,
    Story,
    at,
    draw,
    events_by_label,
    moments,
    omega,
    seconds_of,
    walking,
)

from privcam_core.events.scene_report import CANNOT_SEE, Phase, Recognizer, SceneReport
from privcam_core.types.omega import Omega
from privcam_core.types.sight import Sight
from privcam_core.types.skeleton import Joint
from privcam_recognition.rules.rule_model import RuleModel
from privcam_recognition.rules.rule_settings import DEFAULT, Settings


def play(story: Story, seconds: float, fps: float = 10.0, noise: float = 2.0) -> list[SceneReport]:
    """Play one person, id 1, with pixel noise."""
    model, random = RuleModel(), np.random.default_rng(2)
    reports = []
    for number, t in enumerate(moments(seconds, fps), 1):
        points = draw(at(story, t))
        points[:, :2] += random.normal(0, noise, (17, 2))
        reports.append(model.update(omega(number, t, {1: points})))
    return reports


@pytest.mark.parametrize("fps", [5, 10, 30])
def test_a_walking_figure_is_walking(fps: float) -> None:
    found = events_by_label(play(walking(0, 6), 5.5, fps))
    assert set(found) == {"walking", "occupied"}
    assert len(found["walking"]) == 1


@pytest.mark.parametrize(
    ("stick_pose", "label"), [(STANDING, "standing"), (SITTING, "sitting"), (BENDING, "bending"), (LYING, "lying")]
)
@pytest.mark.parametrize("fps", [5, 30])
def test_a_still_posture_is_named_and_nothing_else(stick_pose: StickPose, label: str, fps: float) -> None:
    found = events_by_label(play([(0, stick_pose), (4, stick_pose)], 4, fps))
    assert set(found) == {label, "occupied"}
    assert found[label][0][-1].confidence > 0.7


@pytest.mark.parametrize("fps", [5, 10, 30])
def test_a_fall_is_one_event_that_starts_with_the_descent(fps: float) -> None:
    falls = events_by_label(play(FALL, 8, fps))["fall"]
    assert len(falls) == 1
    assert seconds_of(falls[0][0].start_ns) == pytest.approx(2.0, abs=0.5)
    assert [b.phase for b in falls[0]] == [Phase.STARTED] + [Phase.ONGOING] * (len(falls[0]) - 1)


def test_a_fall_is_told_once_the_body_stayed_down_and_not_before() -> None:
    falls = events_by_label(play(FALL, 8))["fall"]
    assert 3.4 < seconds_of(falls[0][0].end_ns) < 4.5


def test_a_fall_off_a_chair_is_a_fall() -> None:
    story = [(0, SITTING), (2, SITTING), (2.6, replace(LYING, x=340)), (6, replace(LYING, x=340))]
    assert len(events_by_label(play(story, 6))["fall"]) == 1


def test_the_evidence_of_a_fall_says_angle_time_and_how_long_on_the_floor() -> None:
    last = events_by_label(play(FALL, 8))["fall"][0][-1]
    assert "torso 8" in last.evidence
    assert "on the floor for 5 s" in last.evidence


@pytest.mark.parametrize("fps", [5, 10, 30])
@pytest.mark.parametrize(
    "story",
    [
        pytest.param([(0, STANDING), (2, STANDING), (2.5, SITTING), (6, SITTING)], id="sitting down fast"),
        pytest.param(
            [(0, STANDING), (1, STANDING), (3, SITTING), (4, SITTING), (6.5, LYING), (9, LYING)], id="lying down"
        ),
        pytest.param([(0, STANDING), (2, STANDING), (2.5, BENDING), (4, BENDING), (4.6, STANDING)], id="bending"),
        pytest.param(
            [(0, STANDING), (2, STANDING), (2.6, LYING), (2.9, LYING), (3.5, STANDING)], id="up again at once"
        ),
        pytest.param([(0, LYING), (8, LYING)], id="lying all the time"),
    ],
)
def test_what_only_looks_like_a_fall_is_none(story: Story, fps: float) -> None:
    assert "fall" not in events_by_label(play(story, 8, fps))


def test_getting_up_ends_lying_and_the_fall() -> None:
    story = [*FALL[:3], (6, LYING), (8, SITTING), (9, STANDING), (12, STANDING)]
    found = events_by_label(play(story, 12))
    assert [parts[-1].phase for parts in found["lying"]] == [Phase.ENDED]
    assert [parts[-1].phase for parts in found["fall"]] == [Phase.ENDED]
    (rise,) = found["getting_up"]
    assert seconds_of(rise[0].start_ns) == pytest.approx(6.5, abs=0.8)
    assert rise[-1].phase == Phase.ENDED
    assert found["standing"][-1][-1].phase == Phase.ONGOING


def test_a_fall_is_found_without_arms_head_and_one_side_of_the_body() -> None:
    model, reports = RuleModel(), []
    hidden = [j for j in Joint if not j.name.startswith("LEFT") or j.name.endswith(("EYE", "EAR", "ELBOW", "WRIST"))]
    for number, t in enumerate(moments(7, 10), 1):
        points = draw(at(FALL, t))
        points[hidden, 2] = 0.0
        reports.append(model.update(omega(number, t, {1: points})))
    assert len(events_by_label(reports)["fall"]) == 1


def test_a_fall_is_found_when_the_pose_is_lost_during_the_descent() -> None:
    model, reports = RuleModel(), []
    for number, t in enumerate(moments(7, 10), 1):
        points = draw(at(FALL, t))
        if 2.1 < t < 2.9:
            points[:, 2] = 0.05
        reports.append(model.update(omega(number, t, {1: points})))
    assert len(events_by_label(reports)["fall"]) == 1


def test_half_a_person_gets_no_posture_that_cannot_be_seen() -> None:
    model, reports = RuleModel(), []
    for number, t in enumerate(moments(3, 10), 1):
        points = draw(SITTING)
        points[Joint.LEFT_KNEE :, 2] = 0.0
        points[[Joint.LEFT_HIP, Joint.RIGHT_HIP], 2] = 0.8
        reports.append(model.update(omega(number, t, {1: points})))
    assert all(b.confidence <= 0.5 for r in reports for b in r.events if b.label != "occupied")


@pytest.mark.parametrize("gap", [0.0, 0.8])
def test_a_track_that_breaks_during_the_fall_gives_one_fall_with_both_ids(gap: float) -> None:
    model, reports = RuleModel(), []
    for number, t in enumerate(moments(8, 10), 1):
        points = draw(at(FALL, t))
        subjects = {1: points} if t < 2.4 else {7: points} if t > 2.4 + gap else {}
        reports.append(model.update(omega(number, t, subjects)))
    falls = events_by_label(reports)["fall"]
    assert len(falls) == 1
    assert falls[0][-1].subject_ids == (7, 1)
    assert seconds_of(falls[0][0].start_ns) == pytest.approx(2.0, abs=0.5)


def test_somebody_who_lies_elsewhere_does_not_inherit_a_past() -> None:
    model, reports = RuleModel(), []
    for number, t in enumerate(moments(6, 10), 1):
        subjects = {1: draw(STANDING)} if t < 2.4 else {7: draw(LYING, dx=250)}
        reports.append(model.update(omega(number, t, subjects)))
    assert "fall" not in events_by_label(reports)


def test_a_subject_lost_right_after_it_went_down_has_fallen() -> None:
    model, reports = RuleModel(), []
    for number, t in enumerate(moments(6, 10), 1):
        reports.append(model.update(omega(number, t, {1: draw(at(FALL, t))} if t < 3.1 else {})))
    assert len(events_by_label(reports)["fall"]) == 1


def test_two_people_are_told_apart_in_behaviours_and_in_the_caption() -> None:
    model, reports = RuleModel(), []
    walk = walking(0, 9, x=50)
    for number, t in enumerate(moments(8, 10), 1):
        reports.append(model.update(omega(number, t, {3: draw(at(walk, t)), 4: draw(at(FALL, t), dx=200)})))
    found = events_by_label(reports)
    assert {b.subject_ids for parts in found["fall"] for b in parts} == {(4,)}
    assert {b.subject_ids for parts in found["walking"] for b in parts} == {(3,)}
    assert reports[-1].caption == "2 people: one fell and is on the floor for 5 s, one walking."


def test_lying_down_on_purpose_is_captioned_with_its_time() -> None:
    story = [(0, STANDING), (1, SITTING), (4, LYING), (12, LYING)]
    assert play(story, 12)[-1].caption in {"1 person: lying for 8 s.", "1 person: lying for 9 s."}


def test_an_empty_scene_says_so() -> None:
    report = RuleModel().update(omega(1, 0.0, {}))
    assert (report.caption, report.objects, report.events) == ("Nobody in view.", [], [])


def test_a_subject_out_of_sight_is_forgotten_and_its_events_end_where_it_was_last_seen() -> None:
    model, reports = RuleModel(), []
    for number, t in enumerate(moments(12, 10), 1):
        reports.append(model.update(omega(number, t, {1: draw(STANDING)} if t < 3 else {})))
    (standing,) = events_by_label(reports)["standing"]
    assert standing[-1].phase == Phase.ENDED
    assert seconds_of(standing[-1].end_ns) == pytest.approx(3.0, abs=0.15)
    assert [one.label for one in reports[-1].events] == ["occupied"]


def test_an_event_ends_once_and_its_number_is_never_used_again() -> None:
    story = [*FALL[:3], (6, LYING), (8, SITTING), (9, STANDING), (12, STANDING)]
    for label, found in events_by_label(play(story, 12)).items():
        for parts in found:
            assert [b.phase for b in parts].count(Phase.STARTED) == 1, label
            assert Phase.ENDED not in [b.phase for b in parts[:-1]], label
            assert len({b.label for b in parts}) == 1
            assert len({b.start_ns for b in parts}) == 1


def test_memory_stays_bounded_when_ids_never_come_back() -> None:
    settings = Settings()
    model = RuleModel(settings)
    for number in range(1, 400):
        model.update(omega(number, number / 10, {number: draw(LYING), 5000 + number % 3: draw(STANDING, dx=2000)}))
    assert len(model._scene.subjects) <= 10 * settings.forget_s + 4
    assert all(
        len(p.moments) <= 10 * settings.memory_s + 1 and len(p.hints) <= 50 and len(p.ids) <= 8
        for p in model._scene.subjects
    )


def test_a_recording_gives_the_same_reports_again() -> None:
    assert play(FALL, 6) == play(FALL, 6)


def test_objects_are_the_subjects_of_this_frame() -> None:
    report = RuleModel().update(omega(1, 0.0, {5: draw(STANDING)}))
    assert [(o.label, o.subject_id) for o in report.objects] == [("person", 5)]
    assert report.objects[0].confidence == pytest.approx(0.8)


def test_frames_out_of_order_or_of_another_camera_are_refused_with_the_field() -> None:
    model: Recognizer = RuleModel(DEFAULT)
    model.update(omega(1, 1.0, {}))
    with pytest.raises(ValueError, match=r"key\.stamp"):
        model.update(omega(2, 1.0, {}))
    with pytest.raises(ValueError, match=r"key\.camera_id"):
        model.update(omega(2, 2.0, {}, camera="hall"))


def test_settings_that_could_never_find_a_fall_are_refused() -> None:
    with pytest.raises(ValueError, match="memory_s"):
        Settings(memory_s=2.0)
    with pytest.raises(ValueError, match="hold"):
        Settings(hold=0.9)


def seen(frame: int, sight: Sight) -> Omega:
    found = omega(frame, frame / 10, {1: draw(STANDING)})
    return replace(found, privacy=replace(found.privacy, sight=sight))


def play_sights(*sights: Sight) -> list[SceneReport]:
    model = RuleModel()
    return [model.update(seen(frame, sight)) for frame, sight in enumerate(sights, 1)]


def test_a_camera_that_cannot_see_is_one_event_without_subjects_that_begins_goes_on_and_ends() -> None:
    reports = play_sights(*[Sight.CLEAR] * 5, *[Sight.DARK] * 10, *[Sight.CLEAR] * 5)
    (event,) = events_by_label(reports)[CANNOT_SEE]
    assert [one.phase for one in event] == [Phase.STARTED, *[Phase.ONGOING] * 9, Phase.ENDED]
    assert {one.subject_ids for one in event} == {()}
    assert event[-1].end_ns - event[0].start_ns == 10**9
    assert event[5].evidence == "the camera cannot see: too dark, for 0 s"


def test_another_reason_continues_the_event_and_is_named() -> None:
    reports = play_sights(Sight.CLEAR, *[Sight.NOISY] * 20, *[Sight.COVERED] * 5)
    (event,) = events_by_label(reports)[CANNOT_SEE]
    assert event[-1].evidence == "the camera cannot see: covered, for 2 s"


def test_the_first_frame_which_is_not_measured_yet_raises_no_alarm() -> None:
    assert CANNOT_SEE not in events_by_label(play_sights(Sight.UNKNOWN, Sight.CLEAR))


def test_people_are_reported_as_well_while_the_camera_cannot_see() -> None:
    reports = play_sights(*[Sight.DARK] * 20)
    assert "standing" in events_by_label(reports)
    assert reports[-1].caption == "Cannot see: too dark. 1 person: standing."
