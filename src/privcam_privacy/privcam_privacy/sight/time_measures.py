"""Measures a stream of pictures: noise, whether it stands still, and whether the view moves."""

from collections import deque

import cv2
import numpy as np

from privcam_core.types.arrays import Float32Array, Image
from privcam_core.types.time import ns_from_seconds, seconds_from_ns
from privcam_privacy.sight.picture_measures import percentile

# Every so many px of the camera, in both directions, are compared over time. Noise is of a pixel: nothing is averaged.
_SAMPLE_STEP = 4
# The rest of the pixels, with the largest differences, may be people who move.
_STILL_PERCENT = 80
# The noise is the median of so many frames.
_NOISE_FRAMES = 10
# A picture of which all but 1 % of the pixels are within this many levels of an earlier one is the same picture. In
# the development clips the longest such stretch lasts 0.7 s, also where nobody moves much ...
_SAME_LEVELS = 2.0
# ... or within so many times the camera's usual noise. Two of its own frames differ by 4.6 times the noise, of which
# this is a third: a frozen picture with a little noise added.
_SAME_OF_NOISE = 1.6
_SAME_PERCENT = 99.0
# The usual noise follows this slowly, so that a stream that froze does not become the usual one, s.
_USUAL_TIME_S = 60.0
# Size of the pictures that are compared for a movement of the camera (width, height), px.
_VIEW_PX = (128, 96)
# The view is compared with the one of this long ago, s.
_VIEW_AGE_S = 1.0
# So much of the correlation must lie at its peak, else the two pictures do not show the same view.
_MIN_RESPONSE = 0.3


class TimeMeasures:
    """Compares each picture with earlier ones.

    noise: the mean difference of two frames, without people who move; levels, of a pixel. None before the second frame.
    same_s: for how long the same picture has come, or a copy that was encoded or dithered again. identical_s: for how
    long not one pixel has changed. shift: how far the view moved in the last second, as a fraction of
    the picture; 0 where that cannot be told.
    """

    def __init__(self) -> None:
        self.noise: float | None = None
        self.same_s = 0.0
        self.identical_s = 0.0
        self.shift = 0.0
        self._noises: deque[float] = deque(maxlen=_NOISE_FRAMES)
        self._previous: Image | None = None
        self._changed_ns = 0
        self._reference: tuple[Image, int] | None = None
        self._usual: float | None = None
        self._last_ns = 0
        self._view: tuple[Float32Array, int] | None = None
        self._window = np.asarray(cv2.createHanningWindow(_VIEW_PX, cv2.CV_32F), np.float32)

    def update(self, image: Image, grey: Image, stamp_ns: int) -> None:
        """Take in the next picture, (H, W, 3) uint8, and its grey copy. stamp_ns: later than the last."""
        sample = np.ascontiguousarray(image[::_SAMPLE_STEP, ::_SAMPLE_STEP, 1])
        if self._previous is not None:
            step = cv2.absdiff(sample, self._previous)
            self._changed_ns = stamp_ns if step.any() else self._changed_ns
            self.identical_s = seconds_from_ns(stamp_ns - self._changed_ns)
            self._noises.append(_mean_of_smallest(step))
            self.noise = float(np.median(self._noises))
            self._update_same(sample, self._noises[-1], stamp_ns)
        else:
            self._reference, self._changed_ns = (sample, stamp_ns), stamp_ns
        self._previous, self._last_ns = sample, stamp_ns
        self._update_shift(grey, stamp_ns)

    def _update_same(self, sample: Image, noise: float, stamp_ns: int) -> None:
        reference, since_ns = self._reference or (sample, stamp_ns)
        limit = max(_SAME_LEVELS, _SAME_OF_NOISE * (self._usual or 0.0))
        if percentile(cv2.absdiff(sample, reference), _SAME_PERCENT) > limit:
            self._reference, self.same_s = (sample, stamp_ns), 0.0
            weight = min(1.0, (stamp_ns - self._last_ns) / ns_from_seconds(_USUAL_TIME_S))
            self._usual = noise if self._usual is None else self._usual + weight * (noise - self._usual)
        else:
            self.same_s = seconds_from_ns(stamp_ns - since_ns)

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


def _mean_of_smallest(values: Image) -> float:
    """Return the mean of the smallest _STILL_PERCENT of uint8 values, by their histogram."""
    counts = cv2.calcHist([values], [0], None, [256], [0, 256])[:, 0]
    wanted = _STILL_PERCENT / 100 * values.size
    taken = np.diff(np.minimum(np.cumsum(counts), wanted), prepend=0.0)
    return float(taken @ np.arange(256) / wanted)
