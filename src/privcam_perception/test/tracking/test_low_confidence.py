"""A person on the floor, who scores no more than a chair, is tracked; a chair is not."""

import numpy as np
import pytest

from privcam_core.types.arrays import Box
from privcam_core.types.perception import Detections, DetectionSource, Track, TrackState
from privcam_perception.tracking.clutter import MAX_OBJECTS, Clutter
from privcam_perception.tracking.deepsort import DeepSort

STANDING: Box = (300.0, 100.0, 360.0, 260.0)
FALLEN: Box = (320.0, 220.0, 480.0, 275.0)
PERSON, CHAIR = np.eye(8, dtype=np.float32)[:2]
LOW_SCORE = 0.14


class Film:
    """Gives a tracker frame after frame, 10 per second."""

    def __init__(self) -> None:
        self.tracker = DeepSort()
        self.frame = 0
        self.tracks: list[Track] = []
        self.source = DetectionSource.WHOLE

    def show(self, *seen: tuple[Box, float, np.ndarray], frames: int = 1) -> list[Track]:
        """Show boxes with their scores and descriptors; return the confirmed tracks after that."""
        for _ in range(frames):
            self.frame += 1
            boxes = np.array([box for box, _, _ in seen], np.float32).reshape(-1, 4)
            scores = np.array([score for _, score, _ in seen], np.float32)
            descriptors = np.array([descriptor for _, _, descriptor in seen], np.float32).reshape(-1, 8)
            found = Detections(boxes, scores, np.full(len(scores), self.source, np.uint8))
            self.tracks = self.tracker.update(found, descriptors, self.frame * 100_000_000)
        return [track for track in self.tracks if track.state is TrackState.CONFIRMED]


def test_person_who_falls_is_tracked_on_the_floor() -> None:
    film = Film()
    film.show((STANDING, 0.8, PERSON), frames=10)
    assert film.show(frames=5) == []  # the detector finds no body in the middle of a fall
    (track,) = film.show((FALLEN, LOW_SCORE, PERSON), frames=30)
    assert track.subject_id == 1
    assert track.box == pytest.approx(FALLEN, abs=5)


def test_low_confidence_box_starts_no_track() -> None:
    assert Film().show((FALLEN, LOW_SCORE, PERSON), frames=30) == []


def test_box_where_the_detector_looked_again_starts_a_track_only_with_a_higher_score_than_furniture_has() -> None:
    film = Film()
    film.source = DetectionSource.TURNED_LEFT
    assert film.show((FALLEN, 0.5, PERSON), frames=10) == []
    (track,) = film.show((FALLEN, 0.6, PERSON), frames=3)
    assert track.source is DetectionSource.TURNED_LEFT
    (track,) = film.show((FALLEN, 0.25, PERSON), frames=30)  # a track that began goes on from the match threshold on
    assert track.state is TrackState.CONFIRMED


def test_lost_person_who_is_found_again_keeps_the_number() -> None:
    film = Film()
    film.show((STANDING, 0.8, PERSON), frames=10)
    film.show(frames=5)
    film.source = DetectionSource.TURNED_RIGHT
    (track,) = film.show((FALLEN, 0.25, PERSON), frames=10)
    assert (track.subject_id, len(film.tracks)) == (1, 1)


def test_person_behind_a_chair_is_not_confused_with_the_chair() -> None:
    film = Film()
    film.show((FALLEN, LOW_SCORE, PERSON), frames=10)  # it has the descriptor of the person, but it was there before
    film.show((STANDING, 0.8, PERSON), (FALLEN, LOW_SCORE, PERSON), frames=10)
    assert film.show((FALLEN, LOW_SCORE, PERSON), frames=20) == []


def test_box_with_another_appearance_is_not_the_person() -> None:
    film = Film()
    film.show((STANDING, 0.8, PERSON), frames=10)
    assert film.show((FALLEN, LOW_SCORE, CHAIR), frames=20) == []


def test_fallen_person_is_not_found_beyond_a_body_height() -> None:
    film = Film()
    film.show((STANDING, 0.8, PERSON), frames=10)
    film.show(frames=15)
    assert film.show(((600.0, 220.0, 760.0, 275.0), LOW_SCORE, PERSON), frames=5) == []


def test_second_box_on_a_tracked_person_is_no_other_person() -> None:
    film = Film()
    other: Box = (380.0, 100.0, 440.0, 260.0)
    film.show((STANDING, 0.8, PERSON), (other, 0.8, CHAIR), frames=10)
    half: Box = (380.0, 100.0, 440.0, 180.0)
    tracks = film.show((other, 0.8, CHAIR), (half, LOW_SCORE, PERSON), frames=10)
    assert [track.subject_id for track in tracks] == [2]


def test_prediction_of_a_falling_person_does_not_go_through_the_floor() -> None:
    film = Film()
    for step in range(6):
        film.show(((300.0, 100.0 + 20 * step, 360.0, 260.0 + 20 * step), 0.8, PERSON))
    film.show(frames=20)
    (track,) = film.tracks
    assert track.state is TrackState.LOST
    assert track.box[3] < 360 + 100  # it would be 760 where falling went on


def test_clutter_is_dropped_when_it_is_gone() -> None:
    clutter, box = Clutter(), np.array([FALLEN])
    for frame in range(10):
        clutter.add(box, frame * 100_000_000)
    assert clutter.contains(box, 2_000_000_000).all()
    clutter.add(box[:0], 100_000_000_000)
    assert not clutter.contains(box, 100_100_000_000).any()


def test_clutter_stays_bounded_and_keeps_the_last_detected_objects() -> None:
    clutter = Clutter()
    for frame in range(10):
        noise = np.array([[x, 0.0, x + 5, 5.0] for x in range(frame, 40 * MAX_OBJECTS, 20)])
        clutter.add(np.concatenate((noise, [FALLEN])), frame * 100_000_000)
    assert len(clutter._objects) == MAX_OBJECTS
    assert clutter.contains(np.array([FALLEN]), 2_000_000_000).all()
