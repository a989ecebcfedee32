import numpy as np
import pytest

from privcam_core.types.perception import Detections, Track, TrackState
from privcam_privacy.background.exclusion_masks import Margins
from privcam_privacy.background.grid import box_cells
from privcam_privacy.background.person_regions import Hold, PersonRegions

SHAPE = (120, 161)
NOBODY = np.zeros(SHAPE, np.bool_)
MARGINS = Margins()
STEP = 0.1


def detections(*rows):
    boxes = np.array([row[:4] for row in rows], np.float32).reshape(-1, 4)
    return Detections(boxes, np.array([row[4] for row in rows], np.float32))


def track(box, state=TrackState.CONFIRMED, subject_id=1):
    return Track(subject_id, box, (0.0, 0.0, 0.0, 0.0), 0.9, state, 5, 5, 0)


def regions(hold_s=1.0):
    return PersonRegions(SHAPE, blocking_threshold=0.25, hold_s=hold_s, margins=MARGINS)


def covers(mask, box):
    return bool(mask[box_cells(box, mask.shape)].all())


def test_only_the_regions_of_people_on_tracks_count_as_tracked():
    box, other = (40, 40, 60, 80), (100, 40, 120, 80)
    mask, tracked = regions().update(detections((*box, 0.9), (*other, 0.9)), [track(box)], NOBODY, STEP)
    assert covers(mask, other)
    assert covers(tracked, box)
    assert not tracked[box_cells(other, tracked.shape)].any()


def test_a_region_of_a_track_that_ended_unconfirmed_does_not_count_as_tracked():
    persons = regions(hold_s=0.5)
    box = (40, 40, 60, 80)
    _, tracked = persons.update(detections((*box, 0.9)), [track(box, TrackState.TENTATIVE)], NOBODY, STEP)
    assert covers(tracked, box)
    _, tracked = persons.update(detections(), [], NOBODY, STEP)
    assert not tracked[box_cells(box, tracked.shape)].any()


@pytest.mark.parametrize("state", list(TrackState))
def test_a_track_of_every_state_is_excluded_with_its_margin(state):
    mask, _ = regions().update(detections(), [track((40, 40, 60, 80), state)], NOBODY, STEP)
    assert covers(mask, (36, 32, 64, 88))
    assert not mask.all()


def test_a_person_mask_is_excluded_with_its_margin():
    where = NOBODY.copy()
    where[50:60, 50:60] = True
    mask, _ = regions().update(detections(), [], where, STEP)
    assert covers(mask, (48, 48, 62, 62))


def test_a_detection_stays_excluded_for_the_hold_and_no_longer():
    persons = regions(hold_s=1.0)
    box = (40, 40, 60, 80)
    persons.update(detections((*box, 0.8)), [], NOBODY, STEP)
    for _ in range(9):
        assert covers(persons.update(detections(), [], NOBODY, STEP)[0], box)
    for _ in range(3):
        mask, _ = persons.update(detections(), [], NOBODY, STEP)
    assert not mask.any()


def test_a_lost_track_is_used_for_the_hold():
    persons = regions(hold_s=0.5)
    lost = track((40, 40, 60, 80), TrackState.LOST)
    assert persons.update(detections(), [lost], NOBODY, STEP)[0].any()
    for _ in range(15):
        mask, _ = persons.update(detections(), [lost], NOBODY, STEP)
    assert not mask.any()


def test_a_low_confidence_box_over_a_person_is_part_of_the_person():
    low = (30, 30, 70, 90, 0.06)
    assert not regions().update(detections(low), [], NOBODY, STEP)[0].any()
    assert covers(regions().update(detections((40, 40, 60, 80, 0.9), low), [], NOBODY, STEP)[0], low[:4])


def test_a_hold_is_measured_in_seconds_not_in_frames():
    now = np.zeros((60, 81), np.uint8)
    now[0, 0] = 255
    for step, frames in ((0.5, 2), (0.05, 20)):
        hold = Hold(SHAPE, 1.01)
        hold.update(now, step)
        for _ in range(frames):
            assert hold.update(np.zeros_like(now), step)[0, 0]
        assert not hold.update(np.zeros_like(now), step).any()


def test_a_low_confidence_box_that_is_much_larger_than_the_person_is_no_part_of_the_person():
    """Weak boxes around a chair excluded the whole picture for as long as somebody sat in it."""
    person, low = (40, 40, 60, 80), (30, 24, 70, 104)
    mask, _ = regions().update(detections((*person, 0.9), (*low, 0.06)), [track(person)], NOBODY, STEP)
    assert covers(mask, person)
    assert not mask[box_cells((30, 24, 70, 28), mask.shape)].any()


def test_the_margin_of_a_low_confidence_box_is_no_larger_than_that_of_the_person():
    person, low = (60, 40, 80, 80), (50, 30, 90, 90)
    mask, _ = regions().update(detections((*person, 0.9), (*low, 0.06)), [track(person)], NOBODY, STEP)
    # A fifth of the person's width and height, and 1.5 % of the picture's height: 5.8 and 9.8 px.
    assert covers(mask, (45, 21, 95, 99))
    assert not mask[:, : 44 // 2].any() and not mask[: 20 // 2].any()
