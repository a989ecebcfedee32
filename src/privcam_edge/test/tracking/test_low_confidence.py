"""That somebody on the floor, who scores no more than a chair, is followed, and that a chair is not."""

import numpy as np
import pytest

from privcam_core.types.perception import Box, Detections, Track, TrackState
from privcam_edge.tracking.clutter import MOST, Clutter
from privcam_edge.tracking.deepsort import DeepSort

STANDING: Box = (300.0, 100.0, 360.0, 260.0)
FALLEN: Box = (320.0, 220.0, 480.0, 275.0)
PERSON, CHAIR = np.eye(8, dtype=np.float32)[:2]
FAINT = 0.14


class Film:
    """A tracker that is shown frame after frame, 10 a second."""

    def __init__(self) -> None:
        self.tracker = DeepSort()
        self.frame = 0
        self.tracks: list[Track] = []

    def show(self, *seen: tuple[Box, float, np.ndarray], frames: int = 1) -> list[Track]:
        """Show boxes with their scores and looks; return who is followed after that."""
        for _ in range(frames):
            self.frame += 1
            boxes = np.array([box for box, _, _ in seen], np.float32).reshape(-1, 4)
            scores = np.array([score for _, score, _ in seen], np.float32)
            looks = np.array([look for _, _, look in seen], np.float32).reshape(-1, 8)
            self.tracks = self.tracker.update(Detections(boxes, scores), looks, self.frame * 100_000_000)
        return [track for track in self.tracks if track.state is TrackState.CONFIRMED]


def test_who_falls_is_followed_on_the_floor() -> None:
    film = Film()
    film.show((STANDING, 0.8, PERSON), frames=10)
    assert film.show(frames=5) == []  # nobody finds a body in the middle of a fall
    (track,) = film.show((FALLEN, FAINT, PERSON), frames=30)
    assert track.subject_id == 1
    assert track.box == pytest.approx(FALLEN, abs=5)


def test_a_faint_box_alone_is_nobody() -> None:
    assert Film().show((FALLEN, FAINT, PERSON), frames=30) == []


def test_who_goes_behind_a_chair_does_not_become_the_chair() -> None:
    film = Film()
    film.show((FALLEN, FAINT, PERSON), frames=10)  # it looks as the person does, but it was there before
    film.show((STANDING, 0.8, PERSON), (FALLEN, FAINT, PERSON), frames=10)
    assert film.show((FALLEN, FAINT, PERSON), frames=20) == []


def test_what_looks_otherwise_is_somebody_else() -> None:
    film = Film()
    film.show((STANDING, 0.8, PERSON), frames=10)
    assert film.show((FALLEN, FAINT, CHAIR), frames=20) == []


def test_who_fell_is_not_found_beyond_a_body_height() -> None:
    film = Film()
    film.show((STANDING, 0.8, PERSON), frames=10)
    film.show(frames=15)
    assert film.show(((600.0, 220.0, 760.0, 275.0), FAINT, PERSON), frames=5) == []


def test_a_second_box_on_somebody_who_is_seen_is_nobody_else() -> None:
    film = Film()
    other: Box = (380.0, 100.0, 440.0, 260.0)
    film.show((STANDING, 0.8, PERSON), (other, 0.8, CHAIR), frames=10)
    half: Box = (380.0, 100.0, 440.0, 180.0)
    tracks = film.show((other, 0.8, CHAIR), (half, FAINT, PERSON), frames=10)
    assert [track.subject_id for track in tracks] == [2]


def test_the_prediction_of_who_falls_does_not_go_through_the_floor() -> None:
    film = Film()
    for step in range(6):
        film.show(((300.0, 100.0 + 20 * step, 360.0, 260.0 + 20 * step), 0.8, PERSON))
    film.show(frames=20)
    (track,) = film.tracks
    assert track.state is TrackState.LOST
    assert track.box[3] < 360 + 100  # it would be 760 where falling went on


def test_clutter_is_forgotten_when_it_is_gone() -> None:
    clutter, box = Clutter(), np.array([FALLEN])
    for frame in range(10):
        clutter.add(box, frame * 100_000_000)
    assert clutter.known(box, 2_000_000_000).all()
    clutter.add(box[:0], 100_000_000_000)
    assert not clutter.known(box, 100_100_000_000).any()


def test_clutter_stays_bounded_and_keeps_what_was_found_last() -> None:
    clutter = Clutter()
    for frame in range(10):
        noise = np.array([[x, 0.0, x + 5, 5.0] for x in range(frame, 40 * MOST, 20)])
        clutter.add(np.concatenate((noise, [FALLEN])), frame * 100_000_000)
    assert len(clutter._things) == MOST
    assert clutter.known(np.array([FALLEN]), 2_000_000_000).all()
