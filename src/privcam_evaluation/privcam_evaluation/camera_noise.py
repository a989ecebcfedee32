"""Noise of a sensor, for pictures that are held or drawn: a camera never gives the same picture twice."""

import numpy as np

from privcam_core.types.arrays import Image

# Standard deviation of the noise of an ordinary camera by day in each pixel, in levels; its three channels share it.
NOISE_LEVELS = 2.0


def add_noise(image: Image, random: np.random.Generator) -> Image:
    """Return the picture, (H, W, 3) uint8, with fresh noise of the sensor."""
    noise = random.normal(0, NOISE_LEVELS, image.shape[:2]).astype(np.float32)
    return np.clip(image.astype(np.float32) + noise[..., None], 0, 255).astype(np.uint8)
