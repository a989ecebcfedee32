"""The detector looks again only where somebody must be and has no box, and finds people who lie."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from privcam_core.types.perception import Detections, DetectionSource, PresenceRegion, Track, TrackState
from privcam_perception.look_again import LookAgain

LYING = (100.0, 300.0, 260.0, 360.0)
ELSEWHERE = (400.0, 100.0, 520.0, 150.0)
NONE = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


@dataclass
class UprightBodies:
    """A detector that finds one white body, and only if it is higher than wide, with its head above."""

    score: float = 0.3
    calls: int = 0

    def detect(self, image: np.ndarray) -> Detections:
        self.calls += 1
        rows, columns = np.nonzero(image[..., 0] >= 200)  # the head is 200, the body 255
        if not len(rows):
            return NONE
        x0, y0, x1, y1 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        heads = np.nonzero(image[y0:y1, x0:x1, 0] == 200)[0]
        if y1 - y0 < 1.5 * (x1 - x0) or not len(heads) or heads.mean() > (y1 - y0) / 2:
            return NONE
        return Detections(np.array([[x0, y0, x1, y1]], np.float32), np.array([self.score], np.float32))


def room(box: tuple[float, ...] = LYING, *, head_left: bool = True) -> np.ndarray:
    image = np.zeros((480, 640, 3), np.uint8)
    x0, y0, x1, y1 = (int(side) for side in box)
    image[y0:y1, x0:x1] = 255
    image[y0:y1, x0 : x0 + 20] = 200 if head_left else 255
    image[y0:y1, x1 - 20 : x1] = 255 if head_left else 200
    return image


def presence(number: int = 1, box: tuple[float, ...] = LYING, *, animate: bool = True) -> PresenceRegion:
    return PresenceRegion(number, box, animate, followed=False, still_s=5.0)  # type: ignore[arg-type]


def frames(look: LookAgain, count: int, *regions: PresenceRegion, image: np.ndarray) -> list[Detections]:
    return [look.detect(image, NONE, regions, []) for _ in range(count)]


@pytest.mark.parametrize(
    ("head_left", "source"), [(True, DetectionSource.TURNED_RIGHT), (False, DetectionSource.TURNED_LEFT)]
)
def test_lying_person_is_found_in_the_turned_picture(head_left: bool, source: DetectionSource) -> None:
    look = LookAgain(UprightBodies())
    found = [one for one in frames(look, 4, presence(), image=room(head_left=head_left)) if len(one)]
    np.testing.assert_array_equal(found[0].boxes, [LYING])
    assert found[0].sources.tolist() == [source]


def test_turn_that_found_a_person_is_used_again_in_the_next_frame() -> None:
    look = LookAgain(UprightBodies(score=0.5))
    found = frames(look, 10, presence(), image=room())
    first = next(number for number, one in enumerate(found) if len(one))
    assert all(len(one) for one in found[first:])


@dataclass
class CropSizes(UprightBodies):
    """Notes the larger side of every picture that it sees."""

    sides: list[int] = field(default_factory=list)

    def detect(self, image: np.ndarray) -> Detections:
        self.sides.append(max(image.shape[:2]))
        return super().detect(image)


def test_next_look_is_at_the_place_where_the_person_was_found_in_a_large_presence() -> None:
    detector = CropSizes(score=0.5)
    frames(LookAgain(detector), 10, presence(box=(20.0, 100.0, 620.0, 460.0)), image=room())
    assert detector.sides[0] == 640
    assert detector.sides[-1] == 240  # 1.5 times the 160 px of the body


def test_empty_room_costs_no_network_call() -> None:
    detector = UprightBodies()
    frames(LookAgain(detector), 5, image=room())
    assert detector.calls == 0


def test_region_with_a_box_costs_no_network_call() -> None:
    detector = UprightBodies()
    known = Detections(np.array([LYING], np.float32), np.array([0.4], np.float32))
    assert LookAgain(detector).detect(room(), known, [presence()], []) is known
    assert detector.calls == 0


@pytest.mark.parametrize("budget", [0, 1, 2])
def test_frame_costs_no_more_network_calls_than_the_budget(budget: int) -> None:
    detector = UprightBodies()
    regions = [presence(number, ELSEWHERE) for number in (1, 2, 3)]
    frames(LookAgain(detector, budget), 6, *regions, image=room())
    assert detector.calls == 6 * budget


def test_regions_take_turns() -> None:
    look = LookAgain(UprightBodies(score=0.3))
    people = room()
    people[100:150, 400:520] = 255
    found = frames(look, 24, presence(1), presence(2, ELSEWHERE), image=people)
    assert look.calls == 24
    # Half of the looks are at the first region, and those after the first hit all find the person.
    assert sum(len(one) for one in found) >= 8


def test_lost_track_is_looked_for_where_it_was_expected() -> None:
    look = LookAgain(UprightBodies())
    lost = Track(1, LYING, (0.0, 0.0, 0.0, 0.0), 0.0, TrackState.LOST, 9, 12, 3)
    assert any(len(look.detect(room(), NONE, [], [lost])) for _ in range(4))


STANDING = Track(1, (160.0, 180.0, 220.0, 340.0), (0.0, 0.0, 0.0, 0.0), 0.8, TrackState.CONFIRMED, 9, 9, 0)
# A chair: the track goes on with it by low scores.
ON_FURNITURE = replace(STANDING, box=(500.0, 200.0, 560.0, 340.0), score=0.15)


def test_track_that_goes_on_with_a_weak_box_is_looked_for_where_it_had_a_good_one() -> None:
    look = LookAgain(UprightBodies())
    look.detect(room(), NONE, [], [STANDING])
    assert look.calls == 0
    found = [look.detect(room(), NONE, [], [ON_FURNITURE]) for _ in range(4)]
    assert any(len(one) for one in found)


def test_place_of_a_track_that_ended_is_looked_at_for_a_while_and_then_forgotten() -> None:
    look, empty = LookAgain(UprightBodies()), np.zeros((480, 640, 3), np.uint8)
    look.detect(empty, NONE, [], [STANDING])
    look.detect(empty, NONE, [], [replace(STANDING, score=0.0, state=TrackState.LOST)])
    for _ in range(200):
        look.detect(empty, NONE, [], [])
    assert 20 <= look.calls <= 25


@dataclass
class Blinking(UprightBodies):
    """Finds nobody in its second look at somebody whom it finds."""

    found: int = 0

    def detect(self, image: np.ndarray) -> Detections:
        result = super().detect(image)
        self.found += len(result)
        return NONE if len(result) and self.found == 2 else result


def test_turn_and_place_outlast_a_look_that_finds_nobody() -> None:
    look = LookAgain(Blinking(score=0.5))
    found = [len(one) > 0 for one in frames(look, 12, presence(), image=room())]
    first = found.index(True)
    assert found[first : first + 3] == [True, False, True]


def test_region_in_which_somebody_was_found_is_looked_at_first_and_the_others_have_their_turn() -> None:
    detector = UprightBodies(score=0.5)
    look = LookAgain(detector)
    others = [presence(number, ELSEWHERE) for number in range(2, 8)]
    frames(look, 4, presence(), image=room())
    found = [len(one) > 0 for one in frames(look, 40, presence(), *others, image=room())]
    assert sum(found) == 30  # three of four


def test_track_that_was_lost_outside_of_the_picture_is_not_looked_for() -> None:
    look = LookAgain(UprightBodies())
    lost = Track(1, (-300.0, 300.0, -10.0, 360.0), (0.0, 0.0, 0.0, 0.0), 0.0, TrackState.LOST, 9, 12, 3)
    assert len(look.detect(room(), NONE, [], [lost])) == 0
    assert look.calls == 0


def test_object_is_no_person_with_a_score_that_would_start_no_track_elsewhere() -> None:
    look = LookAgain(UprightBodies(score=0.3))
    assert not any(len(one) for one in frames(look, 8, presence(animate=False), image=room()))
    look = LookAgain(UprightBodies(score=0.5))
    assert not any(len(one) for one in frames(look, 8, presence(animate=False), image=room()))
    look = LookAgain(UprightBodies(score=0.6))
    assert any(len(one) for one in frames(look, 8, presence(animate=False), image=room()))


def test_region_in_which_nobody_is_found_costs_less_after_a_while() -> None:
    detector = UprightBodies()
    frames(LookAgain(detector), 116, presence(), image=np.zeros((480, 640, 3), np.uint8))
    assert detector.calls <= 27


def test_crowd_in_which_somebody_is_always_lost_costs_a_look_in_every_third_frame() -> None:
    detector, empty = UprightBodies(), np.zeros((480, 640, 3), np.uint8)
    look = LookAgain(detector)
    for frame in range(300):
        # Every second frame somebody else is lost, for three seconds.
        lost = [presence(number, ELSEWHERE) for number in range(max(1, frame // 2 - 15), frame // 2 + 1)]
        look.detect(empty, NONE, lost, [])
    assert 100 <= detector.calls <= 115


def test_somebody_who_was_found_in_a_crowd_is_still_looked_at() -> None:
    look = LookAgain(UprightBodies(score=0.5))
    frames(look, 4, presence(), image=room())
    others = [presence(number, ELSEWHERE) for number in range(2, 30)]
    found = [len(one) > 0 for one in frames(look, 90, presence(), *others, image=room())]
    assert sum(found) >= 60


def test_negative_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="per_frame: -1 is negative"):
        LookAgain(UprightBodies(), -1)
