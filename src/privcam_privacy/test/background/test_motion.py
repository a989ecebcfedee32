import numpy as np
import pytest

from privcam_privacy.background.grid import box_cells, to_grid
from privcam_privacy.background.motion import MotionDetector

SHAPE = (120, 161)


def covers(mask, box):
    return bool(mask[box_cells(box, mask.shape)].all())


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
