"""The privacy engine: raw frames go in, a picture of the room without people comes out.

Two halves, and one record between them. `compute_unsafe` may look at every pixel and says only where a person may be.
`absorb` learns from the rest of the frame and says what may be shown. A recorded sequence of `Unsafe` can be replayed
into `absorb` with any pixels whatever inside the regions: not one byte of what comes out changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.images.environment import require_bgr8
from privcam_core.types.arrays import Box
from privcam_core.types.perception import Detections, Track
from privcam_privacy.background.clean_plate import CleanPlate, PlateTimes
from privcam_privacy.background.exclusion_masks import (
    GRID,
    BoolArray,
    Margins,
    Mask,
    PersonRegions,
    Unsafe,
    any_to_grid,
    cells,
    from_grid,
    minus,
    share,
)
from privcam_privacy.background.motion import MotionDetector
from privcam_privacy.background.quarantine import Quarantine
from privcam_privacy.background.snapshot import NS, Snapshot
from privcam_privacy.state.restoration import Recall, Remembered


@dataclass(frozen=True)
class EngineSettings:
    """Settings of the adaptive mode.

    blocking_score: a detection scoring at least this blocks its region. weak_score: one between this and
    blocking_score blocks it over a person, and elsewhere doubts it: longer evidence, and anything that moves in it
    blocks all of it. At 0.25 the detector finds 87 of 100 persons, at 0.35 only 77 (COCO, above 8 % of the
    picture's height): ten persons in a hundred weigh more than a sofa that is not shown.
    person_hold_s, motion_hold_s: a region stays unsafe this long after its last evidence. In any 3 s
    each of 24 tracks of people (followed from boxes above 0.40) had a box of 0.40 or more, and three rooms while empty
    had none above 0.35; a person who never scores as much is left to the weak boxes, motion and masks.
    step_s: the environment is renewed at most this often; taken back it is at once.
    """

    blocking_score: float = 0.25
    weak_score: float = 0.05
    person_hold_s: float = 3.0
    motion_hold_s: float = 1.0
    step_s: float = 2.0
    times: PlateTimes = field(default_factory=PlateTimes)
    margins: Margins = field(default_factory=Margins)

    def __post_init__(self) -> None:
        if not 0 <= self.weak_score <= self.blocking_score <= 1:
            raise ValueError(
                f"EngineSettings: needs 0 <= weak_score <= blocking_score <= 1, "
                f"got {self.weak_score} and {self.blocking_score}"
            )
        if min(self.person_hold_s, self.motion_hold_s, self.step_s) <= 0:
            raise ValueError("EngineSettings: person_hold_s, motion_hold_s and step_s must be above 0 s")


@dataclass(frozen=True, eq=False)
class EngineResult:
    """What may be published of one frame.

    environment_plate: (H, W, 3) uint8, FILL where not valid. validity: (H, W) bool. changed: other than the last one.
    epoch: counts the changes, from 1. Areas are shares of the picture: where people may be, what is not shown, and
    what is quarantined.
    """

    environment_plate: npt.NDArray[np.uint8]
    validity: BoolArray
    changed: bool
    epoch: int
    excluded_fraction: float
    withheld_fraction: float
    quarantined_fraction: float


class _Room:
    """All state that belongs to pictures of one size."""

    def __init__(self, shape: tuple[int, int], settings: EngineSettings, epoch: int) -> None:
        self.shape = shape
        self.plate = CleanPlate(shape, settings.times)
        self.persons = PersonRegions(
            shape,
            blocking_score=settings.blocking_score,
            hold_s=settings.person_hold_s,
            margins=settings.margins,
        )
        self.motion = MotionDetector(shape, hold_s=settings.motion_hold_s)
        self.quarantine = Quarantine(shape, settings.margins)
        self.snapshot = Snapshot(shape, step_s=settings.step_s, epoch=epoch)
        self.seen_ns: int | None = None
        self.absorbed_ns: int | None = None


class PrivacyEngine:
    """Makes the environment from frames and from what is known of people in them, in mode `adaptive`."""

    def __init__(self, settings: EngineSettings | None = None) -> None:
        self._settings = settings or EngineSettings()
        self._room: _Room | None = None
        self._memory: Remembered | None = None

    def update(
        self,
        image: npt.NDArray[np.uint8],
        detections: Detections,
        tracks: Sequence[Track],
        person_mask: BoolArray,
        stamp_ns: int,
    ) -> EngineResult:
        """Take in one frame and return what may be published.

        image: (H, W, 3) uint8. detections: down to weak_score or lower. tracks: of every state, also lost.
        person_mask: (H, W) bool. stamp_ns: capture time; one not later than the last adds no evidence.
        A picture of another size than the last makes everything unknown. Raises ValueError on wrong shapes.
        """
        require_bgr8(image)
        if person_mask.shape != image.shape[:2] or person_mask.dtype != np.bool_:
            raise ValueError(
                f"person_mask: is {person_mask.dtype} {person_mask.shape}, needs bool {image.shape[:2]} like the image"
            )
        unsafe = self.compute_unsafe(image, detections, tracks, person_mask, stamp_ns)
        return self.absorb(image, unsafe, tracks, stamp_ns)

    def compute_unsafe(
        self,
        image: npt.NDArray[np.uint8],
        detections: Detections,
        tracks: Sequence[Track],
        person_mask: BoolArray,
        stamp_ns: int,
    ) -> Unsafe:
        """Return where a person may be. Arguments as for `update`."""
        room = self._room_for(image.shape[:2])
        dt = _seconds(room.seen_ns, stamp_ns)
        room.seen_ns = stamp_ns
        persons, followed = room.persons.update(detections, tracks, person_mask, dt)
        weak = self._weak_boxes(detections, room.shape[0])
        plate = room.plate
        suspects = [*weak, *_parts(plate.changed)]
        motion = room.motion.update(image, plate.small, plate.known, persons, suspects, dt)
        doubted = np.zeros_like(persons)
        for box in weak:
            doubted[cells(box, doubted.shape)] = 255
        mask = cv2.bitwise_or(persons, motion.moving)
        return Unsafe(mask, persons, followed, motion.disagrees, motion.changed, doubted)

    def absorb(
        self, image: npt.NDArray[np.uint8], unsafe: Unsafe, tracks: Sequence[Track], stamp_ns: int
    ) -> EngineResult:
        """Learn from one frame outside of `unsafe` and return the environment Ī of Eq. 3.

        Ī is the background estimate where it is confirmed, and FILL elsewhere. It is no function of this frame's
        pixels inside `unsafe.mask`, nor of those of any frame before.
        """
        room = self._room_for(image.shape[:2])
        dt = _seconds(room.absorbed_ns, stamp_ns)
        room.absorbed_ns = stamp_ns
        plate, quarantine = room.plate, room.quarantine
        quarantine.update(tracks, dt)
        kept = plate.absorb(image, unsafe, quarantine.blocked, dt)
        quarantine.release(kept, unsafe, plate, tracks, dt)
        confirmed = from_grid(minus(plate.proven, quarantine.withheld), room.shape)
        changed = room.snapshot.update(plate.picture, confirmed, stamp_ns)
        return EngineResult(
            environment_plate=room.snapshot.picture.copy(),
            validity=room.snapshot.valid.astype(bool),
            changed=changed,
            epoch=room.snapshot.epoch,
            excluded_fraction=share(unsafe.persons),
            withheld_fraction=1.0 - share(room.snapshot.valid),
            quarantined_fraction=share(quarantine.blocked),
        )

    def remember(self, memory: Remembered) -> None:
        """Take what was known before a restart. It is used for pictures of its size, once one shows the same view.

        The quarantine holds at once, and also when the view is another: nobody knows whether those people left.
        """
        self._memory = memory

    def suspect(self, boxes: Sequence[Box]) -> None:
        """Forget and quarantine what lies in `boxes` (px): the inspection found somebody there in a picture."""
        if self._room is None:
            raise ValueError("suspect: there was no frame yet")
        where = np.zeros_like(self._room.plate.proven)
        for box in boxes:
            where[cells(self._settings.margins.widen(box, self._room.shape[0]), where.shape)] = 255
        self._room.plate.unlearn(where)
        self._room.quarantine.add(where)

    @property
    def quarantined(self) -> BoolArray:
        """Where somebody may still be who was lost from sight, (H, W) of the newest picture."""
        if self._room is None:
            return np.zeros((1, 1), np.bool_)
        return from_grid(self._room.quarantine.blocked, self._room.shape) > 0

    def approve(self, where: BoolArray) -> None:
        """Open quarantined pixels in `where` (H, W) that an operator has looked at and found free of people."""
        if self._room is None or where.shape != self._room.shape:
            raise ValueError(f"approve: a mask of shape {where.shape} does not fit the pictures seen so far")
        mask = any_to_grid(where)
        self._room.quarantine.approve(mask)
        self._room.plate.trust(mask)

    def _room_for(self, shape: tuple[int, ...]) -> _Room:
        if self._room is None or self._room.shape != shape[:2]:
            # An epoch is never used twice, so that no receiver takes a new room for an old one.
            epoch = self._room.snapshot.epoch + 1 if self._room else 1
            self._room = _Room((shape[0], shape[1]), self._settings, epoch)
            memory, self._memory = self._memory, None
            if memory is not None and memory.validity.shape == self._room.shape:
                self._room.quarantine.add(any_to_grid(memory.quarantined))
                self._room.plate.remember(Recall(memory))
        return self._room

    def _weak_boxes(self, detections: Detections, height: int) -> list[Box]:
        chosen = (detections.scores >= self._settings.weak_score) & (detections.scores < self._settings.blocking_score)
        return [
            self._settings.margins.widen((x0, y0, x1, y1), height)
            for x0, y0, x1, y1 in detections.boxes[chosen].tolist()
        ]


def _seconds(before_ns: int | None, now_ns: int) -> float:
    return 0.0 if before_ns is None else max(0, now_ns - before_ns) / NS


def _parts(mask: Mask) -> list[Box]:
    """Return the boxes, in px, of the connected parts of a grid mask."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    return [(float(x), float(y), float(x + w), float(y + h)) for x, y, w, h in (GRID * stats[1:count, :4]).tolist()]
