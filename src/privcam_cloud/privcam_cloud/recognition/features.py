"""Measured quantities of one subject: scale-free, at any frame rate, and honest about what could not be seen.

Lengths are in body heights H of the subject in the picture, so that near and far people and all resolutions compare.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import acos, atan2, degrees, hypot

import numpy as np

from privcam_core.perception import Box
from privcam_core.skeleton import FloatArray, Joint, midpoint, seen

# Length of body segments over body height: shoulders to hips, hip to knee, knee to ankle (Winter, Biomechanics).
TORSO_SHARE, THIGH_SHARE, SHIN_SHARE = 0.288, 0.245, 0.246
HEIGHT_PERCENTILE = 75.0  # segments only ever look too short (foreshortening), bad keypoints make some too long
MIN_HEIGHT_PX = 8.0  # below this a body is a few pixels and every ratio is noise
MIN_SEEN_FOR_EXTENT = 6  # an extent of fewer keypoints says nothing about the body
# Extent counts only where body parts at both ends are seen, else a half hidden person looks short.
UPPER_END = (Joint.NOSE, Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
LOWER_END = (Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE)

Point = tuple[float, float]


@dataclass(frozen=True)
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
    hints = [
        length / share
        for share, a, b in (
            (THIGH_SHARE, Joint.LEFT_HIP, Joint.LEFT_KNEE),
            (THIGH_SHARE, Joint.RIGHT_HIP, Joint.RIGHT_KNEE),
            (SHIN_SHARE, Joint.LEFT_KNEE, Joint.LEFT_ANKLE),
            (SHIN_SHARE, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE),
        )
        if (length := _length(keypoints, a, b)) is not None
    ]
    torso = _torso(keypoints)
    if torso is not None:
        hints.append(hypot(*torso) / TORSO_SHARE)
    return max(hints) if hints else None


def body_height(hints: Sequence[float]) -> float:
    """Return H in px from the hints of the last seconds."""
    return max(MIN_HEIGHT_PX, float(np.percentile(hints, HEIGHT_PERCENTILE)))


def measure(seconds: float, keypoints: FloatArray, box: Box, height_px: float) -> Measures:
    """Measure one pose. keypoints: (17, 3) px, px, ρ. box: px. height_px: H of the subject, from `body_height`."""
    shoulders = midpoint(keypoints, Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
    hips = midpoint(keypoints, Joint.LEFT_HIP, Joint.RIGHT_HIP)
    ankles = midpoint(keypoints, Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE)
    torso = _torso(keypoints)
    centre = None if shoulders is None or hips is None else (shoulders + hips) / 2
    thighs = _drops(keypoints)
    knees = _knee_angles(keypoints)
    extent, aspect = _extent(keypoints, height_px)
    return Measures(
        seconds=seconds,
        height_px=height_px,
        centre=None if centre is None else (float(centre[0]), float(centre[1])),
        torso_angle=None if torso is None else abs(degrees(atan2(torso[0], -torso[1]))),
        hip_height=None if hips is None or ankles is None else float(ankles[1] - hips[1]) / height_px,
        thigh_drop=float(np.mean(thighs)) / height_px if thighs else None,
        knee_angle=float(np.mean(knees)) if knees else None,
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
    seconds, x, y = np.median(known[half:], axis=0) - np.median(known[:half], axis=0)
    return hypot(x, y) / seconds / window[-1].height_px if seconds > 0 else None


def peak_descent(samples: Sequence[Measures], window_s: float, unseen_s: float) -> float | None:
    """Return the largest vertical speed (H/s) over any `window_s` of the samples, None with fewer than two centres.

    Where the torso was not seen for longer than `unseen_s`, its way down in between counts as made in `unseen_s`: poses
    get lost in the middle of a fall, and the time without a pose says nothing about how long the movement took.
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
            speeds.append(speed * max(1.0, gap / unseen_s))
    return max(speeds, default=None)


def recent(samples: Sequence[Measures], span_s: float) -> list[Measures]:
    """Return the samples of the last `span_s` seconds, the newest sample always included."""
    now = samples[-1].seconds
    return [m for m in samples if now - m.seconds <= span_s]


def _torso(keypoints: FloatArray) -> Point | None:
    shoulders = midpoint(keypoints, Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
    hips = midpoint(keypoints, Joint.LEFT_HIP, Joint.RIGHT_HIP)
    if shoulders is None or hips is None:
        return None
    return float(shoulders[0] - hips[0]), float(shoulders[1] - hips[1])


def _length(keypoints: FloatArray, a: Joint, b: Joint) -> float | None:
    if not seen(keypoints)[[a, b]].all():
        return None
    return float(np.hypot(*(keypoints[a, :2] - keypoints[b, :2])))


def _legs(keypoints: FloatArray) -> list[FloatArray]:
    """Return hip, knee and ankle, (3, 3), of each leg."""
    left = keypoints[[Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE]]
    right = keypoints[[Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE]]
    return [left, right]


def _drops(keypoints: FloatArray) -> list[float]:
    return [float(leg[1, 1] - leg[0, 1]) for leg in _legs(keypoints) if seen(leg[:2]).all()]


def _knee_angles(keypoints: FloatArray) -> list[float]:
    angles = []
    for leg in _legs(keypoints):
        if not seen(leg).all():
            continue
        thigh, shin = leg[0, :2] - leg[1, :2], leg[2, :2] - leg[1, :2]
        lengths = float(np.linalg.norm(thigh) * np.linalg.norm(shin))
        if lengths > 0:
            angles.append(degrees(acos(float(np.clip(thigh @ shin / lengths, -1.0, 1.0)))))
    return angles


def _extent(keypoints: FloatArray, height_px: float) -> tuple[float | None, float | None]:
    visible = seen(keypoints)
    both_ends = visible[list(UPPER_END)].any() and visible[list(LOWER_END)].any()
    if not both_ends or visible.sum() < MIN_SEEN_FOR_EXTENT:
        return None, None
    width, height = np.ptp(keypoints[visible, :2], axis=0)
    return float(height) / height_px, float(width) / max(float(height), 1.0)
