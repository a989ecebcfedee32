"""Normalises the contrast of dark pictures before a network sees them. The networks learnt from daylight."""

import cv2
import numpy as np

from privcam_core.types.arrays import BoolArray, Image

# The darkest and brightest parts of a picture, percentiles: single lamps and dead pixels do not count.
_DARK_PERCENT, _BRIGHT_PERCENT = 2.0, 98.0
# A picture with bright parts from this level on is left byte for byte as it is. So are all development clips by
# daylight (docs/results.md). At a quarter of the light white is at 72 or less.
_LIT_LEVEL = 84.0
# After the stretch dark and bright are at these levels.
_DARK_TARGET, _BRIGHT_TARGET = 10.0, 220.0
# Differences are enlarged by no more than this: beyond it there is only noise.
_MAX_GAIN = 12.0
# Every so many px in both directions are enough for the percentiles.
_SAMPLE_STEP = 4


def normalize_contrast(image: Image, where: BoolArray | None = None) -> Image:
    """Return a dark picture, (H, W, 3) uint8 BGR, with the contrast of daylight; any other one as it is.

    where: (H, W), the pixels that are measured and changed; None for all.
    """
    sample = image[::_SAMPLE_STEP, ::_SAMPLE_STEP]
    grey = cv2.cvtColor(np.ascontiguousarray(sample), cv2.COLOR_BGR2GRAY)
    measured = grey if where is None else grey[where[::_SAMPLE_STEP, ::_SAMPLE_STEP]]
    if not measured.size:
        return image
    dark, bright = np.percentile(measured, (_DARK_PERCENT, _BRIGHT_PERCENT)).tolist()
    if bright >= _LIT_LEVEL:
        return image
    gain = min(_MAX_GAIN, (_BRIGHT_TARGET - _DARK_TARGET) / max(bright - dark, 1.0))
    levels = (np.arange(256) - dark) * gain + _DARK_TARGET
    stretched = np.asarray(cv2.LUT(image, np.clip(np.rint(levels), 0, 255).astype(np.uint8)), np.uint8)
    if where is not None:
        stretched[~where] = image[~where]
    return stretched
