"""The clean plate: a memory, cell by cell, of what was proven to be background.

A cell is proven by evidence: seconds in which it lay outside every unsafe region and kept its value. Once proven it is
remembered while people stand before it, and is never updated from pixels that may be theirs. What is read of a frame
is its part outside `Unsafe.mask` and nothing else: `absorb` overwrites the rest before it looks.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.images.environment import FILL
from privcam_privacy.background.exclusion_masks import (
    GRID,
    FloatArray,
    Mask,
    Unsafe,
    from_grid,
    grid_shape,
    grown,
    minus,
    share,
    to_grid,
)
from privcam_privacy.background.illumination import LightChange, difference, light_change
from privcam_privacy.state.restoration import Recall

# A gap between two frames proves nothing about the time between them: a frame adds at most this much evidence.
_MOST_STEP_S = 0.25
# After a gap this long nothing is known of what moved: unproven evidence starts again.
_GAP_S = 2.0
# What is learnt is a mean over about this time: long enough to take out the noise of a frame, short enough to stay
# within the threshold of motion when a cloud changes the light by 5 levels a second.
_AVERAGE_S = 1.5
# Proven background is averaged over about the first time, for the second time, and then left as it is: a picture of
# the room that wanders by a level or two costs bits, and its wandering would tell when who stood where. So this is done
# only while the room is quiet: nobody in it, and no more than this share of it moves.
_FINE_AVERAGE_S, _SETTLED_S = 5.0, 15.0
_QUIET_SHARE = 2e-4
# It is averaged anew in tiles (columns, rows) whose mean has moved away by this many levels for about this long.
_DRIFT_TILES, _DRIFT_LEVELS, _DRIFT_S = (16, 12), 3.0, 3.0
# The light of a quiet room is followed in about _AVERAGE_S. With people in it only after it was another for the first
# time, and in about that time: most cameras change their exposure for a dark coat, and the room is none the darker for
# it. A change by less than the second, in levels, is none.
_OCCUPIED_S, _LIGHT_LEVELS = 60.0, 0.5
# No light is followed closer than this share of the picture's height to people: their shadows fall there.
_SHADOW_SHARE = 0.05
# The light of the room is taken from what is in the open, this often: it is the one costly step.
_RELIGHT_S = 0.5
# A cell keeps its value when it is within this many levels of it, or that many typical differences.
_LEAST_LEVELS, _NOISE_FACTOR, _MOST_LEVELS = 12.0, 8.0, 36.0
_NOISE_MEMORY_S = 2.0
# Changes are judged in blocks of this many cells.
_BLOCK = 8
# When this share of the proven background in sight disagrees for _SCENE_S, it is not people: the camera moved or a
# lamp was switched. Less background in sight than _SCENE_LEAST of the picture says nothing about the scene.
_SCENE_SHARE, _SCENE_S, _SCENE_LEAST = 0.5, 1.0, 0.1


@dataclass(frozen=True)
class PlateTimes:
    """Seconds of undisturbed evidence, and of disagreement.

    confirm: until background is confirmed. Of 24 tracks of people in 14 clips, 21 never showed a stretch without motion
    longer than 1.2 s; the longest, 3.6 s, was a man on the floor until the clip ended. So time alone is no proof, and
    is not the only guard: boxes, tracks and the quarantine come first.
    doubt: the same under a box too weak to be a person for sure. Not much longer, because such boxes cover most of any
    furnished room; what counts there is that nothing at all may move in the box.
    change: until background that disagrees with no person near is taken for changed. What was proven shows nobody
    however old it is, so there is no hurry: the shadow of somebody who stands and talks is no change of the room.
    relearn: until the new background is confirmed there.
    """

    confirm: float = 4.0
    doubt: float = 5.0
    change: float = 15.0
    relearn: float = 20.0

    def __post_init__(self) -> None:
        if not 0 < self.confirm <= self.doubt <= self.relearn or self.change <= 0:
            raise ValueError(f"PlateTimes: needs 0 < confirm <= doubt <= relearn and change > 0, got {self}")


class CleanPlate:
    """The state of every cell. shape: (H, W) of the picture. All masks are grid masks.

    picture: (H, W, 3) uint8, the background estimate B; meaningless outside of `known`. known: B has a value.
    proven: B is proven. changed: the background was another before, so longer evidence is asked for.
    """

    def __init__(self, shape: tuple[int, int], times: PlateTimes) -> None:
        self._times = times
        self._shape = shape
        self._shadow = max(1, round(_SHADOW_SHARE * shape[0] / GRID))
        self._recall: Recall | None = None
        self.forget()

    def remember(self, recall: Recall) -> None:
        """Take over what is remembered of the room, once the view is seen to be the same."""
        self._recall = recall

    def forget(self) -> None:
        """Make every cell unknown."""
        grid = grid_shape(self._shape)
        self._value: FloatArray = np.full((*self._shape, 3), FILL, np.float32)
        self._shrink()
        self.known: Mask = np.zeros(grid, np.uint8)
        self.proven: Mask = np.zeros(grid, np.uint8)
        self.changed: Mask = np.zeros(grid, np.uint8)
        self._age: FloatArray = np.zeros(grid, np.float32)
        self._changed_s: FloatArray = np.zeros(grid, np.float32)
        self._settling_s: FloatArray = np.zeros(grid, np.float32)
        self._drift: FloatArray = np.zeros((*_DRIFT_TILES[::-1], 3), np.float32)
        self._scene_s = 0.0
        self._relight_s = 0.0
        self._lit_s = 0.0
        self._lighting = False
        self._noise = 1.0

    def absorb(self, image: npt.NDArray[np.uint8], unsafe: Unsafe, blocked: Mask, dt: float) -> Mask:
        """Learn from the part of `image` outside `unsafe.mask` and return the cells that kept their value.

        image: (H, W, 3) uint8. blocked: quarantined cells, which learn nothing. dt: s since the last frame.
        Privacy: the bytes of `image` inside `unsafe.mask` are overwritten before anything else; so nothing here, and
        nothing that is made from the state, depends on them.
        """
        safe = cv2.bitwise_not(unsafe.mask)
        frame = cv2.copyTo(image, from_grid(safe, self._shape), np.full(image.shape, FILL, np.uint8))
        self._forget_changed_scene(unsafe, dt)
        if dt > _GAP_S:
            self._age[self.proven == 0] = 0.0

        step = min(dt, _MOST_STEP_S)
        near = grown(cv2.bitwise_or(unsafe.persons, blocked), self._shadow)
        open_ground = minus(cv2.bitwise_and(self.proven, safe), near)
        small = to_grid(frame)
        change = light_change(small, self.small, open_ground)
        kept = self._kept(small, change.apply(self.small), cv2.bitwise_and(safe, self.known), step)
        self._release_changed(unsafe.changed, unsafe.persons, blocked, kept, dt)
        growing = minus(cv2.bitwise_and(kept, safe), cv2.bitwise_or(self.proven, blocked))
        fresh = minus(safe, cv2.bitwise_or(cv2.bitwise_or(self.proven, blocked), growing))
        quiet = not cv2.countNonZero(unsafe.persons) and share(unsafe.disagrees) <= _QUIET_SHARE
        self._relight(change, open_ground, quiet, step)
        seen = cv2.bitwise_and(kept, open_ground)
        settling = self._settling(small, seen, step) if quiet and not self._lighting else np.zeros_like(seen)
        self._learn(frame, growing, settling, fresh, step)
        self._take_over(frame, safe, blocked, dt)
        self._shrink()
        paused = cv2.bitwise_and(minus(unsafe.followed, blocked), self.known)
        self._age_cells(growing, fresh, paused, unsafe.doubted, step)
        return kept

    def unlearn(self, where: Mask) -> None:
        """Forget all cells in `where` and ask for longer evidence there."""
        self.proven = minus(self.proven, where)
        self.doubt(where)

    def doubt(self, where: Mask) -> None:
        """Forget unproven cells in `where` and ask for longer evidence there."""
        unproven = minus(where, self.proven)
        if cv2.countNonZero(unproven):
            self._clear(unproven)
            self._value[from_grid(unproven, self._shape) > 0] = FILL
            cv2.bitwise_or(self.changed, unproven, dst=self.changed)

    def trust(self, where: Mask) -> None:
        """Ask for no more than ordinary evidence in `where` (an operator looked at it)."""
        self.changed[where > 0] = 0

    def _forget_changed_scene(self, unsafe: Unsafe, dt: float) -> None:
        in_sight = minus(self.proven, unsafe.persons)
        wrong = cv2.bitwise_and(in_sight, unsafe.disagrees)
        judged = share(in_sight) > _SCENE_LEAST
        self._scene_s = self._scene_s + dt if judged and share(wrong) > _SCENE_SHARE * share(in_sight) else 0.0
        if self._scene_s >= _SCENE_S:
            self.forget()

    def _release_changed(self, wrong: Mask, persons: Mask, blocked: Mask, kept: Mask, dt: float) -> None:
        """Unconfirm background that has been wrong for long with no person near: it has to prove itself anew."""
        wrong = minus(cv2.bitwise_and(wrong, self.proven), cv2.bitwise_or(persons, blocked))
        self._changed_s[kept > 0] = 0.0
        cv2.add(self._changed_s, dt, dst=self._changed_s, mask=wrong)
        if self._changed_s.max() < self._times.change:
            return
        # Neighbours of what has just become old enough are about to be: one step for all of them. Only blocks count of
        # which most is wrong: a thing that was moved, not the edges of all things in another light.
        cells = cv2.compare(self._changed_s, self._times.change / 2, cv2.CMP_GT)
        blocks = _blocks(cells)
        old = cv2.bitwise_or(blocks, cv2.bitwise_and(cells, grown(blocks, _BLOCK)))
        self._changed_s[self._changed_s >= self._times.change] = 0.0
        self._changed_s[old > 0] = 0.0
        if cv2.countNonZero(old):
            self.unlearn(old)

    def _kept(self, small: npt.NDArray[np.uint8], expected: npt.NDArray[np.uint8], judged: Mask, step: float) -> Mask:
        gap = difference(small, expected)
        sample = gap[::2, ::2][judged[::2, ::2] > 0]
        if sample.size:
            self._noise += min(1.0, step / _NOISE_MEMORY_S) * (float(np.median(sample)) - self._noise)
        levels = float(np.clip(_NOISE_FACTOR * self._noise, _LEAST_LEVELS, _MOST_LEVELS))
        return cv2.bitwise_and(judged, cv2.compare(gap, levels, cv2.CMP_LE))

    def _learn(self, frame: npt.NDArray[np.uint8], growing: Mask, settling: Mask, fresh: Mask, step: float) -> None:
        for where, weight in ((growing, step / _AVERAGE_S), (settling, step / _FINE_AVERAGE_S), (fresh, 1.0)):
            if cv2.countNonZero(where):
                cv2.accumulateWeighted(frame, self._value, min(1.0, weight), mask=from_grid(where, self._shape))

    def _settling(self, small: npt.NDArray[np.uint8], seen: Mask, step: float) -> Mask:
        """Return which proven cells in sight are still averaged, and begin again where the room has drifted away."""
        in_sight = _tiles(seen)[..., None] / 255
        now, before = (_tiles(cv2.copyTo(picture, seen)) for picture in (small, self.small))
        judged = in_sight[..., 0] > 0.5
        gap = (now - before)[judged] / in_sight[judged]
        self._drift[judged] += min(1.0, step / _DRIFT_S) * (gap - self._drift[judged])
        drifted = np.abs(self._drift).max(axis=2) > _DRIFT_LEVELS
        if drifted.any():
            self._drift[drifted] = 0.0
            where = cv2.resize(drifted.astype(np.uint8), seen.shape[::-1], interpolation=cv2.INTER_NEAREST)
            self._settling_s[where > 0] = 0.0
        settling = cv2.bitwise_and(seen, cv2.compare(self._settling_s, _SETTLED_S, cv2.CMP_LT))
        cv2.add(self._settling_s, step, dst=self._settling_s, mask=settling)
        return settling

    def _relight(self, change: LightChange, open_ground: Mask, quiet: bool, step: float) -> None:
        """Let all proven background follow the light of that which is in the open, once it has changed.

        What people hide cannot be averaged. So that it does not stay behind, nothing is while the light changes.
        """
        self._relight_s += step
        if self._relight_s < _RELIGHT_S:
            return
        moved = cv2.mean(cv2.absdiff(change.apply(self.small), self.small), mask=open_ground)[0] > _LIGHT_LEVELS
        self._lit_s = self._lit_s + self._relight_s if moved else 0.0
        weight = min(1.0, self._relight_s / (_AVERAGE_S if quiet else _OCCUPIED_S))
        self._relight_s = 0.0
        self._lighting = moved
        if not moved or (not quiet and self._lit_s < _OCCUPIED_S):
            return
        part = change.part(weight)
        gain = cv2.resize(part.gain, self._shape[::-1], interpolation=cv2.INTER_LINEAR)
        lit = np.clip(self._value * gain + part.offset, 0, 255)
        cv2.copyTo(lit, from_grid(self.proven, self._shape), self._value)

    def _take_over(self, frame: npt.NDArray[np.uint8], safe: Mask, blocked: Mask, dt: float) -> None:
        """Fill what is not proven from the memory, if there is one and the view is the same."""
        if self._recall is None:
            return
        held = self._recall.update(frame, safe, dt)
        if held is not None:
            taken = minus(held[1], cv2.bitwise_or(self.proven, blocked))
            where = from_grid(taken, self._shape) > 0
            self._value[where] = held[0][where]
            self.known, self.proven = cv2.bitwise_or(self.known, taken), cv2.bitwise_or(self.proven, taken)
        if self._recall.decided:
            self._recall = None

    def _age_cells(self, growing: Mask, fresh: Mask, paused: Mask, doubted: Mask, step: float) -> None:
        # Somebody who is followed and walks past takes no evidence away: what was there before is there after. Whoever
        # is lost from sight is quarantined, and those cells start again.
        keeping = cv2.bitwise_or(cv2.bitwise_or(growing, fresh), paused)
        self._clear(minus(cv2.bitwise_not(self.proven), keeping))
        self._age[fresh > 0] = 0.0
        self.known = cv2.bitwise_or(self.known, fresh)
        # Doubt is the same evidence at a lower rate.
        slowest = cv2.bitwise_and(growing, self.changed)
        slow = minus(cv2.bitwise_and(growing, doubted), slowest)
        usual = minus(growing, cv2.bitwise_or(slow, slowest))
        for seconds, where in (
            (self._times.confirm, usual),
            (self._times.doubt, slow),
            (self._times.relearn, slowest),
        ):
            cv2.add(self._age, step * self._times.confirm / seconds, dst=self._age, mask=where)
        done = cv2.bitwise_and(growing, cv2.compare(self._age, self._times.confirm, cv2.CMP_GE))
        self.proven = cv2.bitwise_or(self.proven, done)
        self._settling_s[done > 0] = 0.0
        self.changed = minus(self.changed, done)

    def _clear(self, where: Mask) -> None:
        self.known = minus(self.known, where)
        self._age[where > 0] = 0.0

    def _shrink(self) -> None:
        self.picture: npt.NDArray[np.uint8] = cv2.convertScaleAbs(self._value)
        self.small: npt.NDArray[np.uint8] = to_grid(self.picture)


def _blocks(mask: Mask) -> Mask:
    """Return the blocks of the grid that are mostly in `mask`."""
    rows, columns = mask.shape
    blocks = (-(-columns // _BLOCK), -(-rows // _BLOCK))
    padded = cv2.copyMakeBorder(
        mask, 0, blocks[1] * _BLOCK - rows, 0, blocks[0] * _BLOCK - columns, cv2.BORDER_REPLICATE
    )
    most = cv2.compare(cv2.resize(padded, blocks, interpolation=cv2.INTER_AREA), 127, cv2.CMP_GT)
    full = cv2.resize(most, (blocks[0] * _BLOCK, blocks[1] * _BLOCK), interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(full[:rows, :columns])


def _tiles(picture: npt.NDArray[np.uint8]) -> FloatArray:
    return np.asarray(cv2.resize(picture, _DRIFT_TILES, interpolation=cv2.INTER_AREA), np.float32)
