"""The drawing order is stable through overlaps and changes only with evidence."""

from itertools import pairwise

import numpy as np
import pytest

from privcam_core.types.arrays import Box
from privcam_core.types.perception import Track, TrackState
from privcam_perception.tracking.ground import Ground
from privcam_perception.tracking.layers import LayerOrder

RATES = [5, 15, 30]


def person(u: float, ground: float, height: float = 200, width: float = 80) -> Box:
    return u - width / 2, ground - height, u + width / 2, ground


def track(subject_id: int, box: Box, state: TrackState = TrackState.CONFIRMED) -> Track:
    return Track(subject_id, box, (0, 0, 0, 0), 0.8, state, 9, 9, 0 if state is not TrackState.LOST else 3)


class Scene:
    """Feeds frames at a fixed rate."""

    def __init__(self, rate: float = 15, picture_height: float | None = None) -> None:
        self.order = LayerOrder()
        self.rate = rate
        self.picture_height = picture_height
        self.frame = 0

    def show(self, *tracks: Track) -> list[int]:
        """Return the SubjectIDs from the farthest to the nearest."""
        self.frame += 1
        stamp = round(self.frame / self.rate * 1e9)
        layers = self.order.update(tracks, stamp, picture_height=self.picture_height)
        return sorted(layers, key=lambda subject_id: layers[subject_id])

    def hold(self, seconds: float, *tracks: Track) -> list[list[int]]:
        return [self.show(*tracks) for _ in range(round(seconds * self.rate))]


def test_an_empty_picture_has_no_layers() -> None:
    assert LayerOrder().update([], 0) == {}


def test_layers_are_unique_count_from_zero_and_rise_towards_the_camera() -> None:
    tracks = [track(7, person(100, 400)), track(3, person(140, 300)), track(5, person(600, 350))]
    assert LayerOrder().update(tracks, 0) == {3: 0, 5: 1, 7: 2}


@pytest.mark.parametrize("rate", RATES)
def test_layers_do_not_flicker_when_two_people_walk_side_by_side(rate: int) -> None:
    random = np.random.default_rng(4)
    scene = Scene(rate)
    orders = []
    for _ in range(20 * rate):
        boxes = [person(200 + 50 * k, 400) + random.normal(0, 5, 4) for k in range(2)]
        orders.append(scene.show(*(track(k + 1, tuple(box)) for k, box in enumerate(boxes))))
    assert sum(a != b for a, b in pairwise(orders)) <= 1


@pytest.mark.parametrize("rate", RATES)
def test_person_in_front_before_the_overlap_stays_in_front_while_the_boxes_mislead(rate: int) -> None:
    scene = Scene(rate)
    scene.hold(1, track(1, person(100, 420)), track(2, person(400, 380)))
    # While they overlap, the detector cuts the near one off at the knees and gives the far one both pairs of legs.
    misled = scene.hold(0.8, track(1, person(240, 370, 150)), track(2, person(260, 420, 240)))
    assert all(order == [2, 1] for order in misled)


@pytest.mark.parametrize("rate", RATES)
def test_two_people_who_really_change_places_change_layers(rate: int) -> None:
    scene = Scene(rate)
    scene.hold(1, track(1, person(240, 440)), track(2, person(260, 380)))
    orders = scene.hold(3, track(1, person(240, 380)), track(2, person(260, 440)))
    assert orders[0] == [2, 1]
    assert orders[-1] == [1, 2]
    assert sum(a != b for a, b in pairwise(orders)) == 1


def test_a_person_behind_a_table_stays_where_the_feet_were() -> None:
    scene = Scene()
    near, far = track(1, person(200, 420)), track(2, person(270, 380))
    scene.hold(1, near, far)
    # The table hides the legs of the near person: the head stays, the lower edge of the box rises.
    x0, y0, x1, _ = near.box
    behind_table = track(1, (x0, y0, x1, y0 + 110))
    assert all(order == [2, 1] for order in scene.hold(10, behind_table, far))


def test_a_person_who_bends_down_stands_where_the_feet_are() -> None:
    scene = Scene()
    far, near = person(200, 380), track(2, person(270, 410))
    scene.hold(1, track(1, far), near)
    x0, _, x1, y1 = far
    bent = track(1, (x0, y1 - 100, x1, y1))
    assert all(order == [1, 2] for order in scene.hold(10, bent, near))


def test_person_who_comes_nearer_behind_furniture_ends_up_in_front() -> None:
    scene = Scene()
    near, other = person(200, 360), track(2, person(270, 400))
    scene.hold(1, track(1, near), other)
    x0, y0, x1, _ = near
    orders = [scene.show(track(1, (x0, y0 + 2.0 * k, x1, y0 + 2.0 * k + 110)), other) for k in range(80)]
    assert orders[0] == [1, 2]
    assert orders[-1] == [2, 1]


def test_a_person_who_grew_before_the_feet_were_hidden_is_expected_to_grow_on() -> None:
    dt, height = 1 / 15, 160.0
    grew = Ground(person(200, 400, height), None)
    for _ in range(15):
        height *= 1.02
        grew.update(person(200, 400, height), dt, None)
    hidden = (160.0, 400 - height, 240.0, 400 - 0.4 * height)
    before = grew.height
    for _ in range(5):
        grew.update(hidden, dt, None)
    assert grew.hidden
    assert 1.05 * before < grew.height < 1.2 * before


def test_of_two_people_cut_off_by_the_lower_border_the_larger_one_is_in_front() -> None:
    cut = [track(1, (100, 180, 300, 480)), track(2, (220, 250, 300, 480))]
    assert Scene(picture_height=480).show(*cut) == [2, 1]


def test_person_who_walks_out_at_the_lower_border_stays_in_front_of_a_person_who_stands_there() -> None:
    scene = Scene(picture_height=480)
    other = track(2, person(320, 470, 230))
    for ground in np.linspace(440, 640, 60):
        x0, y0, x1, y1 = person(260, ground, 230)
        order = scene.show(track(1, (x0, y0, x1, min(y1, 480.0))), other)
    assert order == [2, 1]


def test_lost_person_is_behind_the_person_who_covers_the_place() -> None:
    scene = Scene()
    scene.hold(1, track(1, person(200, 400)), track(2, person(400, 398)))
    covered = track(1, person(300, 400), TrackState.LOST)
    orders = scene.hold(2, covered, track(2, person(310, 398, 220, 120)))
    assert orders[-1] == [1, 2]


def test_three_people_in_a_circle_of_contradictions_still_get_unique_layers() -> None:
    scene = Scene()
    random = np.random.default_rng(2)
    for _ in range(100):
        tracks = [track(k, person(200 + 30 * k, 400 + random.normal(0, 30))) for k in (1, 2, 3)]
        assert sorted(scene.show(*tracks)) == [1, 2, 3]


def test_people_who_come_and_go_do_not_disturb_the_others() -> None:
    scene = Scene()
    pair = track(1, person(200, 400)), track(2, person(250, 402))
    before = scene.hold(1, *pair)[-1]
    with_third = scene.hold(1, *pair, track(3, person(225, 401)))[-1]
    assert [k for k in with_third if k != 3] == before
    assert scene.show(*pair) == before


def test_the_order_of_the_given_tracks_does_not_matter() -> None:
    tracks = [track(k, person(100 + 40 * k, 400 + 7 * (k % 3))) for k in range(1, 7)]
    assert LayerOrder().update(tracks, 0) == LayerOrder().update(tracks[::-1], 0)


def test_stamps_that_stand_still_and_numbers_given_twice_are_refused() -> None:
    order = LayerOrder()
    order.update([], 5)
    with pytest.raises(ValueError, match="stamp_ns"):
        order.update([], 5)
    with pytest.raises(ValueError, match="subject_id"):
        order.update([track(1, person(100, 400)), track(1, person(200, 400))], 6)
