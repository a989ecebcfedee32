"""Colours that tell subjects apart. A colour depends on the SubjectID alone, so it reveals nothing of the person."""

from functools import lru_cache
from math import cos, radians, sin

Bgr = tuple[int, int, int]

# Colours lie on rings of equal lightness in OKLCH (Björn Ottosson, "A perceptual color space for image processing",
# 2020), so that no subject is more prominent than another. All rings are well lighter than the fill grey of 128.
_LIGHTNESS = (0.80, 0.88, 0.77)
_CHROMA = (0.125, 0.085, 0.105)
# Red means alarm (captions use it), so subjects never get a hue from ALARM_HUE ± half the gap, in degrees.
_ALARM_HUE = 29.0
_ALARM_GAP = 60.0
# Hues on one ring: with more, neighbours are hard to distinguish.
_PER_RING = 8
# Consecutive ids are this many hues apart.
_STRIDE = 3
# Number of colours; after that many ids they repeat.
COLORS = _PER_RING * len(_LIGHTNESS)
# Hue of the first subject, which is the most frequent: blue.
_FIRST = 4


def index(subject_id: int) -> int:
    """Return the number of the colour of a subject, in [0, COLORS)."""
    return (subject_id - 1) % COLORS


@lru_cache(maxsize=1024)
def color(subject_id: int) -> Bgr:
    """Return the (blue, green, red) colour of a subject, each 0 to 255. The same id always gives the same colour."""
    step = index(subject_id)
    ring = step // _PER_RING
    # Each ring is turned against the one before, so that its hues fall between.
    turn = ((_FIRST + step * _STRIDE) % _PER_RING + ring / len(_LIGHTNESS)) / _PER_RING
    hue = radians(_ALARM_HUE + _ALARM_GAP / 2 + turn * (360.0 - _ALARM_GAP))
    return _oklch_to_bgr(_LIGHTNESS[ring], _CHROMA[ring], hue)


@lru_cache(maxsize=4096)
def mix(a: Bgr, b: Bgr, fraction: float) -> Bgr:
    """Return the colour that lies `fraction` (0 to 1) of the way from a to b."""
    blue, green, red = (round(x + (y - x) * fraction) for x, y in zip(a, b, strict=True))
    return blue, green, red


def _oklch_to_bgr(lightness: float, chroma: float, hue: float) -> Bgr:
    """Convert OKLCH (hue in rad) to 8-bit sRGB in BGR order; what lies outside of sRGB is clipped."""
    a, b = chroma * cos(hue), chroma * sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return _encode(blue), _encode(green), _encode(red)


def _encode(linear: float) -> int:
    """Return the 8-bit sRGB value of a linear intensity."""
    linear = min(max(linear, 0.0), 1.0)
    value = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(255 * value)
