"""The last place that sees a raw frame: frame and findings in, environment and privacy report out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from privcam_core.images import encode_environment
from privcam_core.omega import Environment, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_core.perception import Detections, Track
from privcam_core.skeleton import KEYPOINT_COUNT
from privcam_edge.perception.masks import PersonMasks
from privcam_edge.privacy.engine import EngineResult, EngineSettings, Mode, PrivacyEngine

# The PNG is repeated within the edge this often, so that a node that was restarted knows Ī again soon.
REPEAT_S = 2.0


class EnvironmentWriter:
    """Turns the engine's results into environments: a PNG when the picture changed, its digest in between."""

    def __init__(self, repeat_s: float = REPEAT_S) -> None:
        self._repeat_s = repeat_s
        self._current: Environment | None = None
        self._written_s = 0.0

    def __call__(self, key: SyncKey, result: EngineResult) -> Environment:
        """Return the environment to publish for the frame κ = `key`."""
        current = self._current
        if current is None or current.epoch != result.epoch:
            png = encode_environment(result.environment_plate, result.validity)
            height, width = result.validity.shape
            share = float(np.float32(result.validity.mean()))
            current = Environment.of(key, png, height, width, share, result.epoch)
            repeat = True
        else:
            repeat = abs(key.seconds - self._written_s) >= self._repeat_s
            current = replace(current, key=key)
        self._current = current
        if not repeat:
            return current.without_png()
        self._written_s = key.seconds
        return current


class Eraser:
    """Masks, privacy engine and environment of one camera.

    seam: raw pixels come in here and nowhere after; what goes out is publishable.
    """

    def __init__(self, mode: Mode = "adaptive", settings: EngineSettings | None = None, *, threads: int = 1) -> None:
        self._masks = PersonMasks(threads=threads)
        self._engine = PrivacyEngine(mode, settings)
        self._write = EnvironmentWriter()

    def __call__(
        self,
        key: SyncKey,
        image: npt.NDArray[np.uint8],
        detections: Detections,
        tracks: Sequence[Track],
        poses: Sequence[SubjectPose],
    ) -> tuple[Environment, PrivacyReport]:
        """Return what may be published of one frame, (H, W, 3) uint8 BGR."""
        boxes = np.array([pose.box for pose in poses], np.float32).reshape(-1, 4)
        keypoints = np.array([pose.keypoints for pose in poses], np.float32).reshape(-1, KEYPOINT_COUNT, 3)
        mask = self._masks(image, boxes, keypoints)
        result = self._engine.update(image, detections, tracks, mask, key.stamp_ns)
        report = PrivacyReport(
            person_area=result.person_area,
            withheld_area=result.withheld_area,
            quarantined_area=result.quarantined_area,
            verdict=Verdict.PASS,
        )
        return self._write(key, result), report
