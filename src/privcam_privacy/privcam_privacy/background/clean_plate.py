"""The clean plate (background model): for every cell of the grid, the background that was confirmed there.

A cell is confirmed by evidence: seconds in which it lay outside every exclusion mask and kept its value. With approved
pictures of the empty room, the values are theirs and nothing is learnt from frames. A confirmed cell keeps its value
while people stand before it, and is never updated from pixels that may be theirs. The plate reads only the part of a
frame outside `ExclusionMasks.mask`: `absorb` overwrites the rest first.
"""

import cv2
import numpy as np

from privcam_core.images.environment import FILL
from privcam_core.types.arrays import BoolArray, Float32Array, Image, Mask
from privcam_privacy.background.exclusion_masks import ExclusionMasks
from privcam_privacy.background.grid import (
    GRID,
    above,
    complement,
    dilate,
    fraction,
    from_grid,
    full_blocks,
    grid_shape,
    intersect,
    subtract,
    to_grid,
    union,
)
from privcam_privacy.background.illumination import IlluminationChange, difference, estimate_illumination_change
from privcam_privacy.background.illumination_follower import AVERAGE_S, IlluminationFollower
from privcam_privacy.background.plate_refinement import FINE_AVERAGE_S, PlateRefinement
from privcam_privacy.evidence.approved_background import ApprovedBackground
from privcam_privacy.evidence.cell_evidence import CellEvidence, PlateTimes
from privcam_privacy.evidence.stillness import StillnessMonitor
from privcam_privacy.state.restoration import Restoration

# The time between two frames is no evidence in itself: a frame adds at most this much.
_MAX_STEP_S = 0.25
# After a longer gap nothing is known of what moved: evidence of unconfirmed cells starts again.
_MAX_GAP_S = 2.0
# A room is quiet when nobody is in it and no more than this fraction of it differs.
_QUIET_FRACTION = 2e-4
# The illumination is not estimated closer to people than this fraction of the picture's height: shadows fall there.
_SHADOW_FRACTION = 0.05
# A cell keeps its value when it is within this many levels of it ...
_MIN_LEVELS = 12.0
# ... or within this multiple of the typical difference ...
_NOISE_FACTOR = 8.0
# ... but never with a larger difference than this, in levels.
_MAX_LEVELS = 36.0
# Time constant of the typical difference, s.
_NOISE_TIME_S = 2.0
# Changed background is judged in blocks with this many cells per side.
_BLOCK = 8
# The camera moved or a lamp was switched when more than this fraction of the confirmed background in sight differs ...
_SCENE_FRACTION = 0.5
# ... for this long.
_SCENE_S = 1.0
# With less background in sight than this fraction of the picture, a change of the scene is not judged.
_MIN_SCENE_FRACTION = 0.1


class CleanPlate:
    """The state of every cell. shape: (H, W) of the picture. All masks are grid masks.

    approved: the approved pictures, for evidence `commissioned`. stillness: for evidence `stillness`. Without both,
    time alone confirms a cell: evidence `transit`.

    picture: (H, W, 3) uint8, the background estimate B, without meaning outside of `known`. small: the same on the
    grid. known: B has a value. confirmed: B is confirmed. before_change: picture and confirmed pixels from before the
    scene became another one. contradicting: cells that contradict the stored background. Both are for the engine, which
    sets them to None.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        times: PlateTimes,
        *,
        approved: ApprovedBackground | None = None,
        stillness: StillnessMonitor | None = None,
    ) -> None:
        self._times = times
        self._approved = approved
        self._stillness = stillness
        self._shape = shape
        self._shadow = max(1, round(_SHADOW_FRACTION * shape[0] / GRID))
        self._restoration: Restoration | None = None
        self.forget()

    def restore(self, restoration: Restoration) -> None:
        """Take over the stored background as soon as the view is found to be the same."""
        self._restoration = restoration

    def forget(self) -> None:
        """Make every cell unknown."""
        grid = grid_shape(self._shape)
        self._value: Float32Array = np.full((*self._shape, 3), FILL, np.float32)
        self._update_picture()
        self.known: Mask = np.zeros(grid, np.uint8)
        self.confirmed: Mask = np.zeros(grid, np.uint8)
        self._evidence = CellEvidence(grid, self._times)
        self._changed_s: Float32Array = np.zeros(grid, np.float32)
        self._refinement = PlateRefinement(grid)
        self._illumination = IlluminationFollower()
        self._scene_s = 0.0
        self._noise = 1.0
        self.before_change: tuple[Image, BoolArray] | None = None
        self.contradicting: Mask | None = None
        if self._approved is not None:
            self._approved.release()

    @property
    def changed(self) -> Mask:
        """Cells in which the background was another one before, so that they need longer evidence."""
        return self._evidence.changed

    @property
    def vouched(self) -> Mask:
        """Cells of which the background was found to be free of people, in this frame or before."""
        return self.confirmed if self._approved is None else self._approved.known

    def absorb(
        self,
        image: Image,
        exclusion: ExclusionMasks,
        blocked: Mask,
        dt: float,
        *,
        withheld: Mask,
        reach: Mask,
        may_confirm: bool = True,
    ) -> Mask:
        """Learn from the part of `image` outside `exclusion.mask` and return the cells that kept their value.

        image: (H, W, 3) uint8. blocked: cells of presences, which learn nothing. dt: s since the last frame.
        withheld: cells of presences that nobody follows, which restore nothing from before a restart.
        reach: cells where parts of people who rest may be; to wait is no evidence there.
        may_confirm: False where the frame is no evidence of anything: it confirms no cell.
        Privacy: the bytes of `image` inside `exclusion.mask` are overwritten before anything else. So neither this
        method, nor anything that is computed from the state, depends on them.
        """
        safe = complement(exclusion.mask)
        frame = cv2.copyTo(image, from_grid(safe, self._shape), np.full(image.shape, FILL, np.uint8))
        self._forget_changed_scene(exclusion, dt)
        if dt > _MAX_GAP_S:
            self._evidence.clear(complement(self.confirmed))

        step = min(dt, _MAX_STEP_S)
        self._take_approved(frame, safe, step)
        near_people = dilate(union(exclusion.persons, blocked), self._shadow)
        open_ground = subtract(intersect(self.vouched, safe), near_people)
        small = to_grid(frame)
        change = estimate_illumination_change(small, self.small, open_ground)
        kept = self._kept_cells(small, change.apply(self.small), intersect(safe, self.known), step)
        self._release_changed(exclusion.changed, exclusion.persons, blocked, kept, dt)
        growing = subtract(intersect(kept, safe), self.confirmed)
        if self._approved is None:
            growing = subtract(growing, blocked)
        fresh = subtract(safe, union(self.confirmed, blocked, growing))
        still = growing if self._stillness is None else self._stillness.update(small, safe, step)
        still = subtract(still, reach)
        quiet = not cv2.countNonZero(exclusion.persons) and fraction(exclusion.differing) <= _QUIET_FRACTION
        self._follow_illumination(change, small, open_ground, quiet, step)
        if self._approved is None:
            seen = intersect(kept, open_ground) if quiet and may_confirm else np.zeros_like(kept)
            settling = self._refinement.select(small, self.small, seen, step)
            self._learn(frame, growing, settling, fresh, step)
        else:
            fresh = np.zeros_like(fresh)
        if may_confirm:
            self._restore_stored(frame, safe, withheld, dt)
        self._update_picture()
        paused = intersect(subtract(exclusion.tracked, blocked), self.known)
        # A tracked person who walks past removes no evidence: the background is the same before and after. A person who
        # is lost from sight stays a presence, and those cells start again.
        self._clear(subtract(complement(self.confirmed), union(growing, fresh, paused)))
        self._evidence.clear(union(fresh, subtract(growing, still)))
        self.known = union(self.known, fresh)
        # Until the stored background is compared, whatever contradicts it may be a person.
        if may_confirm and self._restoration is None:
            done = self._evidence.add(intersect(growing, still), exclusion.low_confidence, step)
            # Agreement with an approved picture counts while a presence is there too: it ends by the same agreement.
            done = subtract(done, blocked)
            self.confirmed = union(self.confirmed, done)
            self._refinement.restart(done)
        return kept

    def unlearn(self, where: Mask) -> None:
        """Forget all cells in `where` and ask for longer evidence there."""
        self.confirmed = subtract(self.confirmed, where)
        self.restart_unconfirmed(where)

    def restart_unconfirmed(self, where: Mask) -> None:
        """Forget the unconfirmed cells in `where` and ask for longer evidence there."""
        unconfirmed = subtract(where, self.confirmed)
        if cv2.countNonZero(unconfirmed):
            self._clear(unconfirmed)
            self._value[from_grid(subtract(unconfirmed, self.known), self._shape) > 0] = FILL
            self._evidence.changed = union(self._evidence.changed, unconfirmed)

    def distrust(self, where: Mask) -> None:
        """Forget all cells in `where`, approved or not: a person was found there in the picture."""
        if self._approved is not None:
            self._approved.distrust(where)
        self.unlearn(where)

    def _take_approved(self, frame: Image, safe: Mask, step: float) -> None:
        """Take over the values of the approved picture that agrees with the camera, if none is in use."""
        lit = self._approved.select(frame, safe, step) if self._approved is not None else None
        if lit is not None:
            self._value = lit.astype(np.float32)
            self.known = self.vouched.copy()
            self.confirmed = intersect(self.confirmed, self.known)
            self._update_picture()

    def _forget_changed_scene(self, exclusion: ExclusionMasks, dt: float) -> None:
        """Forget everything when another state agrees better, or most of the background in sight differs for long."""
        if exclusion.other_state:
            self.forget()
            return
        in_sight = subtract(self.vouched, exclusion.persons)
        wrong = intersect(in_sight, exclusion.differing)
        judged = fraction(in_sight) > _MIN_SCENE_FRACTION
        is_other = judged and fraction(wrong) > _SCENE_FRACTION * fraction(in_sight)
        self._scene_s = self._scene_s + dt if is_other else 0.0
        if self._scene_s >= _SCENE_S:
            before = self.picture, from_grid(self.confirmed, self._shape) > 0
            self.forget()
            self.before_change = before

    def _release_changed(self, changed: Mask, persons: Mask, blocked: Mask, kept: Mask, dt: float) -> None:
        """Unlearn background that has differed for long with no person near. It needs new evidence."""
        wrong = subtract(intersect(changed, self.confirmed), union(persons, blocked))
        self._changed_s[kept > 0] = 0.0
        cv2.add(self._changed_s, dt, dst=self._changed_s, mask=wrong)
        if self._changed_s.max() < self._times.change_s:
            return
        # Cells beside those that are due would be due soon: all of them are released in one step. Only blocks that
        # mostly differ count: an object that was moved, not the edges of all objects under another illumination.
        due = above(self._changed_s, self._times.change_s / 2)
        blocks = full_blocks(due, _BLOCK)
        released = union(blocks, intersect(due, dilate(blocks, _BLOCK)))
        self._changed_s[self._changed_s >= self._times.change_s] = 0.0
        self._changed_s[released > 0] = 0.0
        if cv2.countNonZero(released):
            self.unlearn(released)

    def _kept_cells(self, small: Image, expected: Image, judged: Mask, step: float) -> Mask:
        """Return the cells of `judged` that have the expected value, up to noise. Updates the estimate of the noise."""
        gap = difference(small, expected)
        sample = gap[::2, ::2][judged[::2, ::2] > 0]
        if sample.size:
            self._noise += min(1.0, step / _NOISE_TIME_S) * (float(np.median(sample)) - self._noise)
        levels = float(np.clip(_NOISE_FACTOR * self._noise, _MIN_LEVELS, _MAX_LEVELS))
        return intersect(judged, cv2.compare(gap, levels, cv2.CMP_LE))

    def _learn(self, frame: Image, growing: Mask, settling: Mask, fresh: Mask, step: float) -> None:
        """Move the background estimate of every learning cell towards the frame."""
        for where, weight in ((growing, step / AVERAGE_S), (settling, step / FINE_AVERAGE_S), (fresh, 1.0)):
            if cv2.countNonZero(where):
                cv2.accumulateWeighted(frame, self._value, min(1.0, weight), mask=from_grid(where, self._shape))

    def _follow_illumination(
        self, change: IlluminationChange, small: Image, open_ground: Mask, quiet: bool, step: float
    ) -> None:
        """Apply the change of illumination that is due to all confirmed background, also behind people."""
        due = self._illumination.update(change, self.small, open_ground, quiet=quiet, step=step)
        if due is None:
            return
        if self._approved is not None:
            # From the approved picture anew: errors do not add up.
            self._value = self._approved.light(small, open_ground).astype(np.float32)
            return
        gain = cv2.resize(due.gain, self._shape[::-1], interpolation=cv2.INTER_LINEAR)
        lit = np.clip(self._value * gain + due.offset, 0, 255)
        cv2.copyTo(lit, from_grid(self.confirmed, self._shape), self._value)

    def _restore_stored(self, frame: Image, safe: Mask, withheld: Mask, dt: float) -> None:
        """Fill unconfirmed cells from the stored background, if there is one and the view is the same."""
        if self._restoration is None:
            return
        stored = self._restoration.update(frame, safe, dt)
        if stored is not None:
            restored = subtract(stored.cells, union(self.confirmed, withheld))
            where = from_grid(restored, self._shape) > 0
            self._value[where] = stored.picture[where]
            self.known, self.confirmed = union(self.known, restored), union(self.confirmed, restored)
            self.contradicting = stored.contradicting
        if self._restoration.decided:
            self._restoration = None

    def _clear(self, where: Mask) -> None:
        # The approved picture stays known where its evidence is gone.
        approved = np.zeros_like(where) if self._approved is None else self._approved.known
        self.known = union(subtract(self.known, where), intersect(where, approved))
        self._evidence.clear(where)

    def _update_picture(self) -> None:
        self.picture: Image = cv2.convertScaleAbs(self._value)
        self.small: Image = to_grid(self.picture)
