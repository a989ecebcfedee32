"""Baselines to compare with: the whole picture blurred, or pixelated."""

from collections.abc import Callable

import cv2
import numpy as np

from privcam_core.types.arrays import Image

# Standard deviation of the Gaussian as a fraction of the picture's width: 10 px at 640 px.
BLUR_SIGMA = 1 / 64
# Side of a tile as a fraction of the picture's width: 16 px at 640 px.
TILE = 1 / 40


def blur(image: Image) -> Image:
    """Return the picture (H, W, 3) blurred as a whole."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), BLUR_SIGMA * image.shape[1]), np.uint8)


def pixelate(image: Image) -> Image:
    """Return the picture (H, W, 3) in tiles of one colour."""
    height, width = image.shape[:2]
    side = TILE * width
    tiles = cv2.resize(image, (round(width / side), max(1, round(height / side))), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(tiles, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


BASELINES: dict[str, Callable[[Image], Image]] = {"blur": blur, "pixelate": pixelate}
