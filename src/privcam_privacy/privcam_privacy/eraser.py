"""The seam: the one call that takes raw frames and raw poses, and gives values that may leave the edge."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from privcam_core.detection.inspection import EgressInspector
from privcam_core.detection.person_masks import PersonMasks
from privcam_core.images.environment import environment_of
from privcam_core.types.omega import Environment, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_core.types.perception import Detections, Track
from privcam_privacy.background.engine import EngineSettings, PrivacyEngine
from privcam_privacy.background.exclusion_masks import BoolArray
from privcam_privacy.background.tile_reuse import Steady
from privcam_privacy.baselines.mask_only import PaperEngine
from privcam_privacy.egress.inspection import AtOnce, Egress, Inspect, Picture
from privcam_privacy.plates.approved import CommissionedPlate
from privcam_privacy.plates.locked import LockedEngine
from privcam_privacy.poses.accountant import Accountant
from privcam_privacy.poses.anonymizer import PoseAnonymizer, PoseSettings
from privcam_privacy.state.background_state import MemoryRejected, PlateMemory

Mode = Literal["adaptive", "locked", "paper"]

# The PNG is repeated within the edge this often, so that a node that was restarted knows Ī again soon.
REPEAT_S = 1.0


class Published(NamedTuple):
    """What leaves of one frame."""

    environment: Environment
    report: PrivacyReport
    poses: list[SubjectPose]


class EnvironmentWriter:
    """Turns pictures into environments: the PNG when it is another, its digest in between."""

    def __init__(self, repeat_s: float = REPEAT_S) -> None:
        self._repeat_s = repeat_s
        self._current: Environment | None = None
        self._written_s = 0.0

    def __call__(self, key: SyncKey, picture: Picture, *, stale: bool = False) -> Environment:
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

    seam: raw pixels come in here and nowhere after; what goes out is publishable.
    """

    def __init__(
        self,
        mode: Mode = "adaptive",
        settings: EngineSettings | None = None,
        *,
        poses: PoseSettings | None = None,
        plate: CommissionedPlate | None = None,
        memory: PlateMemory | None = None,
        executor: Executor | None = None,
        threads: int = 1,
    ) -> None:
        """Load the models.

        `memory_error` says what is wrong with the memory, "" if nothing is.

        poses: how they are anonymised. plate: the approved one, for `locked` and only there. memory: what survives
        a restart, for `adaptive`; None keeps nothing. executor: where pictures are inspected; None inspects each
        before the call returns. threads: processor cores of each model.

        Raises: ValueError for a mode that is not one, or without its plate. ModelError where a model is missing.
        """
        if mode not in get_args(Mode):
            raise ValueError(f"mode: {mode!r} is not one of {', '.join(get_args(Mode))}")
        if (mode == "locked") != (plate is not None):
            raise ValueError(f"mode: {mode} {'needs an approved plate' if mode == 'locked' else 'takes no plate'}")
        self._masks = PersonMasks(threads=threads)
        self._engine: PrivacyEngine | LockedEngine | PaperEngine
        inspect: Inspect
        if plate is not None:
            # An operator has looked at these bytes.
            self._engine, inspect = LockedEngine(plate), _nothing
        elif mode == "paper":
            self._engine, inspect = PaperEngine(), _nothing
        else:
            self._engine, inspect = PrivacyEngine(settings), EgressInspector(threads=threads)
        self._memory = memory
        self.memory_error = ""
        if memory is not None and isinstance(self._engine, PrivacyEngine):
            self._recall(self._engine, memory)
        # Where nothing is inspected there is nothing to wait for.
        beside = executor if executor and mode == "adaptive" else AtOnce()
        self._egress = Egress(inspect, beside, steady=Steady() if mode == "adaptive" else None)
        self._write = EnvironmentWriter()
        self._anonymize = PoseAnonymizer(poses)
        self._account = Accountant(poses or PoseSettings())

    def __call__(
        self,
        key: SyncKey,
        image: npt.NDArray[np.uint8],
        detections: Detections,
        tracks: Sequence[Track],
        poses: Sequence[SubjectPose],
    ) -> Published:
        """Return what may be published of one frame, (H, W, 3) uint8 BGR. poses: as they were estimated."""
        mask = self._masks.of(image, poses)
        result = self._engine.update(image, detections, tracks, mask, key.stamp_ns)
        picture, findings = self._egress(result, key.stamp_ns)
        if isinstance(self._engine, PrivacyEngine):
            if findings:
                self._engine.suspect([finding.box for finding in findings])
            self._keep(picture, self._engine.quarantined, key.stamp_ns)
        anonymous = self._anonymize(poses, (image.shape[0], image.shape[1]), key.stamp_ns)
        epsilon, delta = self._account(key.stamp_ns, released=self._anonymize.released)
        report = PrivacyReport(
            excluded_fraction=result.excluded_fraction,
            withheld_fraction=1.0 - float(picture.validity.mean()),
            quarantined_fraction=result.quarantined_fraction,
            verdict=Verdict.PASS,
            epsilon=epsilon,
            delta=delta,
        )
        return Published(self._write(key, picture, stale=self._egress.stale), report, anonymous)

    def _recall(self, engine: PrivacyEngine, memory: PlateMemory) -> None:
        try:
            known = memory.load()
        except MemoryRejected as error:
            # Without a memory everything is unknown, which shows less and not more.
            self.memory_error = str(error)
            return
        if known is not None:
            engine.remember(known)

    def _keep(self, picture: Picture, quarantined: BoolArray, stamp_ns: int) -> None:
        if self._memory is None:
            return
        try:
            self._memory.keep(picture.png, quarantined, stamp_ns)
        except OSError as error:
            self.memory_error = f"the room cannot be kept over a restart: {error}; make that folder writable"

    @property
    def facts(self) -> dict[str, str]:
        """Counts and notes for the diagnostics."""
        facts = {"pictures_inspected": str(self._egress.inspected), "findings": str(self._egress.found)}
        if isinstance(self._engine, LockedEngine):
            facts["plate"] = self._engine.note or "as approved"
        return facts


def _nothing(_png: bytes) -> list[object]:
    return []
