"""The crop of a subject who lies is turned and enlarged until the pose is good, and that view is remembered."""

from dataclasses import replace

import numpy as np

from privcam_core.types.perception import DetectionSource, Track, TrackState
from privcam_perception.body_turns import BodyTurns, View, crop_box

STANDING = Track(1, (100.0, 50.0, 180.0, 250.0), (0.0, 0.0, 0.0, 0.0), 0.8, TrackState.CONFIRMED, 5, 5, 0)
WEAK = replace(STANDING, score=0.2)
LYING = replace(STANDING, box=(100.0, 200.0, 300.0, 280.0))


def pose(confidence: float) -> np.ndarray:
    return np.full((17, 3), confidence, np.float32)


def test_upright_subject_is_not_turned_and_costs_one_pose() -> None:
    turns = BodyTurns()
    assert turns.choose(STANDING) == (DetectionSource.WHOLE, 0.0)
    assert turns.choose_other(STANDING, pose(0.1)) is None


def test_turn_of_the_detection_is_tried_first() -> None:
    found = replace(STANDING, source=DetectionSource.UPSIDE_DOWN)
    assert BodyTurns().choose(found).turn is DetectionSource.UPSIDE_DOWN


def test_weak_box_of_an_upright_subject_is_enlarged_until_the_pose_is_good() -> None:
    turns = BodyTurns()
    assert turns.choose(WEAK) == (DetectionSource.WHOLE, 0.0)
    tried = []
    for _ in range(7):
        view = turns.choose_other(WEAK, pose(0.1))
        assert view is not None and not turns.is_better(WEAK, view, pose(0.05))
        tried.append(view)
    assert View(DetectionSource.WHOLE, 0.75) in tried
    assert turns.choose_other(WEAK, pose(0.6)) is None


def test_good_pose_needs_no_other_turn() -> None:
    turns = BodyTurns()
    turns.choose(LYING)
    assert turns.choose_other(LYING, pose(0.6)) is None


def test_other_turns_are_tried_one_by_one_until_one_is_better_which_is_remembered() -> None:
    turns = BodyTurns()
    first = turns.choose(LYING)
    tried = []
    for _ in range(6):
        other = turns.choose_other(LYING, pose(0.1))
        assert other is not None and not turns.is_better(LYING, other, pose(0.05))
        tried.append(other)
    assert len({first, *tried}) == 7
    assert turns.choose_other(LYING, pose(0.1)) is None
    other = turns.choose_other(LYING, pose(0.1))
    assert other is not None and turns.is_better(LYING, other, pose(0.5))
    assert turns.choose(LYING) == other


def test_pose_that_is_bad_in_every_turn_costs_a_second_one_in_few_frames() -> None:
    turns = BodyTurns()
    second = 0
    for _ in range(106):
        turns.choose(LYING)
        other = turns.choose_other(LYING, pose(0.1))
        second += other is not None
        assert other is None or not turns.is_better(LYING, other, pose(0.05))
    assert second == 6 + 100 // 4


def test_crop_of_a_lying_subject_is_larger_than_the_box() -> None:
    assert crop_box(LYING.box, BodyTurns().choose(LYING)) == (50.0, 180.0, 350.0, 300.0)


def test_subject_who_stands_up_or_is_gone_is_forgotten() -> None:
    turns = BodyTurns()
    turns.choose(replace(LYING, source=DetectionSource.TURNED_LEFT))
    assert turns.choose(STANDING) == (DetectionSource.WHOLE, 0.0)
    turns.choose(replace(LYING, source=DetectionSource.TURNED_LEFT))
    turns.keep([2])
    assert turns.choose(LYING).turn is DetectionSource.WHOLE
