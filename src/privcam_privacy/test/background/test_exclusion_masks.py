import numpy as np
import pytest

from privcam_core.types.perception import Detections, Track, TrackState
from privcam_privacy.background.exclusion_masks import Margins
from privcam_privacy.background.grid import GRID, any_to_grid, box_cells, count_cells, from_grid, to_grid
from privcam_privacy.background.motion import MotionDetector
from privcam_privacy.background.person_regions import Hold, PersonRegions

SHAPE = (120, 161)
NOBODY = np.zeros(SHAPE, np.bool_)
MARGINS = Margins()
STEP = 0.1


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


def detections(*rows):
    boxes = np.array([row[:4] for row in rows], np.float32).reshape(-1, 4)
    return Detections(boxes, np.array([row[4] for row in rows], np.float32))


def track(box, state=TrackState.CONFIRMED, subject_id=1):
    return Track(subject_id, box, (0.0, 0.0, 0.0, 0.0), 0.9, state, 5, 5, 0)


def regions(hold_s=1.0):
    return PersonRegions(SHAPE, blocking_threshold=0.25, hold_s=hold_s, margins=MARGINS)


def covers(mask, box):
    return bool(mask[box_cells(box, mask.shape)].all())


def test_a_single_pixel_excludes_its_whole_cell_in_pictures_of_odd_size():
    for y, x in ((0, 0), (119, 160), (57, 33)):
        where = NOBODY.copy()
        where[y, x] = True
        full = from_grid(any_to_grid(where), SHAPE)
        assert full.shape == SHAPE
        assert full[y, x] == 255
        assert np.count_nonzero(full) <= GRID * GRID


def test_the_grid_holds_the_mean_of_each_cell():
    picture = np.arange(16, dtype=np.uint8).reshape(4, 4) * 4
    np.testing.assert_array_equal(to_grid(picture), [[10, 18], [42, 50]])


def test_a_box_that_is_not_finite_covers_all_cells():
    mask = np.zeros((60, 81), np.uint8)
    mask[box_cells((10.0, np.nan, 20.0, 30.0), mask.shape)] = 255
    assert mask.all()


def test_a_box_outside_of_the_picture_covers_nothing():
    assert np.zeros((60, 81))[box_cells((-50.0, -50.0, -10.0, -10.0), (60, 81))].size == 0


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


class TestMotion:
    @pytest.fixture
    def room(self):
        return np.random.default_rng(1).integers(60, 200, (*SHAPE, 3)).astype(np.uint8)

    @staticmethod
    def update(motion, image, plate=None, suspects=(), persons=None):
        grid = to_grid(image).shape[:2]
        known = np.full(grid, 0 if plate is None else 255, np.uint8)
        plate = np.zeros((*grid, 3), np.uint8) if plate is None else to_grid(plate)
        return motion.update(
            image, plate, known, np.zeros(grid, np.uint8) if persons is None else persons, suspects, 0.1
        )

    def settled(self, room, plate=None):
        motion = MotionDetector(SHAPE, hold_s=0.5)
        for _ in range(10):
            result = self.update(motion, room, plate)
        assert not result.moving.any()
        return motion

    def test_everything_may_be_moving_in_the_first_frame(self, room):
        assert self.update(MotionDetector(SHAPE, hold_s=0.5), room).moving.all()

    def test_a_person_before_known_background_is_foreground_even_without_moving(self, room):
        motion = self.settled(room, room)
        person = room.copy()
        person[40:80, 40:70] = 20
        for _ in range(20):
            result = self.update(motion, person, room)
        assert covers(result.moving, (40, 40, 70, 80))

    def test_the_inside_of_an_even_shirt_moves_with_its_outline(self, room):
        motion = self.settled(room)
        for x, frames in ((40, 10), (44, 1)):
            person = room.copy()
            person[30:90, x : x + 24] = 20
            for _ in range(frames):
                result = self.update(motion, person)
        assert not covers(result.differing, (44, 30, 68, 90))
        assert covers(result.moving, (44, 30, 68, 90))

    def test_a_hand_that_moves_makes_the_whole_low_confidence_box_move(self, room):
        motion = self.settled(room)
        hand = room.copy()
        hand[60:72, 60:72] = 20
        box = (40.0, 10.0, 100.0, 110.0)
        assert covers(self.update(motion, hand, suspects=[box]).moving, box)

    def test_noise_is_not_motion(self, room):
        rng = np.random.default_rng(2)
        motion = MotionDetector(SHAPE, hold_s=0.5)
        for _ in range(30):
            noisy = np.clip(room + rng.normal(0, 4, room.shape), 0, 255).astype(np.uint8)
            result = self.update(motion, noisy, room)
        assert np.count_nonzero(result.moving) == 0

    def test_the_pixels_of_a_person_have_no_influence_outside(self, room):
        persons = np.zeros(to_grid(room).shape[:2], np.uint8)
        persons[box_cells((40, 40, 80, 100), persons.shape)] = 255
        results = []
        for seed in range(2):
            rng = np.random.default_rng(seed)
            motion = MotionDetector(SHAPE, hold_s=0.5)
            moving = []
            for _ in range(10):
                image = room.copy()
                image[40:100, 40:80] = rng.integers(0, 256, (60, 40, 3))
                moving.append(self.update(motion, image, room, persons=persons).moving)
            results.append(moving)
        np.testing.assert_array_equal(*results)


def test_cells_of_many_boxes_are_counted_as_those_of_each():
    random = np.random.default_rng(4)
    mask = np.where(random.random((60, 81)) < 0.3, np.uint8(255), np.uint8(0))
    boxes = [tuple(box) for box in random.uniform(-40, 200, (200, 4)).tolist()]
    boxes.append((float("nan"), 0.0, 10.0, 10.0))
    found, sizes = count_cells(mask, boxes)
    parts = [mask[box_cells(box, mask.shape)] for box in boxes]
    assert found.tolist() == [np.count_nonzero(part) for part in parts]
    assert sizes.tolist() == [part.size for part in parts]
