from dataclasses import replace

import pytest

from privcam_core.types.sight import Sight
from privcam_recognition.evidence_text import FALLEN, UNCLEAR, scene_caption
from privcam_recognition.features import Measures
from privcam_recognition.rules.hysteresis import Hysteresis
from privcam_recognition.rules.posture_rules import (
    Moment,
    Posture,
    find_fall,
    find_rise,
    label_scores,
    landed_at,
    posture,
    ramp,
)
from privcam_recognition.rules.rule_settings import DEFAULT

STANDING = Measures(0.0, 100.0, (50.0, 35.0), 3.0, 0.49, 0.24, 175.0, 0.95, 0.3)
SITTING = replace(STANDING, centre=(50.0, 60.0), hip_height=0.24, thigh_drop=0.02, knee_angle=90.0, extent=0.65)
BENDING = replace(STANDING, centre=(60.0, 48.0), torso_angle=80.0, hip_height=0.47, extent=0.6, aspect=0.8)
LYING = Measures(0.0, 100.0, (50.0, 92.0), 85.0, 0.02, 0.0, 170.0, 0.15, 4.0)


def sequence(*parts: tuple[Measures, float], fps: float = 10.0) -> list[Moment]:
    """Each part held for its seconds, one after another."""
    moments: list[Moment] = []
    for measures, seconds in parts:
        for _ in range(round(seconds * fps)):
            here = replace(measures, seconds=len(moments) / fps)
            moments.append(Moment(here, posture(here, DEFAULT)))
    return moments


def between(a: Measures, b: Measures, seconds: float, fps: float = 10.0) -> list[tuple[Measures, float]]:
    """The parts of a steady way from a to b."""
    count = round(seconds * fps)

    def mix(x: float | None, y: float | None, fraction: float) -> float:
        assert x is not None and y is not None
        return x + (y - x) * fraction

    parts = []
    for i in range(1, count + 1):
        fraction = i / (count + 1)
        assert a.centre is not None and b.centre is not None
        mixed = replace(
            a,
            centre=(50.0, mix(a.centre[1], b.centre[1], fraction)),
            torso_angle=mix(a.torso_angle, b.torso_angle, fraction),
            hip_height=mix(a.hip_height, b.hip_height, fraction),
            thigh_drop=mix(a.thigh_drop, b.thigh_drop, fraction),
            extent=mix(a.extent, b.extent, fraction),
            aspect=mix(a.aspect, b.aspect, fraction),
        )
        parts.append((mixed, 1 / fps))
    return parts


def test_ramp_goes_either_way() -> None:
    assert [ramp(x, (1.0, 2.0)) for x in (0, 1.25, 3)] == [0.0, 0.25, 1.0]
    assert [ramp(x, (2.0, 1.0)) for x in (0, 1.25, 3)] == [1.0, 0.75, 0.0]


@pytest.mark.parametrize(
    ("measures", "label"), [(STANDING, "standing"), (SITTING, "sitting"), (BENDING, "bending"), (LYING, "lying")]
)
def test_clear_postures_are_clear(measures: Measures, label: str) -> None:
    assert getattr(posture(measures, DEFAULT), label) > 0.9


@pytest.mark.parametrize("angle", [0.0, 40.0, 50.0, 90.0, 170.0, None])
@pytest.mark.parametrize("hips", [0.0, 0.2, 0.35, None])
@pytest.mark.parametrize("extent", [0.1, 0.5, None])
def test_postures_are_shares_of_one(angle: float | None, hips: float | None, extent: float | None) -> None:
    p = posture(replace(STANDING, torso_angle=angle, hip_height=hips, extent=extent), DEFAULT)
    assert p.standing + p.sitting + p.bending + p.lying == pytest.approx(1)
    assert min(p.standing, p.sitting, p.bending, p.lying) >= 0


def test_legs_out_of_sight_leave_standing_or_sitting_undecided() -> None:
    p = posture(replace(STANDING, hip_height=None, thigh_drop=None, knee_angle=None, extent=None), DEFAULT)
    assert p.standing == p.sitting == pytest.approx(0.5)


def test_body_along_the_line_of_sight_lies_though_its_torso_looks_upright() -> None:
    towards_the_camera = replace(STANDING, torso_angle=5.0, hip_height=0.05, thigh_drop=-0.1, extent=0.3, aspect=1.2)
    assert posture(towards_the_camera, DEFAULT).lying > 0.7


def test_wide_box_without_a_torso_lies() -> None:
    hidden = Measures(0.0, 100.0, None, None, None, None, None, None, 2.5)
    assert posture(hidden, DEFAULT) == Posture(0.0, 0.0, 0.0, 1.0)
    assert posture(replace(hidden, aspect=0.4), DEFAULT).lying == 0.0


def test_walking_is_standing_that_travels() -> None:
    moments = [
        Moment(replace(m.measures, centre=(50.0 + 60 * m.seconds, 35.0)), m.posture) for m in sequence((STANDING, 2))
    ]
    scores = label_scores(moments, DEFAULT)
    assert scores["walking"] > 0.9
    assert sum(scores.values()) == pytest.approx(1)
    assert label_scores(sequence((STANDING, 2)), DEFAULT)["standing"] > 0.9


def test_one_bad_frame_does_not_change_the_label() -> None:
    scores = label_scores(sequence((STANDING, 1), (LYING, 0.1)), DEFAULT)
    assert max(scores, key=lambda label: scores[label]) == "standing"


def test_lying_is_dated_across_short_breaks_and_not_across_long_ones() -> None:
    assert landed_at(sequence((STANDING, 1), (LYING, 1), (SITTING, 0.3), (LYING, 1)), DEFAULT) == pytest.approx(1.0)
    assert landed_at(sequence((STANDING, 1), (LYING, 1), (SITTING, 1), (LYING, 1)), DEFAULT) == pytest.approx(3.0)
    assert landed_at(sequence((LYING, 1), (STANDING, 1)), DEFAULT) is None


def test_a_fast_descent_into_lying_is_a_fall_with_its_measures() -> None:
    moments = sequence((STANDING, 2), *between(STANDING, LYING, 0.6), (LYING, 2))
    fall = find_fall(moments, moments[-1].seconds, DEFAULT)
    assert fall is not None
    assert fall.started == pytest.approx(2.0, abs=0.2)
    assert fall.drop == pytest.approx(0.57, abs=0.02)
    assert fall.speed == pytest.approx(0.57 / 0.7, abs=0.1)
    assert fall.confidence > 0.8


def test_a_fall_waits_for_its_confirmation() -> None:
    moments = sequence((STANDING, 2), *between(STANDING, LYING, 0.6), (LYING, 0.5))
    assert find_fall(moments, moments[-1].seconds, DEFAULT) is None


def test_who_is_lost_while_lying_still_lies() -> None:
    moments = sequence((STANDING, 2), *between(STANDING, LYING, 0.6), (LYING, 0.5))
    assert find_fall(moments, moments[-1].seconds + 1, DEFAULT) is not None


@pytest.mark.parametrize("seconds", [2.0, 3.0])
def test_the_slower_the_descent_the_less_a_fall(seconds: float) -> None:
    moments = sequence((STANDING, 2), *between(STANDING, LYING, seconds), (LYING, 2))
    fall = find_fall(moments, moments[-1].seconds, DEFAULT)
    assert fall is None or fall.confidence < DEFAULT.fall_confidence


def test_who_was_never_seen_up_has_not_fallen() -> None:
    moments = sequence((LYING, 4))
    assert find_fall(moments, moments[-1].seconds, DEFAULT) is None


def test_a_change_of_scale_alone_is_not_a_drop() -> None:
    moments = sequence((STANDING, 2), (replace(LYING, centre=(50.0, 36.0), height_px=60.0), 2))
    fall = find_fall(moments, moments[-1].seconds, DEFAULT)
    assert fall is None or fall.confidence == 0.0


def test_getting_up_begins_where_lying_ends() -> None:
    moments = sequence((LYING, 2), *between(LYING, STANDING, 2))
    rise = find_rise(moments, DEFAULT)
    assert rise is not None
    assert rise.started == pytest.approx(2.8, abs=0.5)
    assert rise.risen > 0.2


@pytest.mark.parametrize(
    "parts", [[(LYING, 3)], [(STANDING, 3)], [(LYING, 2), (SITTING, 3)], [(LYING, 2), (STANDING, 6)]]
)
def test_who_lies_or_has_settled_is_not_getting_up(parts: list[tuple[Measures, float]]) -> None:
    assert find_rise(sequence(*parts), DEFAULT) is None


def follow(*parts: tuple[dict[str, float], float], fps: float = 10.0) -> list[tuple[str, float] | None]:
    """What holds in each frame when each scores dict lasts its seconds."""
    hysteresis, held = Hysteresis(DEFAULT), []
    for scores, seconds in parts:
        for _ in range(round(seconds * fps)):
            held.append(hysteresis.update(len(held) / fps, scores))
    return held


UP, DOWN, UNSURE = {"standing": 0.9, "lying": 0.1}, {"standing": 0.1, "lying": 0.9}, {"standing": 0.45, "lying": 0.3}


def test_a_label_begins_when_it_lasted_and_is_dated_back() -> None:
    held = follow((UP, 1))
    assert held[3] is None
    assert held[4] == ("standing", 0.0)


def test_a_short_change_does_not_break_what_holds() -> None:
    assert set(follow((UP, 1), (DOWN, 0.3), (UP, 1))[5:]) == {("standing", 0.0)}


def test_a_lasting_change_is_one_new_label() -> None:
    held = follow((UP, 1), (DOWN, 2))
    assert list(dict.fromkeys(held)) == [None, ("standing", 0.0), ("lying", 1.0)]


def test_between_the_thresholds_what_holds_stays_but_nothing_begins() -> None:
    assert follow((UP, 1), (UNSURE, 3))[-1] == ("standing", 0.0)
    assert follow((UNSURE, 3))[-1] is None


def test_what_is_no_longer_there_ends_after_a_while() -> None:
    held = follow((UP, 1), ({"standing": 0.2, "lying": 0.2}, 1))
    assert held[12] == ("standing", 0.0)
    assert held[-1] is None


@pytest.mark.parametrize(
    ("states", "caption"),
    [
        ([], "Nobody in view."),
        ([("walking", 3.0)], "1 person: walking."),
        ([("lying", 12.2)], "1 person: lying for 12 s."),
        ([("walking", 3.0), (FALLEN, 12.0)], "2 people: one fell and is on the floor for 12 s, one walking."),
        ([("walking", 3.0), ("standing", 1.0), ("walking", 1.0)], "3 people: 2 walking, one standing."),
        ([(UNCLEAR, 0.0)], "1 person: in an unclear posture."),
    ],
)
def test_the_caption_tells_the_scene_in_one_sentence(states: list[tuple[str, float]], caption: str) -> None:
    assert scene_caption(states, Sight.CLEAR) == caption


def test_the_caption_of_a_camera_that_cannot_see_never_says_that_nobody_is_in_view() -> None:
    assert scene_caption([], Sight.DARK) == "Cannot see: too dark."
    assert scene_caption([("walking", 3.0)], Sight.COVERED) == "Cannot see: covered. 1 person: walking."
