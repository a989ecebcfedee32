import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privcam_privacy.background.clean_plate import CleanPlate, PlateTimes
from privcam_privacy.background.exclusion_masks import Unsafe, cells, from_grid, grid_shape

SHAPE = (96, 128)
GRID_SHAPE = grid_shape(SHAPE)
TIMES = PlateTimes(confirm=2.0, doubt=4.0, change=3.0, relearn=6.0)
STEP = 0.1


def room(seed=3):
    coarse = np.random.default_rng(seed).integers(60, 200, (12, 16, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


def empty():
    return np.zeros(GRID_SHAPE, np.uint8)


def region(box):
    mask = empty()
    mask[cells(box, GRID_SHAPE)] = 255
    return mask


def unsafe(persons=None, disagrees=None, doubted=None, followed=None):
    parts = (empty() if part is None else part for part in (persons, followed, disagrees, doubted))
    persons, followed, disagrees, doubted = parts
    return Unsafe(persons | disagrees, persons, followed, disagrees, disagrees, doubted)


def feed(plate, image, seconds, what=None, blocked=None):
    for _ in range(round(seconds / STEP)):
        plate.absorb(image, what or unsafe(), empty() if blocked is None else blocked, STEP)


def learnt(image=None):
    plate = CleanPlate(SHAPE, TIMES)
    feed(plate, room() if image is None else image, 2.5)
    assert plate.proven.all()
    return plate


def test_background_is_confirmed_after_confirm_s_and_not_before():
    plate = CleanPlate(SHAPE, TIMES)
    feed(plate, room(), 1.9)
    assert not plate.proven.any()
    feed(plate, room(), 0.4)
    assert plate.proven.all()
    np.testing.assert_array_equal(plate.picture, room())


@pytest.mark.parametrize(("followed", "proven"), [(True, True), (False, False)])
def test_only_somebody_who_is_followed_past_a_place_leaves_its_evidence_as_it_was(followed, proven):
    plate = CleanPlate(SHAPE, TIMES)
    box = region((20, 20, 60, 60))
    feed(plate, room(), 1.5)
    feed(plate, 255 - room(), 1.0, unsafe(persons=box | 255, followed=box if followed else None))
    feed(plate, room(), 0.8)
    assert plate.proven[box > 0].all() == proven


def test_a_place_where_somebody_was_lost_starts_again():
    plate = CleanPlate(SHAPE, TIMES)
    box = region((20, 20, 60, 60))
    feed(plate, room(), 1.5)
    feed(plate, room(), 0.2, unsafe(persons=box, followed=box), blocked=box)
    feed(plate, room(), 0.8)
    assert not plate.proven[box > 0].any()


def test_a_gap_in_time_is_no_evidence():
    plate = CleanPlate(SHAPE, TIMES)
    for _ in range(3):
        plate.absorb(room(), unsafe(), empty(), 100.0)
    assert not plate.proven.any()


def test_frames_without_time_are_no_evidence():
    plate = CleanPlate(SHAPE, TIMES)
    for _ in range(1000):
        plate.absorb(room(), unsafe(), empty(), 0.0)
    assert not plate.proven.any()


def test_evidence_starts_again_when_a_cell_was_unsafe():
    plate = CleanPlate(SHAPE, TIMES)
    box = (32, 32, 64, 64)
    feed(plate, room(), 1.8)
    feed(plate, room(), STEP, unsafe(persons=region(box)))
    feed(plate, room(), 1.5)
    assert not plate.proven[region(box) > 0].any()
    assert plate.proven[region(box) == 0].all()
    feed(plate, room(), 1.0)
    assert plate.proven.all()


def test_evidence_starts_again_when_the_value_changed():
    plate = CleanPlate(SHAPE, TIMES)
    feed(plate, room(), 1.8)
    other = room()
    other[32:64, 32:64] = 250
    feed(plate, other, 1.5)
    assert not plate.proven[region((32, 32, 64, 64)) > 0].any()


def test_proven_background_is_kept_while_a_person_stands_before_it():
    plate = learnt()
    person = room()
    person[32:64, 32:64] = 5
    feed(plate, person, 60, unsafe(persons=region((28, 28, 68, 68))))
    assert plate.proven.all()
    np.testing.assert_array_equal(plate.picture, room())


def test_a_weak_box_asks_for_longer_evidence():
    plate = CleanPlate(SHAPE, TIMES)
    box = region((32, 32, 64, 64))
    feed(plate, room(), 3.5, unsafe(doubted=box))
    assert plate.proven[box == 0].all()
    assert not plate.proven[box > 0].any()
    feed(plate, room(), 1.0, unsafe(doubted=box))
    assert plate.proven.all()


def test_a_slow_change_of_light_is_followed_when_the_room_is_empty_again_also_where_a_person_was():
    plate = learnt()
    persons = region((32, 32, 64, 64))
    image = room()
    for factor in np.linspace(1.0, 1.2, 100):
        image = np.clip(room() * factor, 0, 255).astype(np.uint8)
        feed(plate, image, STEP, unsafe(persons=persons))
    feed(plate, image, 6.0)
    assert plate.proven.all()
    assert np.abs(plate.picture.astype(int) - image).max() <= 6


def test_light_is_not_followed_close_to_a_person():
    plate = learnt()
    persons = region((32, 32, 64, 64))
    shadow = room()
    shadow[32:64, 64:68] -= 8
    feed(plate, shadow, 20.0, unsafe(persons=persons))
    np.testing.assert_array_equal(plate.picture, room())


def test_everything_is_forgotten_when_most_of_the_room_disagrees():
    plate = learnt()
    feed(plate, room(4), 0.8, unsafe(disagrees=region((0, 0, 128, 64))))
    assert plate.proven.all()
    feed(plate, room(4), 0.4, unsafe(disagrees=region((0, 0, 128, 64))))
    assert not plate.proven.any()
    assert not plate.known[: GRID_SHAPE[0] // 2].any()


def test_changed_background_is_unconfirmed_and_needs_longer_evidence():
    plate = learnt()
    chair = region((32, 32, 64, 64))
    moved = room()
    moved[32:64, 32:64] = room(4)[32:64, 32:64]
    feed(plate, moved, 3.2, unsafe(disagrees=chair))
    assert not plate.proven[chair > 0].any()
    assert plate.proven[chair == 0].all()
    feed(plate, moved, 5.0)
    assert not plate.proven[chair > 0].any()
    feed(plate, moved, 1.5)
    assert plate.proven.all()
    assert np.abs(plate.picture.astype(int) - moved).max() <= 1


def test_what_disagrees_under_a_person_is_not_taken_for_changed():
    plate = learnt()
    box = region((32, 32, 64, 64))
    feed(
        plate,
        room(4),
        30.0,
        unsafe(persons=box, disagrees=box | region((0, 0, 128, 96))) if False else unsafe(box, box),
    )
    assert plate.proven.all()


def test_blocked_cells_learn_nothing():
    plate = CleanPlate(SHAPE, TIMES)
    box = region((32, 32, 64, 64))
    feed(plate, room(), 30.0, blocked=box)
    assert not plate.known[box > 0].any()
    assert plate.proven[box == 0].all()


def test_times_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="confirm"):
        PlateTimes(confirm=5.0, doubt=1.0)


boxes = st.tuples(st.integers(0, 100), st.integers(0, 70), st.integers(10, 60), st.integers(10, 60)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@settings(max_examples=25, deadline=None)
@given(
    persons=st.lists(boxes, min_size=4, max_size=4),
    moving=st.lists(boxes, min_size=4, max_size=4),
    blocked=boxes,
    seed=st.integers(0, 2**32 - 1),
)
def test_no_byte_of_the_state_depends_on_unsafe_pixels(persons, moving, blocked, seed):
    """Non-interference: the same regions with any pixels inside give the same plate."""
    rng = np.random.default_rng(seed)
    plates = CleanPlate(SHAPE, TIMES), CleanPlate(SHAPE, TIMES)
    for k in range(48):
        what = unsafe(region(persons[k // 12]), region(moving[(k + 6) // 12 % 4]))
        image = np.clip(room().astype(int) + rng.integers(-3, 4, (*SHAPE, 3)), 0, 255).astype(np.uint8)
        twin = image.copy()
        inside = from_grid(what.mask, SHAPE) > 0
        twin[inside] = rng.integers(0, 256, (np.count_nonzero(inside), 3))
        kept = [plate.absorb(i, what, region(blocked), 0.2) for plate, i in zip(plates, (image, twin), strict=True)]
        np.testing.assert_array_equal(*kept)
    for part in ("picture", "known", "proven", "changed", "_value", "_age"):
        np.testing.assert_array_equal(getattr(plates[0], part), getattr(plates[1], part), err_msg=part)
    assert plates[0].proven.any()
