from operator import attrgetter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privcam_privacy.background.clean_plate import CleanPlate
from privcam_privacy.background.exclusion_masks import ExclusionMasks
from privcam_privacy.background.grid import box_cells, from_grid, grid_shape
from privcam_privacy.evidence.cell_evidence import PlateTimes

SHAPE = (96, 128)
GRID_SHAPE = grid_shape(SHAPE)
TIMES = PlateTimes(confirm_s=2.0, low_confidence_s=4.0, change_s=3.0, relearn_s=6.0)
STEP = 0.1


def room(seed=3):
    coarse = np.random.default_rng(seed).integers(60, 200, (12, 16, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


def empty():
    return np.zeros(GRID_SHAPE, np.uint8)


def region(box):
    mask = empty()
    mask[box_cells(box, GRID_SHAPE)] = 255
    return mask


def exclude(persons=None, differing=None, low_confidence=None, tracked=None):
    given = (persons, tracked, differing, low_confidence)
    persons, tracked, differing, low_confidence = (empty() if part is None else part for part in given)
    return ExclusionMasks(persons | differing, persons, tracked, differing, differing, low_confidence, differing)


def feed(plate, image, seconds, exclusion=None, blocked=None):
    for _ in range(round(seconds / STEP)):
        plate.absorb(
            image,
            exclusion or exclude(),
            empty() if blocked is None else blocked,
            STEP,
            withheld=empty(),
            reach=empty(),
        )


def learnt(image=None):
    plate = CleanPlate(SHAPE, TIMES)
    feed(plate, room() if image is None else image, 2.5)
    assert plate.confirmed.all()
    return plate


def test_background_is_confirmed_after_confirm_s_and_not_before():
    plate = CleanPlate(SHAPE, TIMES)
    feed(plate, room(), 1.9)
    assert not plate.confirmed.any()
    feed(plate, room(), 0.4)
    assert plate.confirmed.all()
    np.testing.assert_array_equal(plate.picture, room())


@pytest.mark.parametrize(("is_tracked", "confirmed"), [(True, True), (False, False)])
def test_only_a_tracked_person_who_walks_past_leaves_the_evidence_as_it_was(is_tracked, confirmed):
    plate = CleanPlate(SHAPE, TIMES)
    box = region((20, 20, 60, 60))
    feed(plate, room(), 1.5)
    feed(plate, 255 - room(), 1.0, exclude(persons=box | 255, tracked=box if is_tracked else None))
    feed(plate, room(), 0.8)
    assert plate.confirmed[box > 0].all() == confirmed


def test_a_place_where_somebody_was_lost_starts_again():
    plate = CleanPlate(SHAPE, TIMES)
    box = region((20, 20, 60, 60))
    feed(plate, room(), 1.5)
    feed(plate, room(), 0.2, exclude(persons=box, tracked=box), blocked=box)
    feed(plate, room(), 0.8)
    assert not plate.confirmed[box > 0].any()


def test_a_gap_in_time_is_no_evidence():
    plate = CleanPlate(SHAPE, TIMES)
    for _ in range(3):
        plate.absorb(room(), exclude(), empty(), 100.0, withheld=empty(), reach=empty())
    assert not plate.confirmed.any()


def test_frames_without_time_are_no_evidence():
    plate = CleanPlate(SHAPE, TIMES)
    for _ in range(1000):
        plate.absorb(room(), exclude(), empty(), 0.0, withheld=empty(), reach=empty())
    assert not plate.confirmed.any()


def test_evidence_starts_again_when_a_cell_was_excluded():
    plate = CleanPlate(SHAPE, TIMES)
    box = (32, 32, 64, 64)
    feed(plate, room(), 1.8)
    feed(plate, room(), STEP, exclude(persons=region(box)))
    feed(plate, room(), 1.5)
    assert not plate.confirmed[region(box) > 0].any()
    assert plate.confirmed[region(box) == 0].all()
    feed(plate, room(), 1.0)
    assert plate.confirmed.all()


def test_evidence_starts_again_when_the_value_changed():
    plate = CleanPlate(SHAPE, TIMES)
    feed(plate, room(), 1.8)
    other = room()
    other[32:64, 32:64] = 250
    feed(plate, other, 1.5)
    assert not plate.confirmed[region((32, 32, 64, 64)) > 0].any()


def test_confirmed_background_is_kept_while_a_person_stands_before_it():
    plate = learnt()
    person = room()
    person[32:64, 32:64] = 5
    feed(plate, person, 60, exclude(persons=region((28, 28, 68, 68))))
    assert plate.confirmed.all()
    np.testing.assert_array_equal(plate.picture, room())


def test_a_low_confidence_box_asks_for_longer_evidence():
    plate = CleanPlate(SHAPE, TIMES)
    box = region((32, 32, 64, 64))
    feed(plate, room(), 3.5, exclude(low_confidence=box))
    assert plate.confirmed[box == 0].all()
    assert not plate.confirmed[box > 0].any()
    feed(plate, room(), 1.0, exclude(low_confidence=box))
    assert plate.confirmed.all()


def test_a_slow_change_of_illumination_is_followed_when_the_room_is_empty_again_also_where_a_person_was():
    plate = learnt()
    persons = region((32, 32, 64, 64))
    image = room()
    for factor in np.linspace(1.0, 1.2, 100):
        image = np.clip(room() * factor, 0, 255).astype(np.uint8)
        feed(plate, image, STEP, exclude(persons=persons))
    feed(plate, image, 6.0)
    assert plate.confirmed.all()
    assert np.abs(plate.picture.astype(int) - image).max() <= 6


def test_illumination_is_not_followed_close_to_a_person():
    plate = learnt()
    persons = region((32, 32, 64, 64))
    shadow = room()
    shadow[32:64, 64:68] -= 8
    feed(plate, shadow, 20.0, exclude(persons=persons))
    np.testing.assert_array_equal(plate.picture, room())


def test_everything_is_forgotten_when_most_of_the_room_differs():
    plate = learnt()
    feed(plate, room(4), 0.8, exclude(differing=region((0, 0, 128, 64))))
    assert plate.confirmed.all()
    feed(plate, room(4), 0.4, exclude(differing=region((0, 0, 128, 64))))
    assert not plate.confirmed.any()
    assert not plate.known[: GRID_SHAPE[0] // 2].any()


def test_changed_background_is_unconfirmed_and_needs_longer_evidence():
    plate = learnt()
    chair = region((32, 32, 64, 64))
    moved = room()
    moved[32:64, 32:64] = room(4)[32:64, 32:64]
    feed(plate, moved, 3.2, exclude(differing=chair))
    assert not plate.confirmed[chair > 0].any()
    assert plate.confirmed[chair == 0].all()
    feed(plate, moved, 5.0)
    assert not plate.confirmed[chair > 0].any()
    feed(plate, moved, 1.5)
    assert plate.confirmed.all()
    assert np.abs(plate.picture.astype(int) - moved).max() <= 1


def test_background_that_differs_under_a_person_is_not_taken_for_changed():
    plate = learnt()
    box = region((32, 32, 64, 64))
    feed(plate, room(4), 30.0, exclude(box, box))
    assert plate.confirmed.all()


def test_blocked_cells_learn_nothing():
    plate = CleanPlate(SHAPE, TIMES)
    box = region((32, 32, 64, 64))
    feed(plate, room(), 30.0, blocked=box)
    assert not plate.known[box > 0].any()
    assert plate.confirmed[box == 0].all()


def test_times_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="confirm"):
        PlateTimes(confirm_s=5.0, low_confidence_s=1.0)


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
def test_no_byte_of_the_state_depends_on_excluded_pixels(persons, moving, blocked, seed):
    """Non-interference: the same regions with any pixels inside give the same plate."""
    rng = np.random.default_rng(seed)
    plates = CleanPlate(SHAPE, TIMES), CleanPlate(SHAPE, TIMES)
    for k in range(48):
        exclusion = exclude(region(persons[k // 12]), region(moving[(k + 6) // 12 % 4]))
        image = np.clip(room().astype(int) + rng.integers(-3, 4, (*SHAPE, 3)), 0, 255).astype(np.uint8)
        counterpart = image.copy()
        inside = from_grid(exclusion.mask, SHAPE) > 0
        counterpart[inside] = rng.integers(0, 256, (np.count_nonzero(inside), 3))
        kept = [
            plate.absorb(i, exclusion, region(blocked), 0.2, withheld=empty(), reach=empty())
            for plate, i in zip(plates, (image, counterpart), strict=True)
        ]
        np.testing.assert_array_equal(*kept)
    for part in ("picture", "known", "confirmed", "changed", "_value", "_evidence._seconds"):
        np.testing.assert_array_equal(*map(attrgetter(part), plates), err_msg=part)
    assert plates[0].confirmed.any()
