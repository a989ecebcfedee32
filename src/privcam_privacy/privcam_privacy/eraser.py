"""The seam: the one call that gets raw frames and raw poses, and returns only values that may leave the edge."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

from privcam_core.detection.inspection import EgressInspector
from privcam_core.detection.person_masks import PersonMasks, outline_poses
from privcam_core.images.environment import environment_of
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.omega import Environment, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_core.types.perception import Detections, PresenceRegion, Track
from privcam_privacy.background.engine import PrivacyEngine
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.baselines.mask_only import MaskOnlyEngine
from privcam_privacy.egress.inline_executor import InlineExecutor
from privcam_privacy.egress.inspection import Egress, Inspector, NoInspection, Picture
from privcam_privacy.egress.tile_reuse import TileReuse
from privcam_privacy.evidence.approved_background import ApprovedState
from privcam_privacy.plates.approved import ApprovedPlate
from privcam_privacy.plates.locked import LockedEngine
from privcam_privacy.poses.accountant import Accountant
from privcam_privacy.poses.anonymizer import PoseAnonymizer, PoseSettings
from privcam_privacy.poses.random_source import SYSTEM, RandomBytes
from privcam_privacy.state.background_state import BackgroundStateStore, StateRejected

Mode = Literal["adaptive", "locked", "mask_only"]

# The PNG is repeated within the edge this often, so that a node that was restarted has Ī again soon.
REPEAT_S = 1.0


class Published(NamedTuple):
    """What leaves of one frame. inspected: SHA-256 of the PNG of the picture, as the inspection passed it."""

    environment: Environment
    report: PrivacyReport
    poses: list[SubjectPose]
    inspected: bytes


class EnvironmentWriter:
    """Converts pictures to environments: with the PNG when the picture is new, only with its digest in between."""

    def __init__(self, repeat_s: float = REPEAT_S) -> None:
        self._repeat_s = repeat_s
        self._current: Environment | None = None
        self._written_s = 0.0

    def write(self, key: SyncKey, picture: Picture, *, stale: bool = False) -> Environment:
        """Return the environment to publish for the frame κ = `key`. stale: do not repeat the bytes."""
        current = self._current
        if current is None or current.epoch != picture.epoch:
            current = environment_of(key, picture.png, picture.epoch)
            repeat = True
        else:
            repeat = not stale and abs(key.seconds - self._written_s) >= self._repeat_s
            current = replace(current, key=key)
        self._current = current
        if not repeat:
            return current.without_png()
        self._written_s = key.seconds
        return current


class Eraser:
    """Masks, privacy engine, inspection and pose anonymisation of one camera.

    Privacy: raw pixels come in here and nowhere after; everything that this class returns may be published.
    `state_error` describes a problem of the stored state; "" without one.
    """

    def __init__(
        self,
        mode: Mode = "adaptive",
        settings: EngineSettings | None = None,
        *,
        poses: PoseSettings | None = None,
        plate: ApprovedPlate | None = None,
        approved: Sequence[ApprovedState] = (),
        state: BackgroundStateStore | None = None,
        executor: Executor | None = None,
        threads: int = 1,
        random_bytes: RandomBytes = SYSTEM,
    ) -> None:
        """Load the models.

        poses: how poses are anonymised. plate: the approved plate, for `locked` and only there.
        approved: the approved states of the room, for `adaptive` with evidence `commissioned`. state: the store of
        the background over a restart, for `adaptive`; None stores nothing. executor: where pictures are inspected;
        None inspects each picture before `erase` returns. threads: processor cores of each model. random_bytes: of the
        noise on poses.

        Raises: ValueError for an unknown mode, or a mode without its plate. ModelError where a model is missing.
        """
        if mode not in get_args(Mode):
            raise ValueError(f"mode: {mode!r} is not one of {', '.join(get_args(Mode))}")
        if (mode == "locked") != (plate is not None):
            raise ValueError(f"mode: {mode} {'needs an approved plate' if mode == 'locked' else 'takes no plate'}")
        # The adaptive engine excludes whole boxes, with more margin than a segment has: a network changes nothing.
        self._masks = None if mode == "adaptive" else PersonMasks(threads=threads)
        self._engine: PrivacyEngine | LockedEngine | MaskOnlyEngine
        inspector: Inspector = NoInspection()
        if plate is not None:
            self._engine = LockedEngine(plate)
        elif mode == "mask_only":
            self._engine = MaskOnlyEngine()
        else:
            self._engine, inspector = PrivacyEngine(settings, approved), EgressInspector(threads=threads)
        self._state = state
        self.state_error = ""
        if state is not None and isinstance(self._engine, PrivacyEngine):
            self._restore_state(self._engine, state)
        # Without an inspection there is nothing to wait for.
        inspection_executor = executor if executor and mode == "adaptive" else InlineExecutor()
        tile_reuse = TileReuse() if mode == "adaptive" else None
        self._egress = Egress(inspector, inspection_executor, tile_reuse=tile_reuse)
        self._writer = EnvironmentWriter()
        self._anonymizer = PoseAnonymizer(poses, random_bytes)
        self._accountant = Accountant(poses or PoseSettings())

    def erase(
        self,
        key: SyncKey,
        image: Image,
        detections: Detections,
        tracks: Sequence[Track],
        poses: Sequence[SubjectPose],
    ) -> Published:
        """Return what may be published of one frame, (H, W, 3) uint8 BGR. poses: as estimated."""
        shape = image.shape[0], image.shape[1]
        mask = outline_poses(shape, poses) if self._masks is None else self._masks.segment_poses(image, poses)
        result = self._engine.update(image, detections, tracks, mask, key.stamp_ns)
        picture, certain = self._egress.update(result, key.stamp_ns)
        if isinstance(self._engine, PrivacyEngine):
            if certain:
                self._engine.quarantine_boxes([detection.box for detection in certain])
            self._save_state(picture, self._engine.presences, key.stamp_ns)
        anonymous = self._anonymizer.anonymize(poses, shape, key.stamp_ns)
        epsilon, delta = self._accountant.spend(key.stamp_ns, released=self._anonymizer.released)
        report = PrivacyReport(
            excluded_fraction=result.excluded_fraction,
            withheld_fraction=1.0 - float(picture.confirmed.mean()),
            quarantined_fraction=result.quarantined_fraction,
            verdict=Verdict.PASS,
            epsilon=epsilon,
            delta=delta,
            sight=result.sight,
        )
        environment = self._writer.write(key, picture, stale=self._egress.stale)
        return Published(environment, report, anonymous, picture.inspected)

    def _restore_state(self, engine: PrivacyEngine, store: BackgroundStateStore) -> None:
        try:
            state = store.load()
        except StateRejected as error:
            # Without a state everything is unknown, so less is published, not more.
            self.state_error = str(error)
            return
        if state is not None:
            engine.restore(state)

    def _save_state(self, picture: Picture, presences: BoolArray, stamp_ns: int) -> None:
        if self._state is None:
            return
        try:
            self._state.save(picture.png, presences, stamp_ns)
        except OSError as error:
            self.state_error = f"the background cannot be kept over a restart: {error}; make that folder writable"

    @property
    def presence_regions(self) -> list[PresenceRegion]:
        """Where presences are after the newest frame, for the detector alone. Only `adaptive` has presences."""
        return self._engine.presence_regions if isinstance(self._engine, PrivacyEngine) else []

    @property
    def diagnostics(self) -> dict[str, str]:
        """Counts and notes for the diagnostics."""
        values = {"pictures_inspected": str(self._egress.inspected), "findings": str(self._egress.found)}
        if isinstance(self._engine, LockedEngine):
            values["plate"] = self._engine.note or "as approved"
        if isinstance(self._engine, PrivacyEngine):
            values["evidence"] = self._engine.evidence_note
        return values
