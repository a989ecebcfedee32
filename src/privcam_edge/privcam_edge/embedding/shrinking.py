"""Shrinks anonymous frames to the input of the bottleneck network."""

import cv2
import numpy as np

from privcam_core.types.arrays import Image

# Input of the network, (height, width) px: a person as high as a tenth of the picture is 24 px.
INPUT = (240, 320)


def shrink(image: Image) -> Image:
    """Return a picture (H, W, 3) uint8 BGR in the input size of the network, (*INPUT, 3)."""
    if image.shape[:2] == INPUT:
        return image
    return np.asarray(cv2.resize(image, INPUT[::-1], interpolation=cv2.INTER_AREA), np.uint8)
