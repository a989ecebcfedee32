"""Notices a stream that shows nothing new: the same pictures come again, encoded, dithered or stamped anew.

The noise of a live sensor is new in every picture that the encoder sends, all over the picture. A picture that froze
before the encoder has no noise in time: what the encoder makes of it repeats with its groups of pictures. So the newest
picture is compared with all that came lately, and what counts is the time since one was unlike all of them.
"""

from collections import deque

import cv2
import numpy as np

from privcam_core.images.picture_measures import mean_of_smallest, percentile
from privcam_core.types.arrays import Image
from privcam_core.types.time import ns_from_seconds, seconds_from_ns

# The pictures are compared this often: oftener than a usual encoder sends a whole picture.
_PERIOD_S = 0.5
# So many pictures are remembered that were unlike each other: all that one group of an encoder contains.
_REMEMBERED = 32
# The rest of the pixels, with the largest differences, may be people who move.
_STILL_PERCENT = 80
# A picture is a copy when its still part differs by less than this fraction of what new pictures usually differ by: two
# pictures with noise of their own differ by the whole.
_COPY_FRACTION = 0.5
# A smaller difference, in levels, is what an encoder makes of one picture at different times.
_MIN_LEVELS = 0.2
# All but 1 % of the pixels of a copy, people included, are within so many levels ...
_COPY_PERCENT = 99.0
_COPY_LEVELS = 3.0
# ... or within so many times the usual difference.
_COPY_OF_USUAL = 2.5
# The usual difference is the smallest of this many new pictures: crowds that move and lamps raise the others.
_USUAL_PICTURES = 240
# With fewer it is not known.
_MIN_PICTURES = 3
# A larger difference, in levels, is no noise: a camera with so much of it is too noisy to be relied on.
_MAX_NOISE_LEVELS = 6.0


class Repetition:
    """Compares the pictures of one camera. same_s: for how long none was unlike those that came before."""

    def __init__(self) -> None:
        self.same_s = 0.0
        self._remembered: deque[Image] = deque(maxlen=_REMEMBERED)
        self._differences: deque[float] = deque(maxlen=_USUAL_PICTURES)
        self._compared_ns = 0
        self._new_ns = 0

    def update(self, sample: Image, stamp_ns: int) -> None:
        """Take in the next picture, (h, w) uint8. stamp_ns: later than the last."""
        if not self._remembered:
            self._remembered.append(sample)
            self._compared_ns = self._new_ns = stamp_ns
            return
        if stamp_ns - self._compared_ns >= ns_from_seconds(_PERIOD_S):
            self._compared_ns = stamp_ns
            difference = self._difference(sample)
            if difference is not None:
                self._remembered.append(sample)
                self._new_ns = stamp_ns
                if difference <= _MAX_NOISE_LEVELS:
                    self._differences.append(difference)
        self.same_s = seconds_from_ns(stamp_ns - self._new_ns)

    def _difference(self, sample: Image) -> float | None:
        """Return by how much the still part of a picture differs from the nearest earlier one; None for a copy."""
        usual = min(self._differences) if len(self._differences) >= _MIN_PICTURES else 0.0
        smallest = np.inf
        # A copy is most often one of what came last.
        for earlier in reversed(self._remembered):
            gap = cv2.absdiff(sample, earlier)
            still = mean_of_smallest(gap, _STILL_PERCENT)
            is_still = still <= max(_MIN_LEVELS, _COPY_FRACTION * usual)
            if is_still and percentile(gap, _COPY_PERCENT) <= max(_COPY_LEVELS, _COPY_OF_USUAL * usual):
                return None
            smallest = min(smallest, still)
        return float(smallest)
