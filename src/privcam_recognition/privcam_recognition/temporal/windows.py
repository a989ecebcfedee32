"""Turns the last seconds of one subject into the input of the temporal network: at one rate, in body heights.

Training and inference both use this module, so a model gets the same input in a gateway as in training.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privcam_core.types.arrays import Box, Float32Array
from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import KEYPOINT_COUNT, SEEN, Joint

# Steps of a window. A fall from standing takes about 1 s; the time before and after tells whether it was one.
STEPS = 40
# Time from one step to the next, in s.
STEP_S = 0.1
# Length of a window, in s.
SPAN_S = STEPS * STEP_S
# A step holds the newest pose that is at most this old, in s: a little more than a frame at 5 frames/s.
FRESH_S = 0.25
# From this mean ρ on a pose is taken for a body with confidence.
CONFIDENT = 0.4
# The age of the last pose of a subject out of sight grows up to this, in s.
MAX_AGE_S = 2.0
# Coordinates beyond this many body heights are keypoints in a wrong place.
REACH = 3.0

SCALARS = (
    "seen",  # the subject was in a frame
    "posed",  # and its torso was seen
    "age",  # how old the step is, MAX_AGE_S
    "x",  # middle of the box from where the window begins, H
    "top",  # upper edge of the box from where its lower edge was when the window begins, H, down
    "bottom",  # lower edge likewise
    "width",  # of the box, H
    "height",  # of the box, H
    "flat",  # log of width over height
    "lean_x",  # hips to shoulders, H, right
    "lean_y",  # hips to shoulders, H, down: -0.29 upright
    "hip_height",  # hips over ankles, H
    "thigh_drop",  # knees below hips, H
    "hand_left",  # left wrist to nose, H
    "hand_right",  # right wrist to nose, H
    "confidence",  # mean ρ
)
FEATURES = len(SCALARS) + 3 * KEYPOINT_COUNT

_SHOULDERS = [Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER]
_HIPS = [Joint.LEFT_HIP, Joint.RIGHT_HIP]
_KNEES = [Joint.LEFT_KNEE, Joint.RIGHT_KNEE]
_ANKLES = [Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE]


@dataclass(frozen=True)
class Track:
    """The boxes and poses of one subject. times: (N,) s, growing. boxes: (N, 4) px. keypoints: (N, 17, 3) px, px, ρ."""

    times: npt.NDArray[np.float64]
    boxes: Float32Array
    keypoints: Float32Array


class TrackBuffer:
    """Keeps the newest SPAN_S of one subject, at any frame rate. It keeps at most `max_poses` poses."""

    def __init__(self, max_poses: int = 512) -> None:
        self._seen: deque[tuple[float, Box, Float32Array]] = deque(maxlen=max_poses)

    def add(self, seconds: float, pose: SubjectPose) -> None:
        """Take in a pose. seconds: camera time, newer than the last."""
        self._seen.append((seconds, pose.box, np.asarray(pose.keypoints, np.float32)))
        while seconds - self._seen[0][0] > SPAN_S + FRESH_S:
            self._seen.popleft()

    @property
    def newest(self) -> Float32Array:
        """Keypoints of the newest pose, (17, 3) px, px, ρ. Raises IndexError before the first."""
        _, _, keypoints = self._seen[-1]
        return keypoints

    @property
    def was_confident(self) -> bool:
        """Whether any pose was of a body with confidence."""
        return any(keypoints[:, 2].mean() >= CONFIDENT for _, _, keypoints in self._seen)

    def box_at(self, seconds: float) -> Box | None:
        """Return the box of the subject at about this camera time in s; None where it was not in view."""
        near = min(self._seen, key=lambda seen: abs(seen[0] - seconds), default=None)
        return None if near is None or abs(near[0] - seconds) > FRESH_S else near[1]

    def earlier(self, min_s: float, max_s: float) -> tuple[float, Float32Array] | None:
        """Return age (s, before the newest) and keypoints of the newest pose of an age in [min_s, max_s], or None."""
        for seconds, _, keypoints in reversed(self._seen):
            age = self._seen[-1][0] - seconds
            if age >= min_s:
                return (age, keypoints) if age <= max_s else None
        return None

    def take_over(self, newer: "TrackBuffer") -> None:
        """Append the poses of the same subject under another id."""
        if newer._seen:
            while self._seen and self._seen[-1][0] >= newer._seen[0][0]:
                self._seen.pop()
            self._seen.extend(newer._seen)

    def track(self) -> Track:
        """Return the boxes and poses. Raises ValueError before the first pose."""
        if not self._seen:
            raise ValueError("track: nothing was seen yet")
        times, boxes, keypoints = zip(*self._seen, strict=True)
        return Track(np.array(times), np.array(boxes, np.float32), np.array(keypoints, np.float32))


def window(track: Track, height_px: float, now: float) -> Float32Array:
    """Return the window that ends `now` (camera time, s), (STEPS, FEATURES) float32. height_px: H of the subject.

    Before the subject was first seen all values are 0. While it is out of sight its last box is held, and `age` grows.
    """
    moments = now - STEP_S * np.arange(STEPS - 1, -1, -1)
    index = np.searchsorted(track.times, moments + STEP_S / 2, side="right") - 1
    begun = index >= 0
    index = np.maximum(index, 0)
    age = np.maximum(moments - track.times[index], 0.0)
    seen = begun & (age <= FRESH_S)
    boxes, keypoints = track.boxes[index] / height_px, track.keypoints[index].copy()
    known = (keypoints[..., 2] >= SEEN) & seen[:, None]
    points = np.clip(keypoints[..., :2] / height_px, -1e3, 1e3)

    shoulders, has_shoulders = _middle(points, known, _SHOULDERS)
    hips, has_hips = _middle(points, known, _HIPS)
    knees, has_knees = _middle(points, known, _KNEES)
    ankles, has_ankles = _middle(points, known, _ANKLES)
    posed = has_shoulders & has_hips
    lean = (shoulders - hips) * posed[:, None]
    start = int(np.argmax(begun))
    origin_x, floor = (boxes[start, 0] + boxes[start, 2]) / 2, boxes[start, 3]
    width, height = (np.maximum(boxes[:, k + 2] - boxes[:, k], 0.02) for k in (0, 1))
    nose = points[:, Joint.NOSE]
    hands = [
        np.hypot(*(points[:, wrist] - nose).T) * (known[:, wrist] & known[:, Joint.NOSE])
        for wrist in (Joint.LEFT_WRIST, Joint.RIGHT_WRIST)
    ]
    scalars = (
        seen,
        posed,
        np.minimum(age, MAX_AGE_S),
        (boxes[:, 0] + boxes[:, 2]) / 2 - origin_x,
        boxes[:, 1] - floor,
        boxes[:, 3] - floor,
        width,
        height,
        np.log(width / height),
        *lean.T,
        (ankles - hips)[:, 1] * (has_hips & has_ankles),
        (knees - hips)[:, 1] * (has_hips & has_knees),
        *hands,
        keypoints[..., 2].mean(axis=1) * seen,
    )
    # Where the hips are hidden the middle of the box is used.
    middle = np.stack(((boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2), axis=1)
    centre = np.where(has_hips[:, None], hips, middle)
    relative = (points - centre[:, None]) * known[..., None]
    body = np.concatenate((relative, known[..., None]), axis=2).reshape(STEPS, -1)
    result = np.concatenate((np.stack(scalars, axis=1), body), axis=1) * begun[:, None]
    return np.asarray(np.clip(result, -REACH, REACH), np.float32)


def _middle(
    points: Float32Array, known: npt.NDArray[np.bool_], joints: list[Joint]
) -> tuple[Float32Array, npt.NDArray[np.bool_]]:
    """Return the mean (T, 2) of the joints that are known, and where any of them is known, (T,)."""
    weights = known[:, joints].astype(np.float32)
    total = weights.sum(axis=1)
    mean = (points[:, joints] * weights[..., None]).sum(axis=1) / np.maximum(total, 1.0)[:, None]
    return mean, total > 0
