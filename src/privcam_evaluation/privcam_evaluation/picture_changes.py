"""Changes of pictures: darkness, compression, a lamp that is switched."""

import cv2
import numpy as np

from privcam_core.types.arrays import FloatArray, Image

# Black of a camera at night, in levels.
_NIGHT_OFFSET = 8.0
# What a lamp does to the bright side and to the dark side of a room: factor and levels added.
_LIT_GAIN, _LIT_OFFSET = 1.35, 10.0
_SHADED_GAIN, _SHADED_OFFSET = 0.85, 0.0


def darken(image: Image, gain: float) -> Image:
    """Return the picture of a camera at night: grey, with `gain` of the light."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32) * gain + _NIGHT_OFFSET
    return _to_picture(np.repeat(grey[..., None], 3, axis=2))


def recompress(image: Image, quality: int) -> Image:
    """Return the picture after a JPEG encoder of `quality` (1 to 100) and a decoder."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"recompress: a picture of shape {image.shape} cannot be encoded")
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def switch_lamp(image: Image) -> Image:
    """Return the picture with a lamp on at its left side: brighter there, darker at the other side."""
    side = np.linspace(0.0, 1.0, image.shape[1], dtype=np.float32)[None, :, None]
    # The edge of the shadow is narrow.
    shaded = np.clip((side - 0.4) / 0.2, 0.0, 1.0)
    gain = _LIT_GAIN * (1 - shaded) + _SHADED_GAIN * shaded
    offset = _LIT_OFFSET * (1 - shaded) + _SHADED_OFFSET * shaded
    return _to_picture(image.astype(np.float32) * gain + offset)


def _to_picture(values: FloatArray) -> Image:
    return np.clip(values, 0, 255).astype(np.uint8)
