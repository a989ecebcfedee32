"""Encodes the difference between two environment pictures as a PNG, a patch. A picture is large and changes little.

A patch has the size of the whole picture. An unchanged pixel is (0, 0, 0) with alpha KEPT; every other pixel is written
as in a whole picture (`privcam_core.images.environment`). A patch is checked as strictly as a whole picture: it holds
pixels and the confirmed mask only, and an unchanged pixel cannot hold data.
"""

import cv2
import numpy as np

from privcam_core.images.environment import FILL
from privcam_core.images.png import decode_png, encode_png
from privcam_core.types.arrays import BoolArray, Image

# Alpha of an unchanged pixel. A whole picture has alpha 0 and 255 only.
KEPT = 127

# (plate, confirmed): (H, W, 3) uint8 BGR, (H, W) bool.
Picture = tuple[Image, BoolArray]


def changed_pixels(new: Picture, base: Picture) -> BoolArray:
    """Return the pixels in which two pictures of one size differ, (H, W) bool. Raises ValueError for two sizes."""
    if new[1].shape != base[1].shape:
        raise ValueError(f"patch: the picture is {new[1].shape}, its base {base[1].shape}")
    other_colour = cv2.absdiff(new[0], base[0]).any(axis=2)
    return np.asarray((new[1] != base[1]) | (new[1] & other_colour))


def encode_patch(new: Picture, base: Picture) -> bytes:
    """Return the PNG that makes `new` of `base`. Privacy: a pixel that is not confirmed in `new` is written as FILL.

    Raises ValueError for pictures of two sizes.
    """
    changed = changed_pixels(new, base)
    plate, confirmed = new
    bgra = np.zeros((*confirmed.shape, 4), np.uint8)
    bgra[..., 3] = KEPT
    gained, lost = changed & confirmed, changed & ~confirmed
    bgra[gained, :3] = plate[gained]
    bgra[gained, 3] = 255
    bgra[lost] = (FILL, FILL, FILL, 0)
    return encode_png(bgra)


def apply_patch(png: bytes, base: Picture) -> Picture:
    """Return the picture that a patch makes of `base`.

    Raises ValueError for anything but an 8-bit RGBA picture of the size of `base` with alpha 0, KEPT or 255, FILL below
    alpha 0 and black below KEPT, and no other content.
    """
    bgra = decode_png(png)
    if bgra.shape[:2] != base[1].shape:
        raise ValueError(f"patch: {bgra.shape[:2]} is not the size of its base, {base[1].shape}")
    alpha, colours = bgra[..., 3], bgra[..., :3]
    kept, confirmed, fill = alpha == KEPT, alpha == 255, alpha == 0
    if not (kept | confirmed | fill).all():
        raise ValueError(f"patch: the alpha plane has a value other than 0, {KEPT} and 255")
    if (colours[fill] != FILL).any() or colours[kept].any():
        raise ValueError("patch: an unchanged pixel or a pixel with alpha 0 hides a colour")
    plate = np.where(kept[..., None], base[0], colours)
    return np.ascontiguousarray(plate), np.where(kept, base[1], confirmed)
