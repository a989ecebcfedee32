"""The privacy engine: computes, from raw frames, a picture of the room without people.

The engine has two halves, and one record between them. `compute_exclusion` may read every pixel, and returns only where
a person may be. `absorb` learns from the rest of the frame, and returns what may be published. A recorded sequence of
`ExclusionMasks` can be replayed into `absorb` with any pixels inside the masks: not one byte of the result changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from privcam_core.images.png import require_bgr8, require_mask
from privcam_core.types.arrays import BoolArray, Box, Float32Array, Float64Array, Image, Mask
from privcam_core.types.perception import Detections, PresenceRegion, Track
from privcam_core.types.sight import Sight
from privcam_core.types.time import seconds_from_ns
from privcam_privacy.background.clean_plate import CleanPlate
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.background.exclusion_masks import ExclusionMasks
from privcam_privacy.background.grid import (
    any_to_grid,
    complement,
    component_boxes,
    fill_boxes,
    fraction,
    from_grid,
    grid_shape,
    scale_mask,
    subtract,
    union,
)
from privcam_privacy.background.motion import MotionDetector
from privcam_privacy.background.person_regions import PersonRegions
from privcam_privacy.background.snapshot import Snapshot
from privcam_privacy.evidence.approved_background import ApprovedBackground, ApprovedState
from privcam_privacy.evidence.explained_boxes import FrameBoxes, take_out_furniture
from privcam_privacy.evidence.stillness import StillnessMonitor
from privcam_privacy.evidence.zones import zone_cells
from privcam_privacy.plates.view_check import ViewCheck
from privcam_privacy.presence.presence_tracker import PresenceTracker
from privcam_privacy.presence.regions import presence_regions
from privcam_privacy.sight.sight_monitor import SightMonitor
from privcam_privacy.state.restoration import BackgroundState, Restoration

# A camera that switches between streams returns to one of its last sizes: so many others keep their state.
_MAX_OTHER_SIZES = 2
# In a smaller picture nobody can be told from anything, and a few of them would take the places of those sizes.
_MIN_SIDE_PX = 32


@dataclass(frozen=True, eq=False)
class EngineResult:
    """What may be published of one frame.

    environment_plate: (H, W, 3) uint8, FILL where not confirmed. confirmed: (H, W) bool. changed: the picture is
    another one than the last. epoch: counts the changes, from 1. The fractions are of the picture: where people may be,
    what is withheld, and what is quarantined. sight: whether the camera can be relied on.
    """

    environment_plate: Image
    confirmed: BoolArray
    changed: bool
    epoch: int
    excluded_fraction: float
    withheld_fraction: float
    quarantined_fraction: float
    sight: Sight = Sight.UNKNOWN


class _Scene:
    """All state that belongs to pictures of one size."""

    def __init__(
        self, shape: tuple[int, int], settings: EngineSettings, states: Sequence[ApprovedState], epoch: int
    ) -> None:
        self.shape = shape
        self.masked = zone_cells(settings.mask_zones, shape)
        is_approved, is_stillness = settings.evidence == "commissioned", settings.evidence == "stillness"
        self.approved = ApprovedBackground(shape, states) if is_approved else None
        stillness = StillnessMonitor(grid_shape(shape)) if is_stillness else None
        self.plate = CleanPlate(shape, settings.plate_times, approved=self.approved, stillness=stillness)
        self.persons = PersonRegions(
            shape,
            blocking_threshold=settings.blocking_threshold,
            hold_s=settings.person_hold_s,
            margins=settings.margins,
        )
        self.motion = MotionDetector(shape, hold_s=settings.motion_hold_s)
        self.sight = SightMonitor()
        self.presences = PresenceTracker(shape, settings.margins, settings.door_zones)
        self.snapshot = Snapshot(shape, step_s=settings.step_s, epoch=epoch)
        self.seen_ns: int | None = None
        self.absorbed_ns: int | None = None


class PrivacyEngine:
    """Computes the environment of mode `adaptive` from frames, and from the people that were found in them."""

    def __init__(self, settings: EngineSettings | None = None, approved: Sequence[ApprovedState] = ()) -> None:
        """approved: the approved states of the room, for evidence `commissioned`. Without one nothing is shown."""
        self._settings = settings or EngineSettings()
        self._approved = approved
        self._scene: _Scene | None = None
        self._other_scenes: list[_Scene] = []
        self._state: BackgroundState | None = None
        self._suspects_everywhere = False

    def update(
        self, image: Image, detections: Detections, tracks: Sequence[Track], person_mask: BoolArray, stamp_ns: int
    ) -> EngineResult:
        """Process one frame and return what may be published of it.

        image: (H, W, 3) uint8. detections: down to low_confidence_threshold or lower. tracks: of every state, also
        lost. person_mask: (H, W) bool. stamp_ns: capture time; a stamp that is not later than the last adds no
        evidence. Every size of picture has a state of its own; that of a new size is unknown. Raises ValueError on
        wrong shapes.
        """
        require_bgr8(image)
        require_mask(person_mask, image, "person_mask")
        exclusion = self.compute_exclusion(image, detections, tracks, person_mask, stamp_ns)
        return self.absorb(image, exclusion, tracks, stamp_ns)

    def compute_exclusion(
        self, image: Image, detections: Detections, tracks: Sequence[Track], person_mask: BoolArray, stamp_ns: int
    ) -> ExclusionMasks:
        """Return where a person may be, and how well the camera sees. Arguments as for `update`."""
        scene, settings = self._scene_for(image.shape), self._settings
        dt = _elapsed_s(scene.seen_ns, stamp_ns)
        # Time that goes back adds no evidence, and neither does the same time a second time.
        scene.seen_ns = max(stamp_ns, scene.seen_ns or stamp_ns)
        boxes = FrameBoxes(detections, tracks, person_mask, np.zeros((0, 4), np.float32), frozenset())
        if scene.approved is not None:
            boxes = take_out_furniture(image, boxes, scene.approved, settings.margins, settings.blocking_threshold)
        persons, tracked = scene.persons.update(boxes.detections, boxes.tracks, boxes.person_mask, dt)
        low_confidence_boxes = self._low_confidence_boxes(detections, boxes.furniture, scene.shape[0])
        plate = scene.plate
        suspects = [*low_confidence_boxes.tolist(), *component_boxes(plate.changed)]
        # What moves on a screen in a mask zone is no presence, and no change of the scene.
        unread = union(persons, scene.masked)
        motion = scene.motion.update(image, plate.small, plate.known, unread, suspects, dt)
        low_confidence = np.zeros_like(persons)
        fill_boxes(low_confidence, low_confidence_boxes)
        mask = union(unread, motion.moving)
        sight = scene.sight.update(image, stamp_ns)
        camera_moved = self._has_camera_moved(scene, image, persons)
        other_state = scene.approved is not None and scene.approved.is_outdone(
            image, complement(unread), motion.differing, dt
        )
        return ExclusionMasks(
            mask,
            persons,
            tracked,
            motion.differing,
            motion.changed,
            low_confidence,
            motion.moved,
            sight,
            camera_moved,
            other_state,
            boxes.subjects,
        )

    def absorb(self, image: Image, exclusion: ExclusionMasks, tracks: Sequence[Track], stamp_ns: int) -> EngineResult:
        """Learn from one frame outside of `exclusion.mask` and return the environment Ī of Eq. 3.

        Where the camera cannot see well enough, no cell becomes confirmed, and no presence ends.
        Ī is the background estimate where it is confirmed, and FILL elsewhere. Ī does not depend on the pixels of this
        frame inside `exclusion.mask`, nor on those of any earlier frame inside its mask.
        """
        scene = self._scene_for(image.shape)
        dt = _elapsed_s(scene.absorbed_ns, stamp_ns)
        scene.absorbed_ns = max(stamp_ns, scene.absorbed_ns or stamp_ns)
        plate, presences = scene.plate, scene.presences
        presences.update(exclusion, [track for track in tracks if track.subject_id not in exclusion.furniture], dt)
        may_confirm = exclusion.sight in self._settings.sights
        reach = presences.reach if self._waits(scene) else np.zeros_like(exclusion.mask)
        kept = plate.absorb(
            image, exclusion, presences.blocked, dt, withheld=presences.withheld, reach=reach, may_confirm=may_confirm
        )
        if may_confirm:
            presences.release(kept, exclusion, plate, dt)
        self._withhold_contradictions(scene, exclusion)
        withheld = union(presences.withheld, scene.masked)
        publishable = from_grid(subtract(plate.confirmed, withheld), scene.shape)
        changed = scene.snapshot.update(plate.picture, publishable, stamp_ns)
        return EngineResult(
            environment_plate=scene.snapshot.picture.copy(),
            confirmed=scene.snapshot.confirmed.astype(bool),
            changed=changed,
            epoch=scene.snapshot.epoch,
            excluded_fraction=fraction(exclusion.persons),
            withheld_fraction=1.0 - fraction(scene.snapshot.confirmed),
            quarantined_fraction=fraction(presences.blocked),
            sight=exclusion.sight,
        )

    def restore(self, state: BackgroundState) -> None:
        """Take the background state from before a restart. It is used for pictures of its size.

        The background counts for evidence `transit` only: `commissioned` has its approved picture, and `stillness`
        cannot know what happened in between. It is published once a frame shows the same view. The presences hold at
        once, also when the view is another one: nobody knows whether those people left.
        """
        self._state = state

    def suspect_everywhere(self) -> None:
        """Assume people everywhere, before the first frame: there were some, and where they were is lost."""
        self._suspects_everywhere = True

    def quarantine_boxes(self, boxes: Sequence[Box]) -> None:
        """Forget and quarantine the regions in `boxes` (px): the inspection found a person there in a picture."""
        if self._scene is None:
            raise ValueError("quarantine_boxes: there was no frame yet")
        where = np.zeros_like(self._scene.plate.confirmed)
        fill_boxes(where, self._settings.margins.widen_all(boxes, self._scene.shape[0]))
        plate, presences = self._scene.plate, self._scene.presences
        plate.distrust(where)
        reach = presences.add(where, boxes)
        if self._waits(self._scene):
            plate.unlearn(reach)

    @property
    def evidence_note(self) -> str:
        """What confirms background now, for the diagnostics."""
        kind = self._settings.evidence
        if kind != "commissioned":
            return kind
        if not self._approved:
            return "commissioned: no approved plate, so nothing of the room is shown"
        name = self._scene.approved.name if self._scene and self._scene.approved else ""
        return f"commissioned: {name or 'the camera sees none of the approved states'}"

    @property
    def presences(self) -> BoolArray:
        """Where a person may be, seen or not, (H, W) of the newest picture."""
        if self._scene is None:
            return np.zeros((1, 1), np.bool_)
        return from_grid(self._scene.presences.blocked, self._scene.shape) > 0

    @property
    def unseen_people(self) -> int:
        """How many people were followed, were not seen to leave, and are not found now."""
        return sum(one.is_unseen_person for one in self._scene.presences.presences) if self._scene else 0

    @property
    def presence_regions(self) -> list[PresenceRegion]:
        """Where the presences are, in px of the newest picture."""
        return presence_regions(self._scene.presences.presences) if self._scene else []

    def _scene_for(self, shape: tuple[int, ...]) -> _Scene:
        """Return the state for pictures of `shape`. Each of the last few sizes keeps its own."""
        if min(shape[:2]) < _MIN_SIDE_PX:
            raise ValueError(
                f"image: {shape[1]}x{shape[0]} px, but each side needs {_MIN_SIDE_PX} px or more; set another size of "
                "picture at the camera"
            )
        if self._scene is None or self._scene.shape != shape[:2]:
            # An epoch is never used twice, so that no receiver takes a new scene for an old one.
            epoch = self._scene.snapshot.epoch + 1 if self._scene else 1
            before = self._scene
            self._scene = next((scene for scene in self._other_scenes if scene.shape == shape[:2]), None)
            others = [scene for scene in (before, *self._other_scenes) if scene and scene is not self._scene]
            self._other_scenes = others[:_MAX_OTHER_SIZES]
            if self._scene is None:
                self._scene = self._start_scene((shape[0], shape[1]), epoch)
            else:
                self._scene.snapshot.restart(epoch)
            if before is not None:
                # The people of before are still there, wherever a picture of this size has them.
                self._scene.presences.add(scale_mask(before.presences.blocked, self._scene.presences.blocked.shape))
        return self._scene

    def _start_scene(self, shape: tuple[int, int], epoch: int) -> _Scene:
        scene = _Scene(shape, self._settings, self._approved, epoch)
        if self._state is not None:
            grid = scene.presences.blocked.shape
            same_size = self._state.confirmed.shape == shape
            stored = any_to_grid(self._state.presences)
            scene.presences.add(stored if same_size else scale_mask(stored, grid))
            if same_size:
                if self._settings.evidence == "transit":
                    scene.plate.restore(Restoration(self._state))
                self._state = None
        if self._suspects_everywhere:
            # Once: a later size of the picture takes over the presences of the one before.
            self._suspects_everywhere = False
            scene.presences.add(np.full_like(scene.presences.blocked, 255))
        return scene

    def _has_camera_moved(self, scene: _Scene, image: Image, persons: Mask) -> bool:
        """Return whether the whole scene became another one and the view is not the same any more.

        It is decided here and recorded, since it reads pixels inside of the masks: `absorb` must not.
        """
        before, scene.plate.before_change = scene.plate.before_change, None
        return before is not None and not ViewCheck(*before).check(image, from_grid(persons, scene.shape) > 0)

    def _withhold_contradictions(self, scene: _Scene, exclusion: ExclusionMasks) -> None:
        """Add presences where the frame contradicts what was known before a restart, or before the camera was moved."""
        contradicting, scene.plate.contradicting = scene.plate.contradicting, None
        if contradicting is not None:
            # All of a body contradicts, so nothing of it reaches further.
            scene.presences.add(contradicting, ())
        if exclusion.camera_moved and scene.presences.unattended:
            # Nobody knows where in the picture the people are now.
            scene.presences.add(np.full_like(scene.presences.blocked, 255))

    def _waits(self, scene: _Scene) -> bool:
        """Return whether to wait is evidence: neither is the room approved, nor does an operator look at it after."""
        return scene.approved is None and not self._settings.reviewed

    def _low_confidence_boxes(self, detections: Detections, furniture: Float32Array, height: int) -> Float64Array:
        low, high = self._settings.low_confidence_threshold, self._settings.blocking_threshold
        chosen = (detections.scores >= low) & (detections.scores < high)
        return self._settings.margins.widen_all(np.concatenate([detections.boxes[chosen], furniture]), height)


def _elapsed_s(before_ns: int | None, now_ns: int) -> float:
    return 0.0 if before_ns is None else seconds_from_ns(max(0, now_ns - before_ns))
