"""Interpolates poses at any moment of the recent past, so that the picture moves more smoothly than Ω arrives."""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import pi
from statistics import median_low

import numpy as np

from privcam_core.types.omega import HeadOrientation, SubjectPose
from privcam_core.types.skeleton import SEEN
from privcam_core.types.time import NS_PER_S

# Until two frames have come, this is taken as the time between frames: a camera at 10 frames/s.
_FIRST_INTERVAL_NS = 100_000_000
# The time between frames is the median of so many steps: long enough that one late frame does not count.
_STEPS = 15


@dataclass(frozen=True)
class _Sample:
    stamp_ns: int
    poses: tuple[SubjectPose, ...]


class Interpolator:
    """Keeps the poses of the last seconds and answers for moments between them.

    memory_s: how far back moments can be asked for, s. max_gap_s: frames farther apart than this are not joined,
    because nobody knows what happened between them.
    """

    def __init__(self, *, memory_s: float = 2.0, max_gap_s: float = 0.5) -> None:
        if memory_s <= 0 or max_gap_s <= 0:
            raise ValueError(f"memory_s {memory_s} and max_gap_s {max_gap_s} must be more than 0 s")
        self._memory_ns = round(memory_s * NS_PER_S)
        self._max_gap_ns = round(max_gap_s * NS_PER_S)
        self._samples: deque[_Sample] = deque()
        self._steps: deque[int] = deque(maxlen=_STEPS)

    @property
    def newest_ns(self) -> int | None:
        """Camera time of the newest frame in ns, None while there is none."""
        return self._samples[-1].stamp_ns if self._samples else None

    @property
    def interval_ns(self) -> int:
        """Usual time between two frames in ns."""
        return median_low(self._steps) if self._steps else _FIRST_INTERVAL_NS

    def add(self, stamp_ns: int, poses: Sequence[SubjectPose]) -> None:
        """Take the poses of the frame that was captured at `stamp_ns` (camera time, ns); none means an empty room.

        Raises ValueError if the frame is not newer than the last one: after a camera restart call `clear` first.
        """
        newest = self.newest_ns
        if newest is not None and stamp_ns <= newest:
            raise ValueError(
                f"stamp_ns: {stamp_ns} is not after {newest}; call clear() when the camera has started anew"
            )
        if newest is not None:
            self._steps.append(stamp_ns - newest)
        self._samples.append(_Sample(stamp_ns, tuple(poses)))
        # Two samples always stay, or a slow camera could never be interpolated.
        while len(self._samples) > 2 and self._samples[1].stamp_ns < stamp_ns - self._memory_ns:
            self._samples.popleft()

    def clear(self) -> None:
        """Forget all frames."""
        self._samples.clear()
        self._steps.clear()

    def at(self, stamp_ns: int) -> list[SubjectPose]:
        """Return the poses at a moment of camera time (ns), farthest layer first, layers numbered from 0.

        Between two frames every keypoint moves on a straight line. A subject or keypoint that only one of them shows
        is shown as in that frame during the half of the time that is nearer to it. After the newest frame its poses
        are held for one frame interval, then nobody is shown: nothing is guessed. Before the oldest frame nobody is.
        """
        index = bisect_right([sample.stamp_ns for sample in self._samples], stamp_ns)
        if index == 0:
            return []
        before = self._samples[index - 1]
        after = self._samples[index] if index < len(self._samples) else None
        if after is None or after.stamp_ns - before.stamp_ns > self._max_gap_ns:
            held = stamp_ns - before.stamp_ns <= self.interval_ns
            return _layered(before.poses) if held else []
        fraction = (stamp_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)
        return _between(before.poses, after.poses, fraction)


def _between(before: Sequence[SubjectPose], after: Sequence[SubjectPose], fraction: float) -> list[SubjectPose]:
    """Return the poses `fraction` (0 to 1) of the way from one frame to the next."""
    first = {pose.subject_id: pose for pose in before}
    second = {pose.subject_id: pose for pose in after}
    nearer = before if fraction < 0.5 else after
    moving = [_mix(first[i], second[i], fraction) for i in first if i in second]
    lone = [pose for pose in nearer if (pose.subject_id in first) != (pose.subject_id in second)]
    return _layered([*moving, *lone])


def _mix(a: SubjectPose, b: SubjectPose, fraction: float) -> SubjectPose:
    """Return one subject's pose between two frames; its layer is that of the nearer frame."""
    nearer = a if fraction < 0.5 else b
    keypoints = (1 - fraction) * a.keypoints + fraction * b.keypoints
    # Where only one frame has seen a keypoint, the other one's position is no evidence: do not move towards it.
    one = (a.keypoints[:, 2] >= SEEN) != (b.keypoints[:, 2] >= SEEN)
    keypoints[one] = nearer.keypoints[one]
    x0, y0, x1, y1 = ((1 - fraction) * u + fraction * v for u, v in zip(a.box, b.box, strict=True))
    head = _mix_heads(a.head, b.head, fraction) if a.head and b.head else nearer.head
    return SubjectPose(a.subject_id, (x0, y0, x1, y1), keypoints.astype(np.float32), head, nearer.layer)


def _mix_heads(a: HeadOrientation, b: HeadOrientation, fraction: float) -> HeadOrientation:
    """Return the orientation between two, turning the short way round."""
    pitch = a.pitch + (b.pitch - a.pitch) * fraction
    return HeadOrientation(_turn(a.yaw, b.yaw, fraction), pitch, _turn(a.roll, b.roll, fraction))


def _turn(a: float, b: float, fraction: float) -> float:
    """Return the angle in [-π, π] that lies `fraction` of the short way from a to b."""
    way = (b - a + pi) % (2 * pi) - pi
    return min(max((a + way * fraction + pi) % (2 * pi) - pi, -pi), pi)


def _layered(poses: Sequence[SubjectPose]) -> list[SubjectPose]:
    """Return the poses by layer, numbered anew: those of two frames together may use one layer twice."""
    ordered = sorted(poses, key=lambda pose: (pose.layer, pose.subject_id))
    return [pose if pose.layer == layer else replace(pose, layer=layer) for layer, pose in enumerate(ordered)]
