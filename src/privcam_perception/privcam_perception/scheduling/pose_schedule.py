"""Decides whose pose is estimated in a frame, and moves the poses of the others along with their boxes.

All times are of the stamps, so that 5 and 30 frames/s are alike.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from privcam_core.images.scene_changes import Cells, SceneChanges, cells_of
from privcam_core.types.arrays import Box, Float32Array, Image
from privcam_core.types.omega import HeadOrientation
from privcam_core.types.perception import Track
from privcam_core.types.time import NS_PER_S
from privcam_perception.scheduling.track_motion import is_low, is_quick, is_touching

# Seconds from one pose to the next of somebody who may be falling or fighting (every frame), who lies, who moves, and
# who keeps still.
_QUICK_S = 0.01
_LOW_S = 0.1
_MOVING_S = 0.16
_STILL_S = 0.5
# Margin around a box within which a change is a movement of the subject, in box sides.
_MARGIN = 0.1
# All poses together get this share of the time of one processor core, and what was not used of so many seconds.
_SHARE = 0.4
_KEPT_S = 0.3


@dataclass(frozen=True)
class _Estimate:
    """The newest pose of a subject: keypoints (17, 3), head, and box in px, cells and stamp of that picture."""

    keypoints: Float32Array
    head: HeadOrientation | None
    box: Box
    cells: Cells
    stamp_ns: int


class PoseSchedule:
    """Chooses among the subjects of one camera, frame by frame."""

    def __init__(self) -> None:
        self._changes = SceneChanges()
        self._estimates: dict[int, _Estimate] = {}
        self._cells: Cells | None = None
        self._stamp_ns: int | None = None
        self._left_s = _SHARE * _KEPT_S

    def choose(self, image: Image, tracks: Sequence[Track], stamp_ns: int, call_s: float) -> list[int]:
        """Return the indices of the tracks whose pose is to be estimated, the most urgent first.

        image: (H, W, 3) uint8 BGR. tracks: of all subjects that may have a pose. stamp_ns: capture time. call_s:
        seconds of one estimate. The most urgent one is estimated however long it takes.
        """
        self._cells = self._changes.update(image)
        interval_s = 0.0 if self._stamp_ns is None else max(0, stamp_ns - self._stamp_ns) / NS_PER_S
        self._stamp_ns = stamp_ns
        self._left_s = min(_SHARE * _KEPT_S, self._left_s + _SHARE * interval_s)
        urgencies = [self._urgency(track, tracks, image.shape, interval_s) for track in tracks]
        due = sorted((at for at, urgency in enumerate(urgencies) if urgency >= 1.0), key=lambda at: -urgencies[at])
        affordable = max(1, int(self._left_s / call_s))
        return due[:affordable]

    def note(
        self, track: Track, keypoints: Float32Array, head: HeadOrientation | None, calls: int, call_s: float
    ) -> None:
        """Take the pose, (17, 3) px and ρ, that was estimated in this frame with so many network calls."""
        assert self._cells is not None and self._stamp_ns is not None
        self._left_s = max(0.0, self._left_s - calls * call_s)
        self._estimates[track.subject_id] = _Estimate(keypoints, head, track.box, self._cells, self._stamp_ns)

    def carried(self, track: Track) -> tuple[Float32Array, HeadOrientation | None] | None:
        """Return the newest pose of a subject, moved and scaled as its box was since, and its head; None without one.

        Neither turns a head.
        """
        estimate = self._estimates.get(track.subject_id)
        if estimate is None:
            return None
        before, now = np.array(estimate.box, np.float32), np.array(track.box, np.float32)
        # One factor for both sides: a box that changes its shape is another posture, which this cannot know.
        scale = (now[3] - now[1]) / max(before[3] - before[1], 1.0)
        moved = estimate.keypoints.copy()
        moved[:, :2] = (moved[:, :2] - (before[:2] + before[2:]) / 2) * scale + (now[:2] + now[2:]) / 2
        return moved, estimate.head

    def keep(self, subjects: Iterable[int]) -> None:
        """Forget all subjects but these."""
        kept = set(subjects)
        self._estimates = {subject: one for subject, one in self._estimates.items() if subject in kept}

    def _urgency(self, track: Track, tracks: Sequence[Track], shape: tuple[int, ...], interval_s: float) -> float:
        """Return the time since the newest pose over the period of this subject, to the nearest frame; 1 is due."""
        estimate = self._estimates.get(track.subject_id)
        if estimate is None or self._cells is None or self._stamp_ns is None:
            return np.inf
        period_s = self._period_s(track, tracks, estimate, self._cells, shape)
        elapsed_s = (self._stamp_ns - estimate.stamp_ns) / NS_PER_S + interval_s / 2
        return elapsed_s / period_s

    def _period_s(
        self, track: Track, tracks: Sequence[Track], estimate: _Estimate, cells: Cells, shape: tuple[int, ...]
    ) -> float:
        where = cells_of(track.box, shape, _MARGIN)
        if not self._changes.between(cells[where], estimate.cells[where]).any():
            return _STILL_S
        if is_quick(track) or is_touching(track, tracks):
            return _QUICK_S
        return _LOW_S if is_low(track) else _MOVING_S
