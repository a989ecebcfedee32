"""Measures a stream of pictures: noise, whether it stands still, and whether the view moves."""

from collections import deque

import cv2
import numpy as np

from privcam_core.images.picture_measures import mean_of_smallest
from privcam_core.types.arrays import Float32Array, Image
from privcam_core.types.time import ns_from_seconds, seconds_from_ns
from privcam_privacy.sight.repetition import Repetition

# Every so many px of the camera, in both directions, are compared over time. Noise is of a pixel: nothing is averaged.
_SAMPLE_STEP = 4
# The rest of the pixels, with the largest differences, may be people who move.
_STILL_PERCENT = 80
# The noise is the median of so many frames.
_NOISE_FRAMES = 10
# Size of the pictures that are compared for a movement of the camera (width, height), px.
_VIEW_PX = (128, 96)
# The view is compared with the one of this long ago, s.
_VIEW_AGE_S = 1.0
# So much of the correlation must lie at its peak, else the two pictures do not show the same view.
_MIN_RESPONSE = 0.3


class TimeMeasures:
    """Compares each picture with earlier ones.

    noise: the mean difference of two frames, without people who move; levels, of a pixel. None before the second frame.
    same_s: for how long no new picture has come, see `Repetition`. identical_s: for how long not one pixel has changed.
    shift: how far the view moved in the last second, as a fraction of the picture; 0 where that cannot be told.
    """

    def __init__(self) -> None:
        self.noise: float | None = None
        self.identical_s = 0.0
        self.shift = 0.0
        self._noises: deque[float] = deque(maxlen=_NOISE_FRAMES)
        self._previous: Image | None = None
        self._changed_ns = 0
        self._repetition = Repetition()
        self._view: tuple[Float32Array, int] | None = None
        self._window = np.asarray(cv2.createHanningWindow(_VIEW_PX, cv2.CV_32F), np.float32)

    @property
    def same_s(self) -> float:
        """For how long no new picture has come, s."""
        return self._repetition.same_s

    def update(self, image: Image, grey: Image, stamp_ns: int) -> None:
        """Take in the next picture, (H, W, 3) uint8, and its grey copy. stamp_ns: later than the last."""
        sample = np.ascontiguousarray(image[::_SAMPLE_STEP, ::_SAMPLE_STEP, 1])
        if self._previous is not None:
            step = cv2.absdiff(sample, self._previous)
            self._changed_ns = stamp_ns if step.any() else self._changed_ns
            self.identical_s = seconds_from_ns(stamp_ns - self._changed_ns)
            self._noises.append(mean_of_smallest(step, _STILL_PERCENT))
            self.noise = float(np.median(self._noises))
        else:
            self._changed_ns = stamp_ns
        self._previous = sample
        self._repetition.update(sample, stamp_ns)
        self._update_shift(grey, stamp_ns)

    def _update_shift(self, grey: Image, stamp_ns: int) -> None:
        if self._view is not None and stamp_ns - self._view[1] < ns_from_seconds(_VIEW_AGE_S):
            return
        view = np.asarray(cv2.resize(grey, _VIEW_PX, interpolation=cv2.INTER_AREA), np.float32)
        self.shift = 0.0
        if self._view is not None:
            (dx, dy), response = cv2.phaseCorrelate(self._view[0], view, self._window)
            if response >= _MIN_RESPONSE:
                self.shift = float(np.hypot(dx / _VIEW_PX[0], dy / _VIEW_PX[1]))
        self._view = view, stamp_ns
