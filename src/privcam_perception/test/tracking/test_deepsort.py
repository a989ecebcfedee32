"""DeepSort keeps identities through crossings, occlusions, frame gaps and low scores."""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import pytest

from privcam_core.types.arrays import Box
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_perception.tracking.deepsort import DeepSort

RATES = [5, 10, 30]
Position = Callable[[float], tuple[float, float] | None]  # centre in px at a time in s, or hidden
Descriptors = npt.NDArray[np.float32]  # (persons, D) unit vectors, one for each person
WIDTH, HEIGHT = 60, 160


def box_at(centre: tuple[float, float]) -> Box:
    u, v = centre
    return u - WIDTH / 2, v - HEIGHT / 2, u + WIDTH / 2, v + HEIGHT / 2


def detect(boxes: Iterable[Box], scores: Iterable[float] | None = None) -> Detections:
    table = np.array(list(boxes), np.float32).reshape(-1, 4)
    return Detections(table, np.array(list(scores) if scores is not None else [0.8] * len(table), np.float32))


def run_tracker(
    tracker: DeepSort, people: list[Position], stamps: Iterable[float], descriptors: Descriptors | None = None
) -> list[tuple[list[int | None], list[Track]]]:
    """Return, for each frame, the id of the confirmed track on each person (None without one), and all tracks."""
    random = np.random.default_rng(7)
    result = []
    for stamp in stamps:
        places = [person(stamp) for person in people]
        seen = [index for index, place in enumerate(places) if place is not None]
        boxes = [tuple(np.add(box_at(places[index]), random.normal(0, 2, 4))) for index in seen]  # type: ignore[arg-type]
        tracks = tracker.update(
            detect(boxes), None if descriptors is None else descriptors[np.array(seen, int)], round(stamp * 1e9)
        )
        confirmed = [track for track in tracks if track.state is TrackState.CONFIRMED]
        ids = [next((t.subject_id for t in confirmed if place and is_at(t, place)), None) for place in places]
        result.append((ids, tracks))
    return result


def is_at(track: Track, place: tuple[float, float]) -> bool:
    x0, y0, x1, y1 = track.box
    return abs((x0 + x1) / 2 - place[0]) < 20 and abs((y0 + y1) / 2 - place[1]) < 25


def times(rate: float, seconds: float) -> npt.NDArray[np.float64]:
    return np.arange(round(seconds * rate)) / rate


def standing(u: float, v: float = 200) -> Position:
    return lambda _: (u, v)


@pytest.mark.parametrize("rate", RATES)
def test_a_walking_person_keeps_one_number_at_any_frame_rate(rate: int) -> None:
    frames = run_tracker(DeepSort(), [lambda t: (100 + 120 * t, 200)], times(rate, 4))
    assert {ids[0] for ids, _ in frames[3:]} == {1}


@pytest.mark.parametrize("rate", RATES)
def test_two_people_who_cross_keep_their_numbers(rate: int) -> None:
    people: list[Position] = [lambda t: (100 + 110 * t, 200), lambda t: (540 - 110 * t, 240)]
    frames = run_tracker(DeepSort(), people, times(rate, 4))
    assert frames[-1][0] == frames[3][0] == [1, 2]


def test_appearance_decides_when_two_people_meet_hide_each_other_and_turn_back() -> None:
    def turns(start: float, way: float) -> Position:
        def place(t: float) -> tuple[float, float] | None:
            return None if 1.7 < t < 2.3 else (start + way * (100 * min(t, 4 - t)), 200)

        return place

    people = [turns(100, 1), turns(530, -1)]
    frames = run_tracker(DeepSort(), people, times(15, 4), np.eye(2, dtype=np.float32))
    assert frames[-1][0] == frames[10][0] == [1, 2]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("descriptors", [None, np.eye(1, dtype=np.float32)])
def test_a_person_hidden_for_a_second_keeps_the_number(rate: int, descriptors: Descriptors | None) -> None:
    frames = run_tracker(
        DeepSort(), [lambda t: None if 2 <= t < 3 else (100 + 90 * t, 200)], times(rate, 5), descriptors
    )
    assert frames[-1][0] == frames[2 * rate - 1][0] == [1]


def test_a_hidden_person_is_reported_as_lost_where_the_person_is_expected() -> None:
    frames = run_tracker(DeepSort(), [lambda t: None if t >= 2 else (100 + 90 * t, 200)], times(10, 3))
    (track,) = frames[-1][1]
    assert track.state is TrackState.LOST
    assert track.score == 0
    assert track.lost_frames == 10
    assert is_at(track, (100 + 90 * 2.9, 200))


def test_counts_are_of_frames_and_velocity_is_in_pixels_per_second() -> None:
    frames = run_tracker(DeepSort(), [lambda t: (100 + 90 * t, 200)], times(10, 3))
    (track,) = frames[-1][1]
    assert (track.hits, track.age, track.lost_frames) == (30, 30, 0)
    assert track.velocity[0] == pytest.approx(90, abs=12)
    assert track.score == pytest.approx(0.8)


@pytest.mark.parametrize("descriptors", [None, np.ones((1, 1), np.float32)])
def test_nobody_teleports_not_even_with_the_same_appearance(descriptors: Descriptors | None) -> None:
    frames = run_tracker(DeepSort(), [lambda t: (100 if t < 2 else 600, 200)], times(10, 3), descriptors)
    assert frames[10][0] == [1]
    assert frames[-1][0] == [2]


def test_person_with_another_appearance_does_not_get_the_id_of_the_person_before() -> None:
    tracker = DeepSort()
    descriptors = np.eye(2, dtype=np.float32)
    people: list[Position] = [
        lambda t: (300, 200) if t < 2 else None,
        lambda t: (300, 200) if t >= 2.5 else None,
    ]
    frames = run_tracker(tracker, people, times(10, 4), descriptors)
    assert frames[-1][0] == [None, 2]


def test_a_number_is_never_given_twice() -> None:
    tracker = DeepSort(max_age_s=0.5)
    people: list[Position] = [
        lambda t, k=k: (100 + 150 * (k % 4), 200) if 2 * k <= t < 2 * k + 1 else None  # type: ignore[misc]
        for k in range(5)
    ]
    frames = run_tracker(tracker, people, times(10, 10))
    owners = [{ids[k] for ids, _ in frames} - {None} for k in range(5)]
    assert owners == [{1}, {2}, {3}, {4}, {5}]


def test_irregular_and_skipped_frames_do_not_cost_the_number() -> None:
    random = np.random.default_rng(5)
    stamps = np.cumsum(random.choice([0.03, 0.05, 0.1, 0.4], size=60))
    frames = run_tracker(DeepSort(), [lambda t: (100 + 30 * t, 200), lambda t: (500, 150 + 10 * t)], stamps)
    assert frames[-1][0] == frames[3][0] == [1, 2]


def test_empty_frames_are_frames_like_others() -> None:
    tracker = DeepSort()
    assert tracker.update(detect([]), None, 0) == []
    assert tracker.update(detect([]), np.zeros((0, 8), np.float32), 1) == []
    assert tracker.dropped == []


def test_a_track_is_tentative_until_it_was_seen_often_enough_and_ends_with_a_miss_before() -> None:
    tracker = DeepSort(n_init=3)
    box = box_at((200, 200))
    states = [tracker.update(detect([box]), None, round(k * 1e9 / 30))[0].state for k in range(3)]
    assert states == [TrackState.TENTATIVE, TrackState.TENTATIVE, TrackState.CONFIRMED]
    tracker = DeepSort(n_init=3)
    tracker.update(detect([box]), None, 0)
    assert tracker.update(detect([]), None, 33_000_000) == []
    assert tracker.dropped == []


def test_a_slow_camera_confirms_with_the_second_match() -> None:
    tracker = DeepSort(n_init=3)
    states = [tracker.update(detect([box_at((200, 200))]), None, k * 200_000_000)[0].state for k in range(2)]
    assert states == [TrackState.TENTATIVE, TrackState.CONFIRMED]


@pytest.mark.parametrize("rate", RATES)
def test_a_track_is_given_up_after_its_time_and_says_where_it_was_last_seen(rate: int) -> None:
    tracker = DeepSort(max_age_s=1.0)
    dropped_at = []
    for stamp in times(rate, 4):
        boxes = [box_at((100 + 90 * stamp, 200))] if stamp < 2 else []
        tracker.update(detect(boxes), None, round(stamp * 1e9))
        dropped_at += [(stamp, track) for track in tracker.dropped]
    ((stamp, track),) = dropped_at
    assert stamp == pytest.approx(2 - 1 / rate + 1, abs=1.01 / rate)
    assert (track.subject_id, track.state) == (1, TrackState.LOST)
    assert track.box == pytest.approx(box_at((100 + 90 * (2 - 1 / rate), 200)), abs=0.01)


def test_a_long_gap_gives_up_everybody_and_starts_anew() -> None:
    tracker = DeepSort(max_age_s=1.0)
    people = [standing(100), standing(400)]
    run_tracker(tracker, people, times(10, 1))
    tracks = tracker.update(detect([box_at((100, 200))]), None, 60_000_000_000)
    assert [track.subject_id for track in tracker.dropped] == [1, 2]
    assert [(track.subject_id, track.state) for track in tracks] == [(3, TrackState.TENTATIVE)]


def test_low_score_box_keeps_a_track_alive_but_starts_none() -> None:
    tracker = DeepSort(track_activation_threshold=0.35, match_threshold=0.2)
    boxes = [box_at((200, 200)), box_at((500, 200))]
    for k in range(20):
        known = 0.9 if k < 5 else 0.25
        tracks = tracker.update(detect(boxes, [known, 0.25]), None, k * 100_000_000)
    assert [(track.subject_id, track.state) for track in tracks] == [(1, TrackState.CONFIRMED)]
    tracks = tracker.update(detect(boxes, [0.1, 0.1]), None, 2_000_000_000)
    assert [track.state for track in tracks] == [TrackState.LOST]


def test_visible_person_keeps_the_box_that_a_lost_neighbour_could_also_claim() -> None:
    people: list[Position] = [standing(300), lambda t: (350, 200) if t < 1 else None]
    frames = run_tracker(DeepSort(), people, times(10, 3))
    assert {ids[0] for ids, _ in frames[3:]} == {1}


def test_a_person_who_collapses_before_a_long_frame_gap_keeps_a_box_with_an_area() -> None:
    tracker = DeepSort()
    for k in range(10):
        falling = max(0, k - 5) * 30.0
        box = (200.0, 100.0 + falling, 260.0, 260.0)
        tracker.update(detect([box]), None, k * 33_000_000)
    (track,) = tracker.update(detect([]), None, 2_000_000_000)
    x0, y0, x1, y1 = track.box
    assert x1 > x0
    assert y1 - y0 > 10


def test_stamps_that_stand_still_are_refused() -> None:
    tracker = DeepSort()
    tracker.update(detect([]), None, 5)
    with pytest.raises(ValueError, match="stamp_ns"):
        tracker.update(detect([]), None, 5)


def test_descriptors_that_are_not_one_for_each_detection_are_refused() -> None:
    with pytest.raises(ValueError, match="descriptors: 1 for 2"):
        DeepSort().update(detect([box_at((9, 9)), box_at((99, 9))]), np.ones((1, 4), np.float32), 0)


@pytest.mark.parametrize("box", [(5.0, 5.0, 5.0, 9.0), (0.0, 0.0, float("nan"), 9.0)])
def test_boxes_without_area_or_with_values_that_are_no_numbers_are_refused(box: Box) -> None:
    with pytest.raises(ValueError, match=r"boxes\[0\]"):
        DeepSort().update(detect([box]), None, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_age_s", 0),
        ("n_init", 0),
        ("track_activation_threshold", 2),
        ("match_threshold", 0.5),
        ("max_cosine_distance", 0),
        ("min_iou", -1),
    ],
)
def test_parameters_outside_their_range_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        DeepSort(**{name: value})  # type: ignore[arg-type]
