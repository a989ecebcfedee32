"""Encodes and decodes the environment picture: a PNG with the confirmed background and the confirmed mask as alpha.

A confirmed pixel has alpha 255; every other pixel is FILL with alpha 0, so a colour cannot be hidden below alpha 0.
"""

import struct
from hashlib import sha256

import cv2
import numpy as np

from privcam_core.images.png import decode_png, encode_png, require_bgr8, require_size
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.omega import Environment, SyncKey

# Value of all three channels of a pixel that is not confirmed background.
FILL = 128


def encode_environment(plate: Image, confirmed: BoolArray) -> bytes:
    """Return the environment as an 8-bit RGBA PNG.

    plate: (H, W, 3) uint8 BGR. confirmed: (H, W), True where the plate is confirmed background (alpha 255).
    Privacy: a pixel that is not confirmed is written as FILL.
    The same input gives the same bytes. Raises ValueError for a wrong shape or type, or a PNG that is too large.
    """
    require_bgr8(plate, "plate")
    if confirmed.dtype != np.bool_ or confirmed.shape != plate.shape[:2]:
        raise ValueError(
            f"confirmed: is {confirmed.dtype} of shape {confirmed.shape}, needs bool of shape {plate.shape[:2]}"
        )
    height, width = confirmed.shape
    require_size(width, height)
    return encode_png(_bgra(plate, confirmed))


def _bgra(plate: Image, confirmed: BoolArray) -> Image:
    """Return (H, W, 4) BGRA with alpha 255 where confirmed, otherwise FILL with alpha 0."""
    alpha = np.where(confirmed, np.uint8(255), np.uint8(0))
    shown = cv2.copyTo(plate, alpha, np.full_like(plate, FILL))
    return np.asarray(cv2.merge([*cv2.split(shown), alpha]), np.uint8)


def picture_digest(plate: Image, confirmed: BoolArray) -> bytes:
    """Return the SHA-256 of the pixels of a picture, 32 bytes; it does not depend on the PNG encoder.

    plate, confirmed: as for `encode_environment`. Hashed are height and width (uint32, little endian), then R, G, B, A
    of every pixel, row by row, with FILL and alpha 0 where it is not confirmed.
    """
    rgba = cv2.cvtColor(_bgra(plate, confirmed), cv2.COLOR_BGRA2RGBA)
    return sha256(struct.pack("<II", *confirmed.shape) + rgba.tobytes()).digest()


def environment_of(key: SyncKey, png: bytes, epoch: int, planes: tuple[Image, BoolArray] | None = None) -> Environment:
    """Return the environment of a whole picture. planes: (plate, confirmed) that it was encoded from, if known.

    Raises ValueError for a PNG without planes that `decode_environment` refuses.
    """
    plate, confirmed = planes or decode_environment(png)
    height, width = confirmed.shape
    confirmed_fraction = float(np.float32(confirmed.mean()))  # the message field has single precision
    return Environment(key, png, picture_digest(plate, confirmed), height, width, confirmed_fraction, epoch)


def decode_environment(png: bytes) -> tuple[Image, BoolArray]:
    """Return (plate, confirmed) of an environment PNG: (H, W, 3) uint8 BGR, (H, W) bool.

    Raises ValueError for anything but an 8-bit RGBA picture with alpha 0 or 255, FILL below alpha 0, and no other
    content. Sizes are checked before a pixel is unpacked.
    """
    bgra = decode_png(png)
    alpha = bgra[..., 3]
    confirmed = alpha == 255
    if not (confirmed | (alpha == 0)).all():
        raise ValueError("PNG: the alpha plane has a value other than 0 and 255")
    plate = np.ascontiguousarray(bgra[..., :3])
    if (plate[~confirmed] != FILL).any():
        raise ValueError(f"PNG: a pixel with alpha 0 hides a colour other than the fill {FILL}")
    return plate, confirmed
