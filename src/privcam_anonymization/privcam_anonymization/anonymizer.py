"""Pose anonymisation: publishes every pose as the posture of one standard body, a few times a second, in coarse steps.

Bone lengths, build, stature, small habits of posture and the fine rhythm of movements identify a person. So the build
is replaced by that of one standard body, its size is that of the place where it stands (see `ground_plane`), and
movement is published as keyframes: once per `period_s` the features of the
pose are extracted, clipped, noised and quantized with hysteresis. Between two keyframes the published body moves evenly
from one to the next.

Privacy: every published coordinate of a pose is computed from the noised features (see `features`) of the keyframes so
far, by rules that do not read the pose again. So reading more frames than there are keyframes gives nothing more away,
and the budget of the accountant covers all of them. The average over many keyframes of a person who does not move does
remove the noise, down to the steps and their hysteresis; the budget grows accordingly. The structure is not noised:
which keypoints are seen and with which confidence, whether a head orientation is known, subject numbers, layers, and
the times of presence.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import asin, atan2, isfinite
from statistics import median as median_of
from typing import Literal

import numpy as np

from privcam_anonymization.features import extract_features, measure_directions
from privcam_anonymization.ground_plane import GroundPlane
from privcam_anonymization.noise import Noise
from privcam_anonymization.quantizer import PostureQuantizer, QuantizerSettings
from privcam_anonymization.random_source import SYSTEM, RandomBytes
from privcam_anonymization.standard_body import FULL, TRUNK, Posture, place_body
from privcam_anonymization.upper_border import is_cut_off, publishable, without_the_cut
from privcam_core.drawing.stature import stature_of
from privcam_core.types.arrays import BoolArray, Box, Float32Array, Float64Array
from privcam_core.types.omega import MAX_COORDINATE, HeadOrientation, SubjectPose
from privcam_core.types.skeleton import KEYPOINT_COUNT, SEEN, Joint
from privcam_core.types.time import NS_PER_S, ns_from_seconds

PoseMode = Literal["canonical", "raw"]

# The stature is a percentile over this time ...
_STATURE_S = 3.0
# ... and a high one, because foreshortening only ever makes a body look too small.
_STATURE_PERCENTILE = 75.0
# A build is the longest that was seen, at least this fraction of the standard body ...
_MIN_BUILD = 0.6
# ... and at most this fraction.
_MAX_BUILD = 1.5
# A build shrinks by this factor with each keyframe, so that one wrong keypoint is forgotten.
_BUILD_DECAY = 0.998
# A subject that is not seen for longer starts anew.
_FORGET_S = 2.0
# Published confidences: keypoints with at least the first number are published with the second.
_CONFIDENCES = ((SEEN, 0.35), (0.5, 0.8))
# The box of a body that is seen at both ends is computed from its keypoints.
_UPPER_END = (Joint.NOSE, Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
_LOWER_END = (Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE)
# From the outermost keypoints to the edge of the body, as a fraction of the stature.
_BOX_MARGIN = 0.07
# A body that would be lowered to more than this fraction of its height is left as it is.
_MIN_LOWERING = 0.8


@dataclass(frozen=True)
class PoseSettings:
    """Settings of pose anonymisation.

    mode: canonical, or raw (poses leave as they are). period_s: from one keyframe to the next. noise, quantizer,
    ground: see there.
    """

    mode: PoseMode = "canonical"
    period_s: float = 0.15
    noise: Noise = field(default_factory=Noise)
    quantizer: QuantizerSettings = field(default_factory=QuantizerSettings)
    ground: GroundPlane = field(default_factory=GroundPlane)

    def __post_init__(self) -> None:
        if self.mode not in ("canonical", "raw"):
            raise ValueError(f"pose mode {self.mode!r} is neither 'canonical' nor 'raw'")
        if not (isfinite(self.period_s) and 0 < self.period_s <= 5):
            raise ValueError(f"period_s: {self.period_s} is not in (0, 5] s")


class _Build:
    """The bone lengths of a subject without foreshortening. They serve only to remove the build from the pose."""

    def __init__(self) -> None:
        self._longest = FULL * _MIN_BUILD

    def update(self, points: Float64Array, visible: BoolArray, stature: float) -> Float64Array:
        """Return the (7,) full lengths in px. points: (17, 2) px. visible: (17,). stature: px."""
        vectors, known = measure_directions(points, visible)
        lengths = np.where(known, np.hypot(*vectors.T) / max(stature, 1.0), 0.0)
        longest = np.maximum(lengths, self._longest * _BUILD_DECAY)
        self._longest = np.clip(longest, FULL * _MIN_BUILD, FULL * _MAX_BUILD)
        return self._longest * max(stature, 1.0)


@dataclass(eq=False)
class _Subject:
    """The state of one subject. Only `waiting`, `statures` and `build` come from its poses without noise."""

    quantizer: PostureQuantizer
    waiting: list[SubjectPose] = field(default_factory=list)
    statures: deque[tuple[int, float]] = field(default_factory=deque)
    build: _Build = field(default_factory=_Build)
    last_ns: int = 0
    previous: Posture | None = None
    keyframe: Posture | None = None
    size: Float64Array = field(default_factory=lambda: np.ones(2))
    rho: Float32Array = field(default_factory=lambda: np.zeros(KEYPOINT_COUNT, np.float32))
    has_head: bool = False
    released_ns: int = 0


class PoseAnonymizer:
    """Anonymises the poses of one camera. `released`: whether the last call made a keyframe."""

    def __init__(self, settings: PoseSettings | None = None, random_bytes: RandomBytes = SYSTEM) -> None:
        self.settings = settings or PoseSettings()
        self.released = False
        self._random_bytes = random_bytes
        self._subjects: dict[int, _Subject] = {}
        self._last_ns = 0
        self._tick = -1

    def anonymize(self, poses: Sequence[SubjectPose], shape: tuple[int, int], stamp_ns: int) -> list[SubjectPose]:
        """Return the poses to publish, in the same order, with the same subject numbers and layers.

        poses: of one frame. shape: (H, W) of the picture in px. stamp_ns: capture time, growing; when it goes back, all
        subjects start anew.
        """
        if self.settings.mode == "raw":
            return list(poses)
        if stamp_ns < self._last_ns:
            self._subjects.clear()
        self._last_ns = stamp_ns
        # The stamp is rounded to a float first: the exact quotient would move some keyframes by one frame.
        tick = int(float(stamp_ns) / NS_PER_S / self.settings.period_s)
        due, self._tick, self.released = tick != self._tick, tick, False
        forgotten = [i for i, s in self._subjects.items() if stamp_ns - s.last_ns > ns_from_seconds(_FORGET_S)]
        for subject_id in forgotten:
            del self._subjects[subject_id]
        published = []
        for pose in poses:
            subject = self._subjects.setdefault(pose.subject_id, _Subject(self._new_quantizer()))
            subject.last_ns = stamp_ns
            subject.waiting.append(pose)
            subject.statures.append((stamp_ns, stature_of(pose)))
            while stamp_ns - subject.statures[0][0] > ns_from_seconds(_STATURE_S):
                subject.statures.popleft()
            if due or subject.keyframe is None:
                self._release_keyframe(subject, shape, stamp_ns)
            published.append(self._publish(subject, pose, stamp_ns))
        return published

    def _new_quantizer(self) -> PostureQuantizer:
        return PostureQuantizer(self.settings.quantizer, self.settings.ground)

    def _release_keyframe(self, subject: _Subject, shape: tuple[int, int], stamp_ns: int) -> None:
        """Make the next keyframe. The only method that reads a pose."""
        pose = _median_pose(subject.waiting)
        subject.waiting.clear()
        stature = _percentile([s for _, s in subject.statures], _STATURE_PERCENTILE)
        visible = pose.keypoints[:, 2] >= SEEN
        full = subject.build.update(pose.keypoints[:, :2].astype(np.float64), visible, stature)
        features, known = extract_features(pose, visible, stature, full, shape)
        measured: BoolArray = np.ones(4, np.bool_)
        cut_off = is_cut_off(pose, subject.keyframe, shape)
        if cut_off:
            features, measured = without_the_cut(features, visible)
        features = self.settings.noise.add_noise(features, self._random_bytes)
        known = np.concatenate([measured, known])
        posture, subject.size = subject.quantizer.quantize(features, known, visible, shape)
        subject.previous = posture if subject.keyframe is None else self._interpolated(subject, stamp_ns)
        subject.keyframe, subject.released_ns = posture, stamp_ns
        subject.rho = np.zeros(KEYPOINT_COUNT, np.float32)
        estimated = publishable(pose.keypoints[:, 2], posture, cut_off=cut_off)
        for min_confidence, confidence in _CONFIDENCES:
            subject.rho[estimated >= min_confidence] = confidence
        subject.has_head = bool(subject.rho[Joint.NOSE] > 0) and (cut_off or pose.head is not None)
        self.released = True

    def _interpolated(self, subject: _Subject, stamp_ns: int) -> Posture:
        """Return the posture between the last two keyframes at this time."""
        assert subject.previous is not None and subject.keyframe is not None
        fraction = (stamp_ns - subject.released_ns) / NS_PER_S / self.settings.period_s
        return subject.previous.interpolate(subject.keyframe, min(fraction, 1.0))

    def _publish(self, subject: _Subject, pose: SubjectPose, stamp_ns: int) -> SubjectPose:
        """Return the body between its last two keyframes. Of `pose`, only number and layer are read."""
        posture = self._interpolated(subject, stamp_ns)
        visible = subject.rho > 0
        points = place_body(posture, visible if visible.any() else np.ones(KEYPOINT_COUNT, np.bool_))
        points = _lower(points, posture, visible, subject.size[1])
        # Whole pixels: the noise is coarser by far, and a body at rest has the same bytes in every frame.
        points = np.rint(np.clip(points, -MAX_COORDINATE / 2, MAX_COORDINATE / 2))
        keypoints = np.column_stack([points, subject.rho]).astype(np.float32)
        head = None
        if subject.has_head:
            up = posture.directions[TRUNK]
            head = HeadOrientation(asin(posture.gaze), 0.0, atan2(up[0], -up[1]))
        return SubjectPose(pose.subject_id, _box(posture, points, visible, subject.size), keypoints, head, pose.layer)


def _percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile between neighbours, as NumPy does, which takes ten times as long for a few values."""
    ordered, place = sorted(values), (len(values) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _median_pose(poses: Sequence[SubjectPose]) -> SubjectPose:
    """Return the median of poses of one subject. A keypoint is seen if it is seen in most of them."""
    keypoints = np.array([pose.keypoints for pose in poses])
    visible = keypoints[:, :, 2] >= SEEN
    # A median for each keypoint: what is not seen is sorted behind the rest.
    keypoints[~visible] = np.inf
    keypoints.sort(axis=0)
    count, every = visible.sum(axis=0), np.arange(KEYPOINT_COUNT)
    median = (keypoints[np.maximum(count - 1, 0) // 2, every] + keypoints[count // 2, every]) / 2
    median[count == 0] = 0
    median[2 * count < len(poses), 2] = 0
    heads = [pose.head for pose in poses if pose.head is not None]
    x0, y0, x1, y1 = (median_of(side) for side in zip(*(pose.box for pose in poses), strict=True))
    return replace(
        poses[-1], box=(x0, y0, x1, y1), keypoints=median, head=heads[-1] if 2 * len(heads) >= len(poses) else None
    )


def _lower(points: Float64Array, posture: Posture, visible: BoolArray, height: float) -> Float64Array:
    """Return the body made lower, above its place, where it is much higher than the body that was seen.

    Such a body lies towards or away from the camera, and single bones that are not visible make it too long.
    points: (17, 2) px. height: quantized height of the box, px.
    """
    if not visible.any():
        return points
    tall = float(np.ptp(points[visible, 1])) + 2 * _BOX_MARGIN * posture.stature
    fraction = height / tall
    if fraction > _MIN_LOWERING:
        return points
    return np.column_stack([points[:, 0], posture.place[1] + (points[:, 1] - posture.place[1]) * fraction])


def _box(posture: Posture, points: Float64Array, visible: BoolArray, size: Float64Array) -> Box:
    """Return the box around the visible keypoints; of a body seen in part, around a box of the quantized size too.

    points: (17, 2) px. size: (2,) width and height in px.
    """
    margin = _BOX_MARGIN * posture.stature
    corners = [points[visible] - margin, points[visible] + margin]
    if not (visible[list(_UPPER_END)].any() and visible[list(_LOWER_END)].any()):
        centre = posture.place - (0.0, size[1] / 2)
        corners += [(centre - size / 2)[None], (centre + size / 2)[None]]
    low, high = np.concatenate(corners).min(axis=0), np.concatenate(corners).max(axis=0)
    low, high = np.floor(low), np.ceil(high)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
