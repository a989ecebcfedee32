from dataclasses import replace

import numpy as np
import pytest

from privcam_core.types.perception import Track, TrackState
from privcam_privacy.background.clean_plate import CleanPlate, PlateTimes
from privcam_privacy.background.exclusion_masks import ExclusionMasks, Margins
from privcam_privacy.background.grid import box_cells, grid_shape
from privcam_privacy.background.quarantine import Quarantine, left_picture

SHAPE = (96, 128)
GRID_SHAPE = grid_shape(SHAPE)
BOX = (40.0, 30.0, 60.0, 70.0)
STEP = 0.1
ROOM = np.kron(np.random.default_rng(5).integers(60, 200, (12, 16, 3)).astype(np.uint8), np.ones((8, 8, 1), np.uint8))


def track(subject_id=1, box=BOX, state=TrackState.CONFIRMED):
    return Track(subject_id, box, (0.0, 0.0, 0.0, 0.0), 0.9, state, 5, 5, 0)


def region(box):
    mask = np.zeros(GRID_SHAPE, np.uint8)
    mask[box_cells(box, GRID_SHAPE)] = 255
    return mask


class Scene:
    """A plate and a quarantine that process the same frames. confirmed: the empty room was confirmed before."""

    def __init__(self, *, confirmed):
        self.plate = CleanPlate(SHAPE, PlateTimes(confirm_s=2.0, low_confidence_s=4.0, change_s=5.0, relearn_s=6.0))
        self.quarantine = Quarantine(SHAPE, Margins(box=0.0, pad=0.0))
        if confirmed:
            self.see([], 3.0)
            assert self.plate.confirmed.all()

    def see(self, tracks, seconds, foreground=None):
        for _ in range(round(seconds / STEP)):
            persons = region((0, 0, 0, 0))
            for one in tracks:
                persons |= region(one.box)
            differing = region(foreground or (0, 0, 0, 0))
            none = np.zeros_like(persons)
            exclusion = ExclusionMasks(persons | differing, persons, none, differing, differing, none)
            self.quarantine.update(tracks, STEP)
            kept = self.plate.absorb(ROOM, exclusion, self.quarantine.blocked, STEP)
            self.quarantine.release(kept, exclusion, self.plate, tracks, STEP)

    @property
    def inside(self):
        return region(BOX) > 0


def test_a_track_lost_in_the_picture_blocks_its_region_at_once_and_withholds_it_soon():
    scene = Scene(confirmed=True)
    scene.see([track()], 1.0)
    assert not scene.quarantine.blocked.any()
    scene.see([], STEP, foreground=BOX)
    assert scene.quarantine.blocked[scene.inside].all()
    assert not scene.quarantine.withheld.any()
    scene.see([], 3.5, foreground=BOX)
    assert scene.quarantine.withheld[scene.inside].all()


def test_a_person_who_lies_still_and_is_no_longer_detected_stays_quarantined():
    scene = Scene(confirmed=False)
    scene.see([track()], 1.0)
    scene.see([], 120.0)
    assert scene.quarantine.withheld[scene.inside].all()
    assert not scene.plate.known[scene.inside].any()


def test_background_that_was_confirmed_and_is_seen_again_is_released():
    scene = Scene(confirmed=True)
    scene.see([track()], 1.0)
    scene.see([], 0.8)
    assert scene.quarantine.blocked[scene.inside].all()
    scene.see([], 0.5)
    assert not scene.quarantine.blocked.any()
    assert scene.plate.confirmed.all()


def test_confirmed_background_that_is_not_seen_again_stays_quarantined():
    scene = Scene(confirmed=True)
    scene.see([track()], 1.0)
    scene.see([], 60.0, foreground=BOX)
    assert scene.quarantine.withheld[scene.inside].all()


def test_a_lost_track_counts_as_lost_while_the_tracker_still_predicts_it():
    scene = Scene(confirmed=True)
    scene.see([track()], 1.0)
    scene.see([track(state=TrackState.LOST)], 0.5)
    assert scene.quarantine.blocked[scene.inside].all()


def test_a_track_that_was_never_confirmed_is_not_quarantined():
    scene = Scene(confirmed=False)
    scene.see([track(state=TrackState.TENTATIVE)], 1.0)
    scene.see([], 1.0)
    assert not scene.quarantine.blocked.any()


@pytest.mark.parametrize("found_as", [1, 2])
def test_a_person_found_again_who_moves_away_leaves_cells_that_gather_longer_evidence(found_as):
    scene = Scene(confirmed=False)
    scene.see([track()], 1.0)
    scene.see([], 1.0)
    scene.see([track(found_as)], 1.0)
    assert scene.quarantine.blocked[scene.inside].all()
    scene.see([track(found_as, (90.0, 30.0, 110.0, 70.0))], 1.0)
    assert not scene.quarantine.blocked[scene.inside].any()
    scene.see([track(found_as, (90.0, 30.0, 110.0, 70.0))], 4.0)
    assert not scene.plate.confirmed[scene.inside].any()
    scene.see([track(found_as, (90.0, 30.0, 110.0, 70.0))], 3.0)
    assert scene.plate.confirmed[scene.inside].all()


def test_another_person_who_walks_past_does_not_open_the_region():
    scene = Scene(confirmed=False)
    other = (90.0, 30.0, 110.0, 70.0)
    scene.see([track(), track(2, other)], 1.0)
    scene.see([track(2, other)], 1.0)
    scene.see([track(2, BOX)], 1.0)
    scene.see([track(2, other)], 30.0)
    assert scene.quarantine.withheld[scene.inside].all()


def test_a_tracker_that_starts_anew_does_not_open_the_region_by_giving_its_number_to_another_person():
    scene = Scene(confirmed=True)
    scene.see([aged(track(1), 300)], 1.0)
    scene.see([], 4.0, foreground=BOX)
    scene.see([aged(track(1, box=(90.0, 30.0, 110.0, 70.0)), 3)], 2.0, foreground=BOX)
    assert scene.quarantine.withheld[scene.inside].all()


def test_a_person_in_sight_when_the_tracker_starts_anew_is_quarantined():
    scene = Scene(confirmed=False)
    scene.see([aged(track(1), 300)], 1.0)
    scene.see([aged(track(1, box=(90.0, 30.0, 110.0, 70.0)), 3)], 1.0)
    assert scene.quarantine.blocked[scene.inside].all()


def aged(one, frames):
    return replace(one, age=frames)


def test_an_operator_can_open_a_region():
    scene = Scene(confirmed=False)
    scene.see([track()], 1.0)
    scene.see([], 10.0)
    scene.quarantine.approve(region((40, 30, 50, 70)))
    scene.see([], 3.0)
    assert scene.plate.confirmed[region((40, 30, 50, 70)) > 0].all()
    assert not scene.plate.confirmed[region((50, 30, 60, 70)) > 0].any()


@pytest.mark.parametrize(
    ("box", "velocity", "max_size", "left"),
    [
        ((0, 30, 15, 90), (-40, 0, 0, 0), (20, 60), True),  # walks out to the left
        ((0, 30, 15, 90), (40, 0, 0, 0), (20, 60), False),  # came in there
        ((0, 30, 20, 90), (0, 0, 0, 0), (20, 60), False),  # stands at the border
        ((120, 30, 128, 90), (0, 0, 0, 0), (20, 60), True),  # only a strip is left
        ((40, 30, 60, 70), (-80, 0, 0, 0), (20, 40), False),  # fast, but in the middle
        ((40, 60, 70, 96), (0, 30, 0, 0), (30, 70), True),  # walks out towards the camera
    ],
)
def test_only_a_person_who_walks_out_of_the_picture_has_left_it(box, velocity, max_size, left):
    assert left_picture(box, velocity, max_size, SHAPE) is left
