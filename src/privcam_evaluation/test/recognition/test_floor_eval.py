"""What counts as a person on the floor whom the edge still has."""

import json
from pathlib import Path

import numpy as np
import pytest

from privcam_core.types.omega import HeadOrientation, SubjectPose
from privcam_core.types.perception import Detections
from privcam_evaluation.recognition.floor_eval import darkened, place_at, read_places, score_frame
from privcam_evaluation.recognition.labelled_clips import BadAnnotations
from privcam_perception.pipeline import Perception

PLACE = (100.0, 200.0, 300.0, 280.0)
NOBODY = np.zeros((480, 640), bool)


def perception(box: tuple[float, ...] = PLACE, score: float = 0.3, keypoints: np.ndarray | None = None) -> Perception:
    poses = [] if keypoints is None else [SubjectPose(1, PLACE, keypoints, HeadOrientation(0.0, 0.0, 0.0), 0)]
    return Perception(Detections(np.array([box], np.float32), np.array([score], np.float32)), [], poses)


def body(x: float, y: float, seen: int, confidence: float = 0.3) -> np.ndarray:
    keypoints = np.tile(np.array([x, y, 0.05], np.float32), (17, 1))
    keypoints[:seen, 2] = confidence
    return keypoints


@pytest.mark.parametrize(
    ("box", "score", "has_box"),
    [
        (PLACE, 0.2, True),
        (PLACE, 0.19, False),
        ((100.0, 200.0, 160.0, 280.0), 0.9, True),  # her legs alone
        ((100.0, 200.0, 140.0, 280.0), 0.9, False),  # a part that is too small
        ((0.0, 0.0, 640.0, 480.0), 0.9, False),  # the whole picture is no place
        ((400.0, 200.0, 600.0, 280.0), 0.9, False),  # somebody else
    ],
)
def test_box_counts_only_where_the_person_is(box: tuple[float, ...], score: float, has_box: bool) -> None:
    assert score_frame(PLACE, perception(box, score), NOBODY).box is has_box


def test_presence_counts_only_where_it_covers_half_of_the_person() -> None:
    presences = NOBODY.copy()
    presences[200:280, 400:640] = True  # a presence of somebody else
    presences[200:280, 100:199] = True
    assert not score_frame(PLACE, perception(), presences).presence
    presences[200:280, 100:200] = True
    assert score_frame(PLACE, perception(), presences).presence


def test_pose_counts_with_eight_keypoints_in_the_place() -> None:
    assert score_frame(PLACE, perception(keypoints=body(60, 240, 8)), NOBODY).pose
    assert not score_frame(PLACE, perception(keypoints=body(60, 240, 7)), NOBODY).pose
    assert not score_frame(PLACE, perception(keypoints=body(60, 240, 8, confidence=0.19)), NOBODY).pose
    assert not score_frame(PLACE, perception(keypoints=body(40, 240, 17)), NOBODY).pose
    assert not score_frame(PLACE, perception(), NOBODY).pose


def test_place_between_two_given_frames_is_interpolated() -> None:
    places = {10: (0.0, 0.0, 10.0, 20.0), 20: (10.0, 10.0, 30.0, 20.0)}
    assert place_at(places, 15) == (5.0, 5.0, 20.0, 20.0)
    assert place_at(places, 5) == places[10] and place_at(places, 99) == places[20]


def test_darkened_picture_is_grey_and_dark() -> None:
    image = np.full((60, 80, 3), (40, 120, 200), np.uint8)
    dark = darkened(image, 0.25, np.random.default_rng(1))
    assert dark.max() < 60 and (dark[..., 0] == dark[..., 2]).all() and dark.std() > 1


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": {"1": [0, 0, 1]}}', '{"a": {}}', '{"a": {"x": [0, 0, 1, 1]}}'])
def test_places_that_cannot_be_used_are_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "places.json"
    path.write_text(content)
    with pytest.raises(BadAnnotations, match=r"places\.json"):
        read_places(path)
    path.write_text(json.dumps({"a": {"1": [0, 0, 1, 1]}}))
    assert read_places(path) == {"a": {1: (0.0, 0.0, 1.0, 1.0)}}
