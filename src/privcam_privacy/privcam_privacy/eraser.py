"""The seam: the one call that gets raw frames and raw poses, and returns only values that may leave the edge."""

from collections.abc import Collection, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

from privcam_anonymization.accountant import Accountant
from privcam_anonymization.anonymizer import PoseAnonymizer, PoseSettings
from privcam_anonymization.random_source import SYSTEM, RandomBytes
from privcam_core.detection.inspection import EgressInspector
from privcam_core.detection.person_masks import PersonMasks, outline_poses
from privcam_core.images.environment_writer import EnvironmentWriter
from privcam_core.images.still_scene import StillScene
from privcam_core.inline_executor import InlineExecutor
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.omega import MAX_UNSEEN_PEOPLE, Environment, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_core.types.perception import Detections, PresenceRegion, Track, TrackState
from privcam_privacy.background.engine import EngineResult, PrivacyEngine
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.baselines.mask_only import MaskOnlyEngine
from privcam_privacy.egress.approved_content import ApprovedContent
from privcam_privacy.egress.inspection import Egress, Inspector, NoInspection, Picture
from privcam_privacy.egress.inspection_rest import InspectionRest
from privcam_privacy.egress.tile_reuse import TileReuse
from privcam_privacy.evidence.approved_background import ApprovedState
from privcam_privacy.perception_rates import PerceptionRates, Rates
from privcam_privacy.plates.approved import ApprovedPlate
from privcam_privacy.plates.locked import LockedEngine
from privcam_privacy.state.background_state import BackgroundStateStore, StateRejected

Mode = Literal["adaptive", "locked", "mask_only"]


class Published(NamedTuple):
    """What leaves of one frame. inspected: SHA-256 of the PNG of the picture, as the inspection passed it."""

    environment: Environment
    report: PrivacyReport
    poses: list[SubjectPose]
    inspected: bytes


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
        inspector: Inspector | None = None,
        threads: int = 1,
        random_bytes: RandomBytes = SYSTEM,
    ) -> None:
        """Load the models.

        poses: how poses are anonymised. plate: the approved plate, for `locked` and only there.
        approved: the approved states of the room, for `adaptive` with evidence `commissioned`. state: the store of
        the background over a restart, for `adaptive`; None stores nothing. executor: where pictures are inspected;
        None inspects each picture before `erase` returns. inspector: of these pictures; None loads one. threads:
        processor cores of each model. random_bytes: of the noise on poses.

        Raises: ValueError for an unknown mode, or a mode without its plate. ModelError where a model is missing.
        """
        if mode not in get_args(Mode):
            raise ValueError(f"mode: {mode!r} is not one of {', '.join(get_args(Mode))}")
        if (mode == "locked") != (plate is not None):
            raise ValueError(f"mode: {mode} {'needs an approved plate' if mode == 'locked' else 'takes no plate'}")
        # The adaptive engine excludes whole boxes, with more margin than a segment has: a network changes nothing.
        self._masks = None if mode == "adaptive" else PersonMasks(threads=threads)
        self._engine: PrivacyEngine | LockedEngine | MaskOnlyEngine
        inspects: Inspector = NoInspection()
        if plate is not None:
            self._engine = LockedEngine(plate)
        elif mode == "mask_only":
            self._engine = MaskOnlyEngine()
        else:
            self._engine, inspects = PrivacyEngine(settings, approved), inspector or EgressInspector(threads=threads)
        self._state = state
        self.state_error = ""
        if state is not None and isinstance(self._engine, PrivacyEngine):
            self._restore_state(self._engine, state)
        # Without an inspection there is nothing to wait for.
        inspection_executor = executor if executor and mode == "adaptive" else InlineExecutor()
        tile_reuse = TileReuse() if mode == "adaptive" else None
        self._egress = Egress(
            inspects,
            inspection_executor,
            tile_reuse=tile_reuse,
            approved=ApprovedContent(approved),
            rest=None if isinstance(inspection_executor, InlineExecutor) else InspectionRest(),
        )
        self._still = StillScene()
        self._rates = PerceptionRates()
        self._result: EngineResult | None = None
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
        *,
        estimated: Collection[int] | None = None,
        replay: bool = False,
    ) -> Published:
        """Return what may be published of one frame, (H, W, 3) uint8 BGR.

        poses: as estimated, of whom only those of `estimated` were in this frame; None: all. replay: see the report.
        """
        shape = image.shape[0], image.shape[1]
        mask = outline_poses(shape, poses) if self._masks is None else self._masks.segment_poses(image, poses)
        result = self._update_engine(image, detections, tracks, mask, key.stamp_ns)
        picture, certain = self._egress.update(result, key.stamp_ns)
        if isinstance(self._engine, PrivacyEngine):
            if certain:
                self._engine.quarantine_boxes([detection.box for detection in certain])
                self._result = None  # of before the finding
            self._save_state(picture, self._engine.presences, key.stamp_ns)
        anonymous = self._anonymizer.anonymize(poses, shape, key.stamp_ns)
        epsilon, delta = self._accountant.spend(key.stamp_ns, released=self._anonymizer.released)
        rates = self._update_rates(key.stamp_ns, detections, tracks, poses, estimated)
        report = PrivacyReport(
            excluded_fraction=result.excluded_fraction,
            withheld_fraction=1.0 - float(picture.confirmed.mean()),
            quarantined_fraction=result.quarantined_fraction,
            verdict=Verdict.PASS,
            epsilon=epsilon,
            delta=delta,
            sight=result.sight,
            replay=replay,
            detector_hz=rates.detector_hz,
            pose_hz=rates.pose_hz,
            unseen_people=self._unseen_people,
        )
        planes, stale = (picture.plate, picture.confirmed), self._egress.stale
        environment = self._writer.write(key, picture.png, picture.epoch, planes=planes, stale=stale)
        return Published(environment, report, anonymous, picture.inspected)

    def _update_rates(
        self,
        stamp_ns: int,
        detections: Detections,
        tracks: Sequence[Track],
        poses: Sequence[SubjectPose],
        estimated: Collection[int] | None,
    ) -> Rates:
        with_pose = {pose.subject_id for pose in poses}
        # Somebody whose pose never had its turn is in view all the same.
        confirmed = {track.subject_id for track in tracks if track.state == TrackState.CONFIRMED}
        return self._rates.update(
            stamp_ns,
            fresh=detections.fresh,
            subjects=with_pose | confirmed,
            estimated=with_pose if estimated is None else estimated,
        )

    def _update_engine(
        self, image: Image, detections: Detections, tracks: Sequence[Track], mask: BoolArray, stamp_ns: int
    ) -> EngineResult:
        """Return what the engine makes of a frame, or what it made of the last one: of a still scene it takes a few."""
        last = self._result
        may_repeat = last is not None and last.confirmed.shape == image.shape[:2] and not detections.fresh
        if last is None or not may_repeat or not isinstance(self._engine, PrivacyEngine):
            self._still.note(image, stamp_ns)
        elif self._still.may_skip(image, stamp_ns):
            return replace(last, changed=False)
        self._result = self._engine.update(image, detections, tracks, mask, stamp_ns)
        return self._result

    def _restore_state(self, engine: PrivacyEngine, store: BackgroundStateStore) -> None:
        try:
            state = store.load()
        except StateRejected as error:
            engine.suspect_everywhere()
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
    def _unseen_people(self) -> int:
        found = self._engine.unseen_people if isinstance(self._engine, PrivacyEngine) else 0
        return min(found, MAX_UNSEEN_PEOPLE)

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
