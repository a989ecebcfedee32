"""A room in which presences are played, for tests."""

import numpy as np

from privcam_core.types.perception import Track, TrackState
from privcam_privacy.background.clean_plate import CleanPlate
from privcam_privacy.background.exclusion_masks import ExclusionMasks, Margins
from privcam_privacy.background.grid import box_cells, grid_shape
from privcam_privacy.evidence.cell_evidence import PlateTimes
from privcam_privacy.evidence.zones import parse_zones
from privcam_privacy.presence.presence_tracker import PresenceTracker

SHAPE = (96, 128)
GRID_SHAPE = grid_shape(SHAPE)
BOX = (40.0, 30.0, 60.0, 70.0)
STEP = 0.1
# From (51, 24) to (83, 77) px.
DOOR = parse_zones("0.4,0.25 0.65,0.25 0.65,0.8 0.4,0.8", "door_zones")
ROOM = np.kron(np.random.default_rng(5).integers(60, 200, (12, 16, 3)).astype(np.uint8), np.ones((8, 8, 1), np.uint8))


def track(subject_id=1, box=BOX, state=TrackState.CONFIRMED, score=0.9):
    return Track(subject_id, box, (0.0, 0.0, 0.0, 0.0), score, state, 5, 5, 0)


def region(box):
    mask = np.zeros(GRID_SHAPE, np.uint8)
    if box is not None:
        mask[box_cells(box, GRID_SHAPE)] = 255
    return mask


class Scene:
    """A plate and a tracker that see the same frames. confirmed: the room was seen empty before."""

    def __init__(self, *, confirmed, door_zones=()):
        self.plate = CleanPlate(SHAPE, PlateTimes(confirm_s=2.0, low_confidence_s=4.0, change_s=5.0, relearn_s=6.0))
        self.tracker = PresenceTracker(SHAPE, Margins(box=0.0, pad=0.0), door_zones)
        if confirmed:
            self.see([], 3.0)
            assert self.plate.confirmed.all()

    def see(self, tracks, seconds, foreground=None, moved=None):
        for _ in range(max(1, round(seconds / STEP))):
            persons = region(None)
            for one in tracks:
                persons |= region(one.box)
            differing = region(foreground) | region(moved)
            none = np.zeros_like(persons)
            masks = ExclusionMasks(persons | differing, persons, none, differing, differing, none, region(moved))
            self.tracker.update(masks, tracks, STEP)
            blocked, withheld = self.tracker.blocked, self.tracker.withheld
            kept = self.plate.absorb(ROOM, masks, blocked, STEP, withheld=withheld, reach=self.tracker.reach)
            self.tracker.release(kept, masks, self.plate, STEP)

    def blocked(self, box=BOX):
        return self.tracker.blocked[region(box) > 0]

    def withheld(self, box=BOX):
        return self.tracker.withheld[region(box) > 0]
