"""Tracks everything that moved into the picture, from where it came in to where it is seen to leave.

A person who lies still and is no longer detected looks exactly like background. So time alone ends no presence. It ends
where the background that was confirmed before is seen again, or where it is seen to walk out over the border. While it
is seen, it frees the cells behind it.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from privcam_core.detection.thresholds import TRACK_ACTIVATION
from privcam_core.types.arrays import Box, Float32Array, Mask
from privcam_core.types.perception import Track, TrackState
from privcam_privacy.background.clean_plate import CleanPlate
from privcam_privacy.background.exclusion_masks import ExclusionMasks, Margins
from privcam_privacy.background.grid import (
    GRID,
    box_cells,
    components,
    fill_bodies,
    fill_boxes,
    grid_shape,
    intersect,
    union,
)
from privcam_privacy.evidence.zones import Polygon, zone_cells
from privcam_privacy.presence.body_parts import reaches_of
from privcam_privacy.presence.departure import has_departed, is_in_door
from privcam_privacy.presence.patch import Patch
from privcam_privacy.presence.presence import GRACE_S, Presence
from privcam_privacy.presence.scene_onset import SceneOnset

# A cell is freed when the same background was seen again for this long, s ...
_SEEN_AGAIN_S = 1.0
# ... in the cell and this far around it, cells. So clothes in the colour of the wall free nothing inside of a body.
_SEEN_AGAIN_RADIUS = 2
# A body is expected where it was seen up to this long ago, s. A body that is seen has left all other cells.
_RECENT_S = 0.7
# A body without a track has moved on as a whole when this fraction of its largest area moves elsewhere. Of two bodies
# that were taken for one, the half would move.
_WHOLE_FRACTION = 0.6
# Somebody whom only weak boxes found is found again when a good box covers this fraction of where they stayed. If it
# does not, they are still there, and the box is of somebody else or of furniture.
_COVERED_FRACTION = 0.8
# A moving region smaller than this fraction of the picture is noise of the camera, not a body.
_MIN_MOTION_FRACTION = 5e-4
# Parts of one body lie closer together than this fraction of the picture's height.
_REACH_FRACTION = 0.02
# An object that begins to move so many times moves by itself.
_ANIMATE_EPISODES = 2
# A pause of this length, s, ends an episode of motion.
_EPISODE_S = 1.0


class PresenceTracker:
    """The presences of one camera. shape: (H, W) of the picture. door_zones: people go out there. Masks are grid masks.

    blocked: nothing is learnt here. withheld: here the background that was confirmed before is not published either.
    """

    def __init__(self, shape: tuple[int, int], margins: Margins, door_zones: Sequence[Polygon] = ()) -> None:
        self._shape = shape
        self._doors = zone_cells(door_zones, shape)
        self._grid = grid_shape(shape)
        self._margins = margins
        self._reach = max(1, round(_REACH_FRACTION * self._grid[0]))
        self._min_cells = max(4, round(_MIN_MOTION_FRACTION * self._grid[0] * self._grid[1]))
        self._presences: list[Presence] = []
        self._count = 0
        # Of every subject that was ever confirmed: its age when it last was.
        self._ages: dict[int, int] = {}
        self._seen_again_s: Float32Array = np.zeros(self._grid, np.float32)
        # For how long somebody who was not found was in a cell, since somebody is in it.
        self._stayed_s: Float32Array = np.zeros(self._grid, np.float32)
        # Confirmed cells stay as they are, whoever is freed there.
        self._confirmed: Mask = np.zeros(self._grid, np.uint8)
        self._now_s = 0.0
        self._onset = SceneOnset()
        self._update_masks()

    @property
    def presences(self) -> Sequence[Presence]:
        """The presences of now."""
        return tuple(self._presences)

    @property
    def reach(self) -> Mask:
        """Where parts of people who rest may be, a grid mask."""
        mask = np.zeros(self._grid, np.uint8)
        for one in self._presences:
            if one.animate:
                fill_boxes(mask, one.rest.reaches)
        fill_boxes(mask, reaches_of([part for one in self._presences if (part := one.part)]))
        return mask

    @property
    def unattended(self) -> bool:
        """Whether a person may be in the picture whom no track follows."""
        return any(presence.animate and not presence.followed for presence in self._presences)

    def update(self, exclusion: ExclusionMasks, tracks: Sequence[Track], dt: float) -> None:
        """Follow the presences into this frame, before it is absorbed. dt: s since the last frame."""
        confirmed = {track.subject_id: track for track in tracks if track.state == TrackState.CONFIRMED}
        self._now_s += dt
        self._disown_restarted(confirmed)
        for presence in self._presences:
            presence.now, presence.followed, presence.found, presence.moving = None, False, False, False
        for subject, track in confirmed.items():
            self._follow_track(subject, track)
        self._ages.update({subject: track.age for subject, track in confirmed.items()})
        if not self._onset.update(exclusion.differing, dt):
            self._follow_motion(fill_bodies(exclusion.differing), exclusion.moved)
        stayed = np.zeros(self._grid, np.uint8)
        for presence in self._presences:
            self._age(presence, dt)
            if presence.unfound_s:
                (presence.now or presence.recent).paint(stayed)
        cv2.add(self._stayed_s, dt, dst=self._stayed_s, mask=stayed)
        self._update_masks()
        np.putmask(self._stayed_s, union(self.blocked, self.withheld) == 0, 0.0)

    def release(self, kept: Mask, exclusion: ExclusionMasks, plate: CleanPlate, dt: float) -> None:
        """Free what may be freed, after a frame was absorbed. kept: cells that kept their background value."""
        surrounded = cv2.erode(kept, np.ones((2 * _SEEN_AGAIN_RADIUS + 1,) * 2, np.uint8))
        _count_time(self._seen_again_s, intersect(surrounded, plate.vouched), dt)
        background = cv2.compare(self._seen_again_s, _SEEN_AGAIN_S, cv2.CMP_GE)
        self._confirmed, staying = plate.confirmed, union(exclusion.differing, plate.confirmed)
        for presence in self._presences:
            now = presence.now
            seen_again = presence.cells.within(background)
            presence.cells = presence.cells.minus(seen_again if now is None else seen_again.minus(now))
            if now is not None:
                presence.max_area = max(presence.max_area, now.area)
            # What moved near somebody who was not found for long may have been somebody else, also when it goes out.
            gone = presence.departed or self._has_moved_on(presence)
            if presence.found or (gone and not presence.was_unattended_when_seen):
                self._free_trail(presence, staying, plate)
        self._update_masks()

    def add(self, where: Mask, bodies: Sequence[Box] | None = None) -> Mask:
        """Add regions that no track knows, from the inspection or from before a restart; return how far they reach.

        bodies: boxes in them, px, without margins; None: the regions are bodies with their margins; empty: they hold
        all that there is. All of the picture says that somebody may be anywhere. Whoever is found then is not all who
        may be there.
        """
        self._seen_again_s[where > 0] = 0.0
        reach = np.zeros_like(where)
        for component in components(where):
            region = Patch(component.y, component.x, component.mask)
            presence = self._unowned_around(region) or self._create(region, animate=True)
            presence.still_s = GRACE_S
            presence.was_unattended |= bool(where.all())
            if bodies is None:
                presence.rest.keep([self._margins.shrink(region.box, self._shape[0])])
            else:
                patches = [(box, Patch.rectangle(box_cells(box, self._grid))) for box in bodies]
                presence.rest.keep([box for box, patch in patches if patch.overlaps(region)])
            fill_boxes(reach, presence.rest.reaches)
        self._update_masks()
        return reach

    def _unowned_around(self, region: Patch) -> Presence | None:
        """Return a presence that was added before, nobody followed since, and holds all of a region."""
        added = (one for one in self._presences if one.animate and not one.owners and one.now is None)
        return next((one for one in added if not region.minus(one.cells).area), None)

    def _disown_restarted(self, confirmed: dict[int, Track]) -> None:
        """Forget the owners when the tracker has restarted and gives the numbers of old subjects to others."""
        if any(track.age < self._ages.get(subject, 0) for subject, track in confirmed.items()):
            self._ages.clear()
            for presence in self._presences:
                presence.owners.clear()

    def _follow_track(self, subject: int, track: Track) -> None:
        box = track.box
        region = Patch.rectangle(box_cells(self._margins.widen(box, self._shape[0]), self._grid))
        presence = next((one for one in self._presences if subject in one.owners), None)
        is_good = track.score >= TRACK_ACTIVATION
        jumps = presence is not None and not presence.recent.overlaps(region)
        if presence is not None and (jumps or (is_good and self._leaves_somebody(presence, region))):
            # A tracker confuses people, and furniture with people, from one frame to the next. A subject that is found
            # elsewhere is no proof that the old place is empty.
            presence.owners.discard(subject)
            presence = None
        presence = presence or self._unseen_at(subject, box, region) or self._create(Patch.nothing(), animate=True)
        presence.owners.add(subject)
        presence.animate = presence.followed = True
        # The track of somebody who fell goes on with weak boxes of furniture beside them. These show where a person may
        # be, and not that nobody is anywhere else.
        presence.find(region, good=is_good)
        presence.body.update(box)
        presence.rest.update(self._now_s, box, good=is_good)
        presence.see(self._now_s, region)

    def _leaves_somebody(self, presence: Presence, region: Patch) -> bool:
        """Return whether a good box, with its margin, does not cover where somebody stayed whom weak boxes found."""
        place = presence.place
        if presence.unfound_s >= GRACE_S:
            place = presence.cells.within(cv2.compare(self._stayed_s, GRACE_S, cv2.CMP_GE))
        place = place.without(self._confirmed)
        return place.minus(region).area > (1 - _COVERED_FRACTION) * place.area

    def _unseen_at(self, subject: int, box: Box, region: Patch) -> Presence | None:
        """Return the presence that a new subject is: one that is not seen otherwise, at the place of the subject.

        A known subject that walks up to the place is somebody else, and so may be a new one where nobody was found for
        long: they would free the place of the other when they go.
        """
        if subject in self._ages:
            return None
        free = [one for one in self._presences if one.now is None and not one.was_unattended]
        free = [one for one in free if not self._leaves_somebody(one, region)]
        # Somebody who comes in moves before a network finds them, and mostly at their edge towards the border.
        here = [one for one in free if one.contains_middle(box) or (not one.owners and one.is_mostly_in(region))]
        return min(here, key=lambda one: (one.unseen_s, one.cells.area), default=None)

    def _follow_motion(self, foreground: Mask, moved: Mask) -> None:
        for component in components(foreground, self._min_cells):
            region = Patch(component.y, component.x, component.mask)
            x, y, (h, w) = component.x, component.y, component.mask.shape
            at_border = x <= 1 or y <= 1 or x + w >= self._grid[1] - 1 or y + h >= self._grid[0] - 1
            presence = self._presence_at(region.dilate(self._reach, self._grid))
            presence = presence or self._create(Patch.nothing(), animate=at_border)
            if not presence.followed:
                box = (float(GRID * x), float(GRID * y), float(GRID * (x + w)), float(GRID * (y + h)))
                # Of somebody who rests a hand moves, and by its box they would seem to go out.
                if not (presence.rest.reaches and self._goes_out(presence, box)):
                    presence.body.update(box)
                presence.stirs.update(self._now_s, box, good=True)
                presence.animate |= presence.moved_over(box) or presence.episodes >= _ANIMATE_EPISODES
            presence.moving |= region.meets(moved)
            presence.see(self._now_s, region)

    def _goes_out(self, presence: Presence, box: Box) -> bool:
        """Return whether a body whose newest box is this one, px, would be going out."""
        extent = replace(presence.body)
        extent.update(box)
        return has_departed(extent, self._shape) or is_in_door(box, self._doors)

    def _presence_at(self, region: Patch) -> Presence | None:
        """Return the presence of a moving region: one that was here just now, else one that stood here.

        Presences without a track that move as one region are one from then on.
        """
        recent = [one for one in self._presences if one.recent.overlaps(region)]
        followed = [one for one in recent if one.followed]
        if followed:
            return followed[0]
        here = recent or [one for one in self._presences if not one.followed and one.cells.overlaps(region)]
        for other in here[1:]:
            here[0].merge(other)
            self._presences.remove(other)
        return here[0] if here else None

    def _age(self, presence: Presence, dt: float) -> None:
        presence.forget_before(self._now_s - _RECENT_S)
        presence.still_s = 0.0 if presence.followed or presence.moving else presence.still_s + dt
        if presence.now is not None:
            # A good box found all of the body again, so it takes the body along.
            presence.was_unattended_when_seen = presence.was_unattended and not presence.found
        presence.unfound_s = 0.0 if presence.found or presence.moving else presence.unfound_s + dt
        presence.was_unattended |= presence.unfound_s >= GRACE_S
        if presence.now is None:
            presence.unseen_s += dt
            # A detector that blinks while somebody stands in a door is no proof that they went through it.
            in_door = presence.unseen_s >= GRACE_S and is_in_door(presence.body.box, self._doors)
            presence.departed |= in_door or has_departed(presence.body, self._shape)
            return
        presence.episodes += presence.episodes == 0 or presence.unseen_s >= _EPISODE_S
        presence.unseen_s = 0.0
        presence.departed = False

    def _has_moved_on(self, presence: Presence) -> bool:
        """Return whether all of a body without a track is in the region that moves now."""
        area = 0 if presence.now is None else presence.now.area
        return presence.moving and area >= _WHOLE_FRACTION * presence.max_area

    def _free_trail(self, presence: Presence, staying: Mask, plate: CleanPlate) -> None:
        """Free the cells that a body has left. Where it was not always followed they need longer evidence.

        staying: cells that are confirmed, or that differ now.
        """
        behind = presence.cells.without(staying)
        if not presence.departed:
            behind = behind.minus(presence.recent.dilate(self._reach, self._grid))
        presence.cells = presence.cells.minus(behind)
        if presence.found and not presence.was_unattended:
            return
        for other in self._presences:
            behind = behind.minus(other.cells)
        where = np.zeros(self._grid, np.uint8)
        behind.paint(where)
        plate.restart_unconfirmed(where)

    def _create(self, cells: Patch, *, animate: bool) -> Presence:
        self._count += 1
        presence = Presence(self._count, cells, animate)
        self._presences.append(presence)
        return presence

    def _update_masks(self) -> None:
        self._presences = [one for one in self._presences if one.now is not None or one.cells.area]
        self.blocked: Mask = np.zeros(self._grid, np.uint8)
        self.withheld: Mask = np.zeros(self._grid, np.uint8)
        for one in self._presences:
            if one.animate:
                one.cells.paint(self.blocked)
            # An object that appears in the middle of the picture may have been taken for background before.
            if one.still_s >= GRACE_S or not one.animate:
                one.cells.paint(self.withheld)


def _count_time(seconds: Float32Array, where: Mask, dt: float) -> None:
    """Add dt to the cells in `where`, and reset the others."""
    np.multiply(seconds, where > 0, out=seconds)
    cv2.add(seconds, dt, dst=seconds, mask=where)
