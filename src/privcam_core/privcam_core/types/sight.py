"""Whether the camera sees well enough to be relied on. Outside of `CLEAR` the edge is blind, and Ω gives the reason."""

from enum import IntEnum


class Sight(IntEnum):
    """What the camera sees; the values are those of `privcam_msgs/PrivacyReport`."""

    UNKNOWN = 0  # not measured yet: the first frame
    CLEAR = 1  # within the range in which the detectors were validated
    DARK = 2  # too little light
    OVEREXPOSED = 3  # most of the picture is white
    LOW_CONTRAST = 4  # fog, a curtain, a dirty lens
    NOISY = 5  # the noise hides what moves
    BLURRED = 6  # out of focus
    COVERED = 7  # almost no structure
    FROZEN = 8  # the same frame again and again
    MOVED = 9  # the camera is being turned, or was a moment ago


_REASONS = {
    Sight.UNKNOWN: "not measured yet",
    Sight.CLEAR: "clear",
    Sight.DARK: "too dark",
    Sight.OVEREXPOSED: "overexposed",
    Sight.LOW_CONTRAST: "too little contrast",
    Sight.NOISY: "too noisy",
    Sight.BLURRED: "out of focus",
    Sight.COVERED: "covered",
    Sight.FROZEN: "the same picture again and again",
    Sight.MOVED: "camera moved",
}


def is_blind(sight: Sight) -> bool:
    """Return whether the camera was measured, and cannot be relied on."""
    return sight not in (Sight.UNKNOWN, Sight.CLEAR)


def describe_sight(sight: Sight) -> str:
    """Return the state in a few words."""
    return _REASONS[sight]
