"""Measures one subject without scale and at any frame rate; what was not seen is None.

Lengths are in body heights H of the subject in the picture, so that near and far subjects and all resolutions compare.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import acos, atan2, degrees, hypot
from statistics import median
from typing import Protocol, TypeVar

import numpy as np

from privcam_core.types.arrays import Box, FloatArray
from privcam_core.types.skeleton import SEEN, Joint

# Length of body segments over body height: shoulders to hips, hip to knee, knee to ankle (Winter, Biomechanics).
TORSO_FRACTION = 0.288
THIGH_FRACTION = 0.245
SHIN_FRACTION = 0.246
HEIGHT_PERCENTILE = 75.0  # segments only ever look too short (foreshortening), bad keypoints make some too long
MIN_HEIGHT_PX = 8.0  # below this a body is a few pixels and every ratio is noise
MIN_SEEN_FOR_EXTENT = 6  # an extent of fewer keypoints says nothing about the body
# Extent counts only where body parts at both ends are seen, else a half hidden person looks short.
UPPER_END = (Joint.NOSE, Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
LOWER_END = (Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE)

# Hip, knee and ankle of each leg, and its bones with their fraction of the body height.
_LEGS = ((Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE), (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE))
_LEG_BONES = tuple(
    bone for hip, knee, ankle in _LEGS for bone in ((THIGH_FRACTION, hip, knee), (SHIN_FRACTION, knee, ankle))
)

Point = tuple[float, float]


class _Timed(Protocol):
    @property
    def seconds(self) -> float:
        """Camera time in s."""


TimedT = TypeVar("TimedT", bound=_Timed)


@dataclass(frozen=True, slots=True)
class Measures:
    """One subject in one frame. None: could not be measured.

    seconds: camera time. height_px: H in px. centre: torso centre in px, y down. torso_angle: degrees of hips to
    shoulders from straight up, 0 to 180. hip_height: hips over ankles, H. thigh_drop: knees below hips, H, both legs'
    mean. knee_angle: degrees, 180 is a straight leg, mean of both. extent: height of the whole body in the picture, H.
    aspect: width over height of the whole body, of the subject's box where the keypoints show only a part.
    """

    seconds: float
    height_px: float
    centre: Point | None
    torso_angle: float | None
    hip_height: float | None
    thigh_drop: float | None
    knee_angle: float | None
    extent: float | None
    aspect: float


def height_hint(keypoints: FloatArray) -> float | None:
    """Return the body height in px that the longest-looking segment of (17, 3) keypoints suggests, None without one."""
    points = _seen_points(keypoints)
    hints = []
    for fraction, a, b in _LEG_BONES:
        near, far = points[a], points[b]
        if near is not None and far is not None:
            hints.append(hypot(near[0] - far[0], near[1] - far[1]) / fraction)
    torso = _torso(points)
    if torso is not None:
        hints.append(hypot(*torso) / TORSO_FRACTION)
    return max(hints) if hints else None


def body_height(hints: Sequence[float]) -> float:
    """Return H in px from the hints of the last seconds."""
    ordered = sorted(hints)
    # The linear percentile of NumPy, which takes 30 times as long for so few values.
    place = HEIGHT_PERCENTILE / 100 * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return max(MIN_HEIGHT_PX, ordered[low] + (place - low) * (ordered[high] - ordered[low]))


def measure(seconds: float, keypoints: FloatArray, box: Box, height_px: float) -> Measures:
    """Measure one pose. keypoints: (17, 3) px, px, ρ. box: px. height_px: H of the subject, from `body_height`."""
    points = _seen_points(keypoints)
    shoulders = _middle(points, Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
    hips = _middle(points, Joint.LEFT_HIP, Joint.RIGHT_HIP)
    ankles = _middle(points, Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE)
    torso = _torso(points)
    thighs = _drops(points)
    knees = _knee_angles(points)
    extent, aspect = _extent(points, height_px)
    return Measures(
        seconds=seconds,
        height_px=height_px,
        centre=None if shoulders is None or hips is None else _between(shoulders, hips),
        torso_angle=None if torso is None else abs(degrees(atan2(torso[0], -torso[1]))),
        hip_height=None if hips is None or ankles is None else (ankles[1] - hips[1]) / height_px,
        thigh_drop=sum(thighs) / len(thighs) / height_px if thighs else None,
        knee_angle=sum(knees) / len(knees) if knees else None,
        extent=extent,
        aspect=(box[2] - box[0]) / (box[3] - box[1]) if aspect is None else aspect,
    )


def vertical_speed(window: Sequence[Measures]) -> float | None:
    """Return the speed of the torso centre downwards in H/s over the window, None with fewer than two centres."""
    known = [(m.seconds, m.centre[1]) for m in window if m.centre is not None]
    if len(known) < 2:
        return None
    times, heights = np.array(known).T
    times = times - times.mean()
    spread = float(times @ times)
    return float(times @ heights) / spread / window[-1].height_px if spread > 0 else None


def ground_speed(window: Sequence[Measures]) -> float | None:
    """Return how fast the torso centre travels over the picture in H/s, None with fewer than two centres.

    Both directions count: towards a camera on the ceiling, walking is a movement down the picture. It is the way from
    the median of the older half of the window to that of the newer half, which a single bad pose cannot make.
    """
    known = [(m.seconds, *m.centre) for m in window if m.centre is not None]
    if len(known) < 2:
        return None
    half = len(known) // 2
    older, newer = ([median(values) for values in zip(*part, strict=True)] for part in (known[:half], known[half:]))
    seconds, x, y = (new - old for new, old in zip(newer, older, strict=True))
    return hypot(x, y) / seconds / window[-1].height_px if seconds > 0 else None


def peak_descent(samples: Sequence[Measures], window_s: float, pose_gap_s: float) -> float | None:
    """Return the largest vertical speed (H/s) over any `window_s` of the samples, None with fewer than two centres.

    Where the torso was not seen for longer than `pose_gap_s`, its descent in between counts as made in `pose_gap_s`:
    poses get lost in the middle of a fall, and the time without a pose is not the duration of the movement.
    """
    known = [m for m in samples if m.centre is not None]
    speeds = []
    for first, start in enumerate(known[:-1]):
        last = first + 1
        gap = known[last].seconds - start.seconds
        while last + 1 < len(known) and known[last].seconds - start.seconds < window_s:
            last += 1
        speed = vertical_speed(known[first : last + 1])
        if speed is not None:
            speeds.append(speed * max(1.0, gap / pose_gap_s))
    return max(speeds, default=None)


def recent(samples: Sequence[TimedT], span_s: float) -> list[TimedT]:
    """Return the samples of the last `span_s` seconds, the newest always included. samples: oldest first."""
    now = samples[-1].seconds
    return list(takewhile(lambda sample: now - sample.seconds <= span_s, reversed(samples)))[::-1]


def _seen_points(keypoints: FloatArray) -> list[Point | None]:
    """Return each keypoint in px, None where it is not seen. One pose is a few numbers: plain ones are the fastest."""
    return [(u, v) if rho >= SEEN else None for u, v, rho in keypoints.tolist()]


def _between(a: Point, b: Point) -> Point:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2


def _middle(points: Sequence[Point | None], a: Joint, b: Joint) -> Point | None:
    """Return the point between two joints, the seen one if only one is seen, None if neither is."""
    left, right = points[a], points[b]
    if left is None or right is None:
        return left or right
    return _between(left, right)


def _torso(points: Sequence[Point | None]) -> Point | None:
    shoulders = _middle(points, Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
    hips = _middle(points, Joint.LEFT_HIP, Joint.RIGHT_HIP)
    if shoulders is None or hips is None:
        return None
    return shoulders[0] - hips[0], shoulders[1] - hips[1]


def _drops(points: Sequence[Point | None]) -> list[float]:
    drops = []
    for hip, knee, _ in _LEGS:
        top, bottom = points[hip], points[knee]
        if top is not None and bottom is not None:
            drops.append(bottom[1] - top[1])
    return drops


def _knee_angles(points: Sequence[Point | None]) -> list[float]:
    angles = []
    for leg in _LEGS:
        hip, knee, ankle = (points[joint] for joint in leg)
        if hip is None or knee is None or ankle is None:
            continue
        thigh, shin = (hip[0] - knee[0], hip[1] - knee[1]), (ankle[0] - knee[0], ankle[1] - knee[1])
        lengths = hypot(*thigh) * hypot(*shin)
        if lengths > 0:
            cosine = (thigh[0] * shin[0] + thigh[1] * shin[1]) / lengths
            angles.append(degrees(acos(min(max(cosine, -1.0), 1.0))))
    return angles


def _extent(points: Sequence[Point | None], height_px: float) -> tuple[float | None, float | None]:
    visible = [point for point in points if point is not None]
    both_ends = all(any(points[joint] is not None for joint in end) for end in (UPPER_END, LOWER_END))
    if not both_ends or len(visible) < MIN_SEEN_FOR_EXTENT:
        return None, None
    across, along = zip(*visible, strict=True)
    width, height = max(across) - min(across), max(along) - min(along)
    return height / height_px, width / max(height, 1.0)
