"""Makes synthetic Ω for measurements of the link, with the size and the timing of real ones.

Two people walk; the picture of the room changes in places every ten seconds, as when somebody has moved on.
"""

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import (
    Environment,
    HeadOrientation,
    Omega,
    PrivacyReport,
    SubjectPose,
    SyncKey,
    Verdict,
)
from privcam_edge.embedding.bottleneck_weights import blank_embedding

HEIGHT, WIDTH = 480, 640
CHANGE_EVERY = 100  # frames
PLACE = 64  # px, height and width of what changes
# A standing body, in body heights from the ground point: 17 COCO keypoints.
_BODY = np.array(
    [
        *[(0.00, -0.93), (0.02, -0.95), (-0.02, -0.95), (0.04, -0.93), (-0.04, -0.93)],
        *[(0.12, -0.82), (-0.12, -0.82), (0.16, -0.65), (-0.16, -0.65), (0.17, -0.50), (-0.17, -0.50)],
        *[(0.08, -0.52), (-0.08, -0.52), (0.09, -0.28), (-0.09, -0.28), (0.09, 0.0), (-0.09, 0.0)],
    ],
    np.float32,
)
SIGMA = 0.25  # noise on z, the default of embedder and bridge
_STEP_PX = 2.0  # poses travel on such a grid


class Scene:
    """Makes the Ω of frame after frame of one camera. The same seed makes the same room."""

    def __init__(self, camera_id: str, seed: int = 1) -> None:
        self._camera_id = camera_id
        self._random = np.random.default_rng(seed)
        coarse = self._random.integers(40, 200, (12, 16, 3), np.uint8)
        self._plate = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        self._validity = np.ones((HEIGHT, WIDTH), bool)
        self._environment: Environment | None = None
        self._epoch = 0
        self._blank = blank_embedding(SIGMA)

    def omega(self, frame_id: int, stamp_ns: int) -> Omega:
        """Return the Ω of a frame, with the picture where that changed."""
        key = SyncKey(self._camera_id, frame_id, stamp_ns)
        known = self._environment
        if known is None or frame_id % CHANGE_EVERY == 0:
            self._environment = environment = self._change(key)
        else:
            environment = known.without_png()
        poses = [self._pose(subject_id, frame_id) for subject_id in (1, 2)]
        z = self._random.normal(0.0, 3.0, 48).round().astype(np.int8).tobytes()
        embedding = replace(self._blank, data=z)
        return Omega(key, environment, poses, embedding, PrivacyReport(0.1, 0.15, 0.0, Verdict.PASS))

    def _change(self, key: SyncKey) -> Environment:
        """Return a picture in which one place shows something else, and another is not confirmed now."""
        self._epoch += 1
        self._validity[:] = True
        for plane in (self._plate, self._validity):
            y, x = (int(self._random.integers(0, size - PLACE)) for size in (HEIGHT, WIDTH))
            part: npt.NDArray[np.uint8] = self._random.integers(0, 8, (PLACE, PLACE, 3), np.uint8)
            plane[y : y + PLACE, x : x + PLACE] = False if plane is self._validity else part + 90
        return environment_of(key, encode_environment(self._plate, self._validity), self._epoch)

    def _pose(self, subject_id: int, frame_id: int) -> SubjectPose:
        size = 200.0 + 40 * subject_id
        x = 320 + (180 + 40 * subject_id) * np.sin(frame_id / (25 + 7 * subject_id))
        points = np.ones((17, 3), np.float32)
        points[:, :2] = (x, 420 + 10 * subject_id) + size * _BODY
        points[:, :2] += self._random.normal(0.0, 1.0, (17, 2))
        points[:, :2] = np.round(points[:, :2] / _STEP_PX) * _STEP_PX
        points[:, 2] = self._random.uniform(0.6, 0.9, 17).round(1)
        (x0, y0), (x1, y1) = points[:, :2].min(axis=0) - 10, points[:, :2].max(axis=0) + 10
        box = float(x0), float(y0), float(x1), float(y1)
        return SubjectPose(subject_id, box, points, HeadOrientation(0.5, 0.0, 0.0), subject_id - 1)
