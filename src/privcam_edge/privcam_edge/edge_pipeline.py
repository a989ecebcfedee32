"""Runs the whole edge as one plain object without ROS: frame in, Ω out. The nodes call the same parts."""

from collections.abc import Callable
from dataclasses import dataclass, field

from privcam_anonymization.anonymizer import PoseSettings
from privcam_core.types.arrays import Image
from privcam_core.types.omega import Omega, SyncKey
from privcam_core.types.seals import Seals
from privcam_edge.composition import Composer
from privcam_edge.embedding.encoder import BottleneckEncoder
from privcam_edge.embedding.still_encoder import StillEncoder
from privcam_edge.link.sealing import OmegaSealer, SealKeys, boot_ns
from privcam_perception.pipeline import PerceptionPipeline
from privcam_perception.stage_timer import StageTimer
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.eraser import Eraser, Mode
from privcam_privacy.plates.approved import ApprovedPlate


@dataclass
class EdgePipeline:
    """Turns frames of one camera into Ω. `timer` collects the time of each stage, one value per frame.

    Pictures are inspected before `process` returns, so that Ω is a function of the frames, of the noise in z and of the
    noise in the poses.
    """

    mode: Mode = "adaptive"
    settings: EngineSettings | None = None
    pose_settings: PoseSettings | None = None
    plate: ApprovedPlate | None = None
    fast: bool | None = None
    threads: int = 1
    look_again_per_frame: int = 1
    every_frame: bool = False
    encoder: BottleneckEncoder = field(default_factory=BottleneckEncoder)
    seal_keys: SealKeys = field(default_factory=SealKeys.random)
    seal_clock: Callable[[], int] = boot_ns
    timer: StageTimer = field(default_factory=StageTimer)

    def __post_init__(self) -> None:
        self._perception = PerceptionPipeline(
            fast=self.fast,
            threads=self.threads,
            timer=self.timer,
            look_again_per_frame=self.look_again_per_frame,
            every_frame=self.every_frame,
        )
        self._eraser = Eraser(
            self.mode, self.settings, poses=self.pose_settings, plate=self.plate, threads=self.threads
        )
        self._composer = Composer()
        self._still_encoder = StillEncoder(self.encoder)
        self._sealer = OmegaSealer(self.seal_keys, self.seal_clock)

    @property
    def seconds(self) -> dict[str, list[float]]:
        """Seconds of each stage by its name, one value per frame."""
        return self.timer.seconds

    def process(self, key: SyncKey, image: Image) -> Omega:
        """Return Ω of one frame. image: (H, W, 3) uint8 BGR. Raises ValueError for another kind of picture."""
        return self.process_sealed(key, image)[0]

    def process_sealed(self, key: SyncKey, image: Image) -> tuple[Omega, Seals]:
        """Return Ω of one frame, and its seals for a gate with `seal_keys`. Otherwise as `process`."""
        presences = self._eraser.presence_regions
        detections, tracks, poses = self._perception.perceive(image, key.stamp_ns, presences)
        with self.timer.measure("eraser"):
            environment, report, anonymous_poses, inspected = self._eraser.erase(
                key, image, detections, tracks, poses, estimated=self._perception.estimated
            )
        with self.timer.measure("composer"):
            anonymous = self._composer.compose(environment, anonymous_poses)
        with self.timer.measure("embedder"):
            embedding = self._still_encoder.encode(anonymous)
        omega = Omega(key, environment, anonymous_poses, embedding, report)
        return omega, self._sealer.seal(omega, inspected)
