"""That two who fight are told from two who stand, walk or talk beside each other, whatever becomes of their tracks."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from stick_figure import HEIGHT, STANDING, at, draw, events_by_label, moments, omega, walking

from privcam_core.events.scene_report import Event
from privcam_core.types.skeleton import Joint
from privcam_recognition.temporal.temporal_model import TemporalModel

Keypoints = npt.NDArray[np.float32]
ARMS = (Joint.LEFT_WRIST, Joint.RIGHT_WRIST), (Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW)


def standing(seconds: float, x: float) -> Keypoints:
    del seconds
    return draw(replace(STANDING, x=x))


def punching(seconds: float, x: float, reach: float = 0.3, per_s: float = 2.0) -> Keypoints:
    points = standing(seconds, x)
    for joints, fraction in zip(ARMS, (1.0, 0.5), strict=True):
        for side, joint in enumerate(joints):
            points[joint, 0] += fraction * reach * HEIGHT * np.sin(2 * np.pi * per_s * seconds + side * np.pi)
    return points


def waving(seconds: float, x: float) -> Keypoints:
    return punching(seconds, x, reach=0.12, per_s=1.0)


Does = Callable[[float, float], Keypoints]


def play(
    people: dict[int, tuple[Does, float]], fps: float = 10.0, seconds: float = 5.0, broken_s: float = 0.0
) -> list[list[Event]]:
    """Return the fights that are found. people: what each does where (px). broken_s: ids change this often."""
    model, random = TemporalModel(), np.random.default_rng(3)
    reports = []
    for number, t in enumerate(moments(seconds, fps), 1):
        generation = int(t / broken_s) if broken_s else 0
        displayed = {}
        for subject_id, (does, x) in people.items():
            points = does(float(t), x)
            points[:, :2] += random.normal(0, 1.0, (17, 2))
            displayed[subject_id + 100 * generation] = points
        reports.append(model.update(omega(number, t, displayed)))
    return events_by_label(reports)["pushing_fighting"]


@pytest.mark.parametrize("fps", [5, 10, 30])
def test_two_who_hit_each_other_fight_once(fps: float) -> None:
    (fight,) = play({1: (punching, 300), 2: (punching, 360)}, fps)
    assert max(one.confidence for one in fight) > 0.8
    assert set(fight[-1].subject_ids) == {1, 2}
    assert "body heights/s" in fight[-1].evidence and "a hand on the other" in fight[-1].evidence


def test_one_who_hits_another_who_stands_is_found() -> None:
    assert len(play({1: (punching, 300), 2: (standing, 360)})) == 1


def test_a_fight_is_found_though_every_track_breaks_after_half_a_second() -> None:
    (fight,) = play({1: (punching, 300), 2: (punching, 360)}, fps=25, broken_s=0.5)
    assert len(fight) > 50


@pytest.mark.parametrize("does", [standing, waving])
@pytest.mark.parametrize("fps", [5, 30])
def test_two_who_stand_or_wave_beside_each_other_do_not_fight(does: Does, fps: float) -> None:
    assert play({1: (does, 300), 2: (does, 360)}, fps) == []


def test_two_who_walk_side_by_side_do_not_fight() -> None:
    story = walking(0, 6)

    def walks(seconds: float, x: float) -> Keypoints:
        return draw(at(story, seconds), x)

    assert play({1: (walks, 0), 2: (walks, 60)}, fps=25) == []


def test_who_boxes_alone_or_far_from_others_does_not_fight() -> None:
    assert play({1: (punching, 200)}) == []
    assert play({1: (punching, 100), 2: (punching, 500)}) == []


def test_it_ends_when_they_stop() -> None:
    def stops(seconds: float, x: float) -> Keypoints:
        return punching(seconds, x) if seconds < 3 else standing(seconds, x)

    (fight,) = play({1: (stops, 300), 2: (stops, 360)}, seconds=8)
    assert fight[-1].phase.name == "ENDED"
    assert fight[-1].end_ns - fight[0].start_ns < 5.5e9
