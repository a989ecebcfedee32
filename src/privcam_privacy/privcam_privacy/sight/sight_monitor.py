"""Judges whether the camera sees well enough to be relied on. Outside of `Sight.CLEAR` nothing new may be confirmed.

The limits enclose the development clips, all of them by daylight or in lit rooms: there the detectors were validated.
`docs/results.md` has the measured numbers. The monitor reads all pixels, also those of people; its result is one value
of ten that changes at most twice a second.
"""

from dataclasses import dataclass

from privcam_core.images.picture_measures import PictureMeasures, measure_picture, reduce_picture
from privcam_core.types.arrays import Image
from privcam_core.types.sight import Sight
from privcam_core.types.time import ns_from_seconds
from privcam_privacy.sight.time_measures import TimeMeasures

# The bright parts (95th percentile) of a lit picture are above this level. By daylight: 80 or more; at a quarter of the
# light: 72 or less, also where white was 255.
_MIN_BRIGHT_LEVEL = 76.0
# A lamp in a dark room is bright, but half of the picture is below this level. By daylight: 34 or more.
_MIN_MID_LEVEL = 26.0
# More than this fraction of the picture overexposed. By daylight: 0.23 or less.
_MAX_WHITE_FRACTION = 0.5
# Smallest contrast, levels. By daylight: 52 or more.
_MIN_CONTRAST = 45.0
# Smallest contrast in multiples of the noise. By daylight: 48 or more; at a quarter of the light 36 or less.
_MIN_CONTRAST_OF_NOISE = 38.0
# Smallest fraction of the cells with structure. By daylight: 0.35 or more; in the dark 0.048 or more.
_MIN_STRUCTURE_FRACTION = 0.04
# Smallest sharpness. By daylight: 0.24 or more; after a blur of 1 % of the width (sigma of 8 px in 640) 0.13 to 0.19.
_MIN_SHARPNESS = 0.2
# Without one changed pixel for this long: frozen, s. By daylight: 0.2 s at most.
_IDENTICAL_S = 3.0
# Nothing but pictures that came before, encoded or dithered again, for this long: frozen, s. By daylight: 0.9 s or
# less. Longer than the above, because an encoder sends whole pictures of a still room only every few seconds.
_SAME_S = 10.0
# A view that moves farther than this in a second, as a fraction of the picture. By daylight: 0.016 or less.
_MAX_SHIFT = 0.025
# A change to blind, or from one reason to another, has to last this long, s.
_BLIND_AFTER_S = 0.5
# A change to clear has to last this long, s: whoever is at the limit stays blind.
_CLEAR_AFTER_S = 2.0
# After a gap of this length nothing that was measured before counts, s.
_GAP_S = 5.0


@dataclass(frozen=True)
class SightMeasures:
    """The numbers behind a judgement. noise: levels. same_s, identical_s: s. shift: fraction of the picture."""

    picture: PictureMeasures
    noise: float
    same_s: float
    identical_s: float
    shift: float


class SightMonitor:
    """Judges the pictures of one camera. measures: of the newest picture; None before the second."""

    def __init__(self) -> None:
        self.measures: SightMeasures | None = None
        self._time = TimeMeasures()
        self._shape: tuple[int, ...] = ()
        self._last_ns: int | None = None
        self._sight = Sight.UNKNOWN
        # What was found instead of _sight, and since when without interruption.
        self._pending: tuple[Sight, int] | None = None

    def update(self, image: Image, stamp_ns: int) -> Sight:
        """Return how well the camera sees. image: (H, W, 3) uint8. stamp_ns: capture time.

        The first picture, also after a gap, and one of another size give UNKNOWN. A stamp that is not later than the
        last changes nothing.
        """
        if self._last_ns is not None and stamp_ns <= self._last_ns and image.shape == self._shape:
            return self._sight
        gap = self._last_ns is None or stamp_ns - self._last_ns > ns_from_seconds(_GAP_S)
        if gap or image.shape != self._shape:
            self._time, self._sight, self._pending, self.measures = TimeMeasures(), Sight.UNKNOWN, None, None
        self._shape, self._last_ns = image.shape, stamp_ns
        grey, cells = reduce_picture(image)
        self._time.update(image, grey, stamp_ns)
        noise = self._time.noise
        if noise is None:
            return self._sight
        picture = measure_picture(grey, cells, image.shape[0] * image.shape[1] / cells.size, noise)
        self.measures = SightMeasures(picture, noise, self._time.same_s, self._time.identical_s, self._time.shift)
        self._settle(judge_sight(self.measures), stamp_ns)
        return self._sight

    def _settle(self, found: Sight, stamp_ns: int) -> None:
        """Change the result once `found` lasts long enough. The first judgement holds at once."""
        if found is self._sight:
            self._pending = None
            return
        if self._sight is Sight.UNKNOWN:
            self._sight = found
            return
        since_ns = stamp_ns
        if self._pending is not None and (self._pending[0] is Sight.CLEAR) == (found is Sight.CLEAR):
            since_ns = self._pending[1]
        self._pending = found, since_ns
        needed_s = _CLEAR_AFTER_S if found is Sight.CLEAR else _BLIND_AFTER_S
        if stamp_ns - since_ns >= ns_from_seconds(needed_s):
            self._sight, self._pending = found, None


def judge_sight(measures: SightMeasures) -> Sight:
    """Return what one picture shows of the camera's sight; the first reason that holds, the plainest first."""
    picture = measures.picture
    if picture.white_fraction > _MAX_WHITE_FRACTION:
        return Sight.OVEREXPOSED
    if picture.structure_fraction < _MIN_STRUCTURE_FRACTION:
        return Sight.COVERED
    if picture.bright_level < _MIN_BRIGHT_LEVEL or picture.mid_level < _MIN_MID_LEVEL:
        return Sight.DARK
    if measures.identical_s >= _IDENTICAL_S or measures.same_s >= _SAME_S:
        return Sight.FROZEN
    if picture.contrast < _MIN_CONTRAST:
        return Sight.LOW_CONTRAST
    if measures.shift > _MAX_SHIFT:
        return Sight.MOVED
    if measures.noise * _MIN_CONTRAST_OF_NOISE > picture.contrast:
        return Sight.NOISY
    return Sight.BLURRED if picture.sharpness < _MIN_SHARPNESS else Sight.CLEAR
