"""Pose anonymisation: what a body does, shown by one standard body, a few times a second, in coarse steps.

Bone lengths, build, small habits of posture and the fine rhythm of movements identify a person. So the build is
replaced by that of one body, and movement is published as key postures: once in `period_s` the pose is measured,
clipped, noised and snapped to coarse steps with hysteresis; between two key postures the shown body moves evenly from
one to the next.

What is claimed: every coordinate published of a pose is computed from the noised numbers (`pose_values`) of the key
postures so far, by rules that do not look at the pose again. So looking at more frames than there are key postures
tells nothing more, and the accountant's budget covers all of them. Averaging over many key postures of somebody who
does not move does average the noise away, down to the steps and their hysteresis; the budget grows accordingly. What
is not noised is the structure: which keypoints are seen and how surely, whether a head orientation is known, subject
numbers, layers, and when somebody is there.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import asin, atan2, isfinite
from typing import Literal

import numpy as np
import numpy.typing as npt

from privcam_core.drawing.stature import stature_of
from privcam_core.types.arrays import Box
from privcam_core.types.omega import MAX_COORDINATE, HeadOrientation, SubjectPose
from privcam_core.types.skeleton import KEYPOINT_COUNT, SEEN, Joint
from privcam_privacy.poses.noise import Noise, directions_of, measure
from privcam_privacy.poses.quantizer import Steps, StepSettings
from privcam_privacy.poses.standard_body import FULL, TRUNK, Posture, stand

PoseMode = Literal["canonical", "raw"]
FloatArray = npt.NDArray[np.float64]

_NS = 1e9
# Stature is a high percentile over this time: foreshortening only ever makes a body look too small.
_STATURE_S, _STATURE_PERCENTILE = 3.0, 75.0
# A build is the longest that was seen, between these shares of the standard body; it fades a little with each key
# posture, so that one wild keypoint is forgotten.
_BUILD_RANGE, _BUILD_FADES = (0.6, 1.5), 0.998
# A subject that is not seen for so long begins anew.
_FORGET_S = 2.0
# Confidences shown: from SEEN on, and from the second number on.
_CONFIDENCES = ((SEEN, 0.35), (0.5, 0.8))
# A body that is seen at both ends has its box from its keypoints.
_UPPER_END = (Joint.NOSE, Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
_LOWER_END = (Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE)
# From the outermost keypoints to the edge of the body, as a share of the stature.
_BOX_MARGIN = 0.07
# A body this much of its own height or more is left as it is.
_NOT_SQUASHED = 0.8


@dataclass(frozen=True)
class PoseSettings:
    """Settings of pose anonymisation.

    mode: canonical or raw (poses leave as they are). period_s: from one key posture to the next. noise, steps: see
    there. seed: of the noise, None takes it from the operating system; a fixed one is for tests only, since who knows
    it can take the noise away.
    """

    mode: PoseMode = "canonical"
    period_s: float = 0.15
    noise: Noise = field(default_factory=Noise)
    steps: StepSettings = field(default_factory=StepSettings)
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("canonical", "raw"):
            raise ValueError(f"pose mode {self.mode!r} is neither 'canonical' nor 'raw'")
        if not (isfinite(self.period_s) and 0 < self.period_s <= 5):
            raise ValueError(f"period_s: {self.period_s} is not in (0, 5] s")


class _Build:
    """How long the bones of a subject are when nothing foreshortens them; only ever used to take the build away."""

    def __init__(self) -> None:
        self._longest = FULL * _BUILD_RANGE[0]

    def update(self, points: FloatArray, shown: npt.NDArray[np.bool_], stature: float) -> FloatArray:
        """Return the (7,) full lengths in px. points: (17, 2) px. shown: (17,). stature: px."""
        ways, known = directions_of(points, shown)
        lengths = np.where(known, np.hypot(*ways.T) / max(stature, 1.0), 0.0)
        self._longest = np.clip(np.maximum(lengths, self._longest * _BUILD_FADES), *(FULL * b for b in _BUILD_RANGE))
        return self._longest * max(stature, 1.0)


@dataclass(eq=False)
class _Subject:
    """What is remembered of one subject. Only `waiting`, `statures` and `build` come from its poses without noise."""

    steps: Steps
    waiting: list[SubjectPose] = field(default_factory=list)
    statures: deque[tuple[int, float]] = field(default_factory=deque)
    build: _Build = field(default_factory=_Build)
    last_ns: int = 0
    before: Posture | None = None
    after: Posture | None = None
    size: FloatArray = field(default_factory=lambda: np.ones(2))
    rho: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(KEYPOINT_COUNT, np.float32))
    has_head: bool = False
    released_ns: int = 0


class PoseAnonymizer:
    """Poses of one camera in, poses of the standard body out. `released`: whether the last call made a key posture."""

    def __init__(self, settings: PoseSettings | None = None) -> None:
        self.settings = settings or PoseSettings()
        self.released = False
        self._random = np.random.default_rng(self.settings.seed)
        self._subjects: dict[int, _Subject] = {}
        self._last_ns = 0
        self._tick = -1

    def __call__(self, poses: Sequence[SubjectPose], shape: tuple[int, int], stamp_ns: int) -> list[SubjectPose]:
        """Return the poses to publish, in the same order, with the same numbers and layers.

        poses: of one frame. shape: (H, W) of the picture in px. stamp_ns: capture time, growing; when it goes back,
        everything begins anew.
        """
        if self.settings.mode == "raw":
            return list(poses)
        if stamp_ns < self._last_ns:
            self._subjects.clear()
        self._last_ns = stamp_ns
        tick = int(stamp_ns / _NS / self.settings.period_s)
        due, self._tick, self.released = tick != self._tick, tick, False
        forgotten = [i for i, s in self._subjects.items() if stamp_ns - s.last_ns > _FORGET_S * _NS]
        for subject_id in forgotten:
            del self._subjects[subject_id]
        shown = []
        for pose in poses:
            subject = self._subjects.setdefault(pose.subject_id, _Subject(Steps(self.settings.steps)))
            subject.last_ns = stamp_ns
            subject.waiting.append(pose)
            subject.statures.append((stamp_ns, stature_of(pose)))
            while stamp_ns - subject.statures[0][0] > _STATURE_S * _NS:
                subject.statures.popleft()
            if due or subject.after is None:
                self._release(subject, shape, stamp_ns)
            shown.append(self._show(subject, pose, stamp_ns))
        return shown

    def _release(self, subject: _Subject, shape: tuple[int, int], stamp_ns: int) -> None:
        """Make the next key posture. The only place where a pose is read."""
        pose = _typical(subject.waiting)
        subject.waiting.clear()
        stature = float(np.percentile([s for _, s in subject.statures], _STATURE_PERCENTILE))
        shown = pose.keypoints[:, 2] >= SEEN
        full = subject.build.update(pose.keypoints[:, :2].astype(np.float64), shown, stature)
        values, known = measure(pose, shown, stature, full, shape)
        values = values + self._random.normal(size=values.shape) * self.settings.noise.sigmas()
        posture, subject.size = subject.steps(values, known, shape)
        subject.before = posture if subject.after is None else self._between(subject, stamp_ns)
        subject.after, subject.released_ns = posture, stamp_ns
        subject.rho = np.zeros(KEYPOINT_COUNT, np.float32)
        for least, confidence in _CONFIDENCES:
            subject.rho[pose.keypoints[:, 2] >= least] = confidence
        subject.has_head = pose.head is not None
        self.released = True

    def _between(self, subject: _Subject, stamp_ns: int) -> Posture:
        assert subject.before is not None and subject.after is not None
        made = (stamp_ns - subject.released_ns) / _NS / self.settings.period_s
        return subject.before.towards(subject.after, min(made, 1.0))

    def _show(self, subject: _Subject, pose: SubjectPose, stamp_ns: int) -> SubjectPose:
        """Return the body between its last two key postures. Of `pose` only number and layer are taken."""
        posture = self._between(subject, stamp_ns)
        seen = subject.rho > 0
        points = stand(posture, seen if seen.any() else np.ones(KEYPOINT_COUNT, np.bool_))
        points = _squashed(points, posture, seen, subject.size[1])
        # Whole pixels: what the noise left is coarser by far, and a body at rest is the same bytes in every frame.
        points = np.rint(np.clip(points, -MAX_COORDINATE / 2, MAX_COORDINATE / 2))
        keypoints = np.column_stack([points, subject.rho]).astype(np.float32)
        head = None
        if subject.has_head:
            up = posture.directions[TRUNK]
            head = HeadOrientation(asin(posture.gaze), 0.0, atan2(up[0], -up[1]))
        return SubjectPose(pose.subject_id, _box(posture, points, seen, subject.size), keypoints, head, pose.layer)


def _typical(poses: Sequence[SubjectPose]) -> SubjectPose:
    """Return the median of poses of one subject; a keypoint is seen if it is in most of them."""
    keypoints = np.array([pose.keypoints for pose in poses])
    seen = keypoints[:, :, 2] >= SEEN
    keypoints[~seen] = np.nan
    keypoints[:, ~seen.any(axis=0)] = 0
    typical = np.nanmedian(keypoints, axis=0)
    typical[seen.mean(axis=0) < 0.5, 2] = 0
    heads = [pose.head for pose in poses if pose.head is not None]
    x0, y0, x1, y1 = np.median([pose.box for pose in poses], axis=0).tolist()
    return replace(
        poses[-1], box=(x0, y0, x1, y1), keypoints=typical, head=heads[-1] if 2 * len(heads) >= len(poses) else None
    )


def _squashed(points: FloatArray, posture: Posture, seen: npt.NDArray[np.bool_], height: float) -> FloatArray:
    """Return the body made lower, over its place, where it would be much higher than what was seen: it lies towards
    or away from the camera, and single bones that are not seen make it too long.

    points: (17, 2) px. height: coarse height of the box, px.
    """
    if not seen.any():
        return points
    tall = float(np.ptp(points[seen, 1])) + 2 * _BOX_MARGIN * posture.stature
    share = height / tall
    if share > _NOT_SQUASHED:
        return points
    return np.column_stack([points[:, 0], posture.place[1] + (points[:, 1] - posture.place[1]) * share])


def _box(posture: Posture, points: FloatArray, seen: npt.NDArray[np.bool_], size: FloatArray) -> Box:
    """Return the box around the keypoints that are seen; with a part of the body only, a box of the coarse size too.

    points: (17, 2) px. size: (2,) width and height in px.
    """
    margin = _BOX_MARGIN * posture.stature
    corners = [points[seen] - margin, points[seen] + margin]
    if not (seen[list(_UPPER_END)].any() and seen[list(_LOWER_END)].any()):
        centre = posture.place - (0.0, size[1] / 2)
        corners += [(centre - size / 2)[None], (centre + size / 2)[None]]
    low, high = np.concatenate(corners).min(axis=0), np.concatenate(corners).max(axis=0)
    low, high = np.floor(low), np.ceil(high)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
