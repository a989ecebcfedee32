"""The whole edge as one plain object, without ROS: frame in, Ω out. The nodes call the same parts."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privcam_core.detection.person_detector import Detector
from privcam_core.types.omega import Omega, SyncKey
from privcam_edge.composition import Composer
from privcam_edge.embedding.encoder import BottleneckEncoder
from privcam_edge.perception.subject_poser import SubjectPoser
from privcam_edge.tracking.person_tracker import Follower
from privcam_privacy.background.engine import EngineSettings
from privcam_privacy.eraser import Eraser, Mode
from privcam_privacy.plates.approved import CommissionedPlate
from privcam_privacy.poses.anonymizer import PoseSettings


@dataclass
class EdgePipeline:
    """Frame in, Ω out. `seconds` collects the time of each stage, one value a frame.

    Pictures are inspected before the call returns, so that Ω is a function of the frames, of the noise in z and of that
    in the poses.
    """

    mode: Mode = "adaptive"
    settings: EngineSettings | None = None
    pose_settings: PoseSettings | None = None
    plate: CommissionedPlate | None = None
    fast: bool | None = None
    threads: int = 1
    encoder: BottleneckEncoder = field(default_factory=BottleneckEncoder)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.detect = Detector(threads=self.threads)
        self.follow = Follower()
        self.pose = SubjectPoser(fast=self.fast, threads=self.threads)
        self.erase = Eraser(self.mode, self.settings, poses=self.pose_settings, plate=self.plate, threads=self.threads)
        self.compose = Composer()

    def __call__(self, key: SyncKey, image: npt.NDArray[np.uint8]) -> Omega:
        """Return Ω of one frame, (H, W, 3) uint8 BGR."""
        with self._timed("detector"):
            detections = self.detect(image)
        with self._timed("tracker"):
            tracks = self.follow(image, detections, key.stamp_ns)
        with self._timed("pose"):
            poses = self.pose(image, tracks, key.stamp_ns)
        with self._timed("eraser"):
            environment, report, anonymous_poses = self.erase(key, image, detections, tracks, poses)
        with self._timed("composer"):
            anonymous = self.compose(environment, anonymous_poses)
        with self._timed("embedder"):
            embedding = self.encoder(anonymous)
        return Omega(key, environment, anonymous_poses, embedding, report)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds.setdefault(stage, []).append(time.perf_counter() - started)
