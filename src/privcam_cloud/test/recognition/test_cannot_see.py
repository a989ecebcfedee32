"""The event of a camera that cannot see."""

from dataclasses import replace

from stick_figure import STANDING, draw, events_by_label, omega

from privcam_cloud.recognition.rules.rule_model import RuleModel
from privcam_core.events.scene_report import CANNOT_SEE, Phase, SceneReport
from privcam_core.types.omega import Omega
from privcam_core.types.sight import Sight


def seen(frame: int, sight: Sight) -> Omega:
    found = omega(frame, frame / 10, {1: draw(STANDING)})
    return replace(found, privacy=replace(found.privacy, sight=sight))


def play(*sights: Sight) -> list[SceneReport]:
    model = RuleModel()
    return [model.update(seen(frame, sight)) for frame, sight in enumerate(sights, 1)]


def test_a_camera_that_cannot_see_is_one_event_without_subjects_that_begins_goes_on_and_ends() -> None:
    reports = play(*[Sight.CLEAR] * 5, *[Sight.DARK] * 10, *[Sight.CLEAR] * 5)
    (event,) = events_by_label(reports)[CANNOT_SEE]
    assert [one.phase for one in event] == [Phase.STARTED, *[Phase.ONGOING] * 9, Phase.ENDED]
    assert {one.subject_ids for one in event} == {()}
    assert event[-1].end_ns - event[0].start_ns == 10**9
    assert event[5].evidence == "the camera cannot see: too dark, for 0 s"


def test_another_reason_continues_the_event_and_is_named() -> None:
    reports = play(Sight.CLEAR, *[Sight.NOISY] * 20, *[Sight.COVERED] * 5)
    (event,) = events_by_label(reports)[CANNOT_SEE]
    assert event[-1].evidence == "the camera cannot see: covered, for 2 s"


def test_the_first_frame_which_is_not_measured_yet_raises_no_alarm() -> None:
    assert CANNOT_SEE not in events_by_label(play(Sight.UNKNOWN, Sight.CLEAR))


def test_people_are_reported_as_well_while_the_camera_cannot_see() -> None:
    reports = play(*[Sight.DARK] * 20)
    assert "standing" in events_by_label(reports)
    assert reports[-1].caption == "Cannot see: too dark. 1 person: standing."
