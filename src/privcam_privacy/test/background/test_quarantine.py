from dataclasses import replace

import numpy as np
import pytest

from privcam_core.types.perception import Track, TrackState
from privcam_privacy.background.clean_plate import CleanPlate, PlateTimes
from privcam_privacy.background.exclusion_masks import Margins, Unsafe, cells, grid_shape
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
    mask[cells(box, GRID_SHAPE)] = 255
    return mask


class Scene:
    """A plate and a quarantine that see the same frames. proven: the room was seen empty before."""

    def __init__(self, *, proven):
        self.plate = CleanPlate(SHAPE, PlateTimes(confirm=2.0, doubt=4.0, change=5.0, relearn=6.0))
        self.quarantine = Quarantine(SHAPE, Margins(box=0.0, pad=0.0))
        if proven:
            self.see([], 3.0)
            assert self.plate.proven.all()

    def see(self, tracks, seconds, foreground=None):
        for _ in range(round(seconds / STEP)):
            persons = region((0, 0, 0, 0))
            for one in tracks:
                persons |= region(one.box)
            disagrees = region(foreground or (0, 0, 0, 0))
            none = np.zeros_like(persons)
            unsafe = Unsafe(persons | disagrees, persons, none, disagrees, disagrees, none)
            self.quarantine.update(tracks, STEP)
            kept = self.plate.absorb(ROOM, unsafe, self.quarantine.blocked, STEP)
            self.quarantine.release(kept, unsafe, self.plate, tracks, STEP)

    @property
    def inside(self):
        return region(BOX) > 0


def test_a_track_lost_in_the_picture_blocks_its_region_at_once_and_withholds_it_soon():
    scene = Scene(proven=True)
    scene.see([track()], 1.0)
    assert not scene.quarantine.blocked.any()
    scene.see([], STEP, foreground=BOX)
    assert scene.quarantine.blocked[scene.inside].all()
    assert not scene.quarantine.withheld.any()
    scene.see([], 3.5, foreground=BOX)
    assert scene.quarantine.withheld[scene.inside].all()


def test_a_person_who_lies_still_and_is_no_longer_detected_stays_quarantined():
    scene = Scene(proven=False)
    scene.see([track()], 1.0)
    scene.see([], 120.0)
    assert scene.quarantine.withheld[scene.inside].all()
    assert not scene.plate.known[scene.inside].any()


def test_background_that_was_proven_and_is_seen_again_is_released():
    scene = Scene(proven=True)
    scene.see([track()], 1.0)
    scene.see([], 0.8)
    assert scene.quarantine.blocked[scene.inside].all()
    scene.see([], 0.5)
    assert not scene.quarantine.blocked.any()
    assert scene.plate.proven.all()


def test_proven_background_that_is_not_seen_again_stays_quarantined():
    scene = Scene(proven=True)
    scene.see([track()], 1.0)
    scene.see([], 60.0, foreground=BOX)
    assert scene.quarantine.withheld[scene.inside].all()


def test_a_lost_track_counts_as_lost_while_the_tracker_still_predicts_it():
    scene = Scene(proven=True)
    scene.see([track()], 1.0)
    scene.see([track(state=TrackState.LOST)], 0.5)
    assert scene.quarantine.blocked[scene.inside].all()


def test_a_track_that_was_never_confirmed_is_not_quarantined():
    scene = Scene(proven=False)
    scene.see([track(state=TrackState.TENTATIVE)], 1.0)
    scene.see([], 1.0)
    assert not scene.quarantine.blocked.any()


@pytest.mark.parametrize("found_as", [1, 2])
def test_a_person_found_again_who_moves_away_leaves_cells_that_gather_longer_evidence(found_as):
    scene = Scene(proven=False)
    scene.see([track()], 1.0)
    scene.see([], 1.0)
    scene.see([track(found_as)], 1.0)
    assert scene.quarantine.blocked[scene.inside].all()
    scene.see([track(found_as, (90.0, 30.0, 110.0, 70.0))], 1.0)
    assert not scene.quarantine.blocked[scene.inside].any()
    scene.see([track(found_as, (90.0, 30.0, 110.0, 70.0))], 4.0)
    assert not scene.plate.proven[scene.inside].any()
    scene.see([track(found_as, (90.0, 30.0, 110.0, 70.0))], 3.0)
    assert scene.plate.proven[scene.inside].all()


def test_somebody_else_who_walks_past_does_not_open_the_region():
    scene = Scene(proven=False)
    other = (90.0, 30.0, 110.0, 70.0)
    scene.see([track(), track(2, other)], 1.0)
    scene.see([track(2, other)], 1.0)
    scene.see([track(2, BOX)], 1.0)
    scene.see([track(2, other)], 30.0)
    assert scene.quarantine.withheld[scene.inside].all()


def test_a_tracker_that_starts_anew_does_not_open_the_region_by_giving_the_number_to_somebody_else():
    scene = Scene(proven=True)
    scene.see([aged(track(1), 300)], 1.0)
    scene.see([], 4.0, foreground=BOX)
    scene.see([aged(track(1, box=(90.0, 30.0, 110.0, 70.0)), 3)], 2.0, foreground=BOX)
    assert scene.quarantine.withheld[scene.inside].all()


def test_whoever_was_in_sight_when_the_tracker_started_anew_is_quarantined():
    scene = Scene(proven=False)
    scene.see([aged(track(1), 300)], 1.0)
    scene.see([aged(track(1, box=(90.0, 30.0, 110.0, 70.0)), 3)], 1.0)
    assert scene.quarantine.blocked[scene.inside].all()


def aged(one, frames):
    return replace(one, age=frames)


def test_an_operator_can_open_a_region():
    scene = Scene(proven=False)
    scene.see([track()], 1.0)
    scene.see([], 10.0)
    scene.quarantine.approve(region((40, 30, 50, 70)))
    scene.see([], 3.0)
    assert scene.plate.proven[region((40, 30, 50, 70)) > 0].all()
    assert not scene.plate.proven[region((50, 30, 60, 70)) > 0].any()


@pytest.mark.parametrize(
    ("box", "velocity", "longest", "left"),
    [
        ((0, 30, 15, 90), (-40, 0, 0, 0), (20, 60), True),  # walks out to the left
        ((0, 30, 15, 90), (40, 0, 0, 0), (20, 60), False),  # came in there
        ((0, 30, 20, 90), (0, 0, 0, 0), (20, 60), False),  # stands at the border
        ((120, 30, 128, 90), (0, 0, 0, 0), (20, 60), True),  # only a strip is left
        ((40, 30, 60, 70), (-80, 0, 0, 0), (20, 40), False),  # fast, but in the middle
        ((40, 60, 70, 96), (0, 30, 0, 0), (30, 70), True),  # walks out towards the camera
    ],
)
def test_only_who_walks_out_of_the_picture_has_left_it(box, velocity, longest, left):
    assert left_picture(box, velocity, longest, SHAPE) is left
