"""The motion model of DeepSORT (Wojke et al. 2017): a constant-velocity Kalman filter over person boxes.

A measurement is (u, v, γ, h): box centre in px, aspect ratio width / height, height in px. A state adds the four
velocities, each per second. The article counts in frames; here noise is a density over time, so that one step of 0.2 s
is the same as six steps of 1/30 s and a skipped frame costs no more than the time that it took.

All functions take stacks of N tracks: means (N, 8), covariances (N, 8, 8).
"""

import numpy as np

from privcam_core.types.arrays import Float64Array, FloatArray

# 95 % quantile of χ² with 4 degrees of freedom: the Mahalanobis gate of the article for a full measurement.
GATE = 9.4877

# Standard deviations relative to the height of the box, because the error of a box grows with the person.
_MEASURED = 1 / 20  # of u, v and h: as in the article
_MEASURED_ASPECT = 0.1  # of γ: as in the article
# Process noise of the position. The article has h/20 in every frame of a 30 Hz video; here it is a density over time.
_POSITION_NOISE = _MEASURED * np.sqrt(30)  # of u, v and h, per √s
_POSITION_NOISE_ASPECT = 0.01 * np.sqrt(30)  # of γ, per √s
# Process noise of the velocity, in heights/s per √s. The article has 1.0, for a moving camera; ours stands still.
_VELOCITY_NOISE = 0.3
# Speed that a person may have when first seen, in heights/s: a brisk walk. The article has 1.9, for a moving camera.
_FIRST_SPEED = 1.1
# The aspect ratio has next to no velocity of its own: 1e-5 per frame, as in the article.
_FIRST_SPEED_ASPECT = 1e-5 * 30
_VELOCITY_NOISE_ASPECT = _FIRST_SPEED_ASPECT * np.sqrt(30)


def to_measurements(boxes: FloatArray) -> Float64Array:
    """Return (N, 4) u, v, γ, h of (N, 4) boxes x0, y0, x1, y1 in px. Boxes need a positive width and height."""
    boxes = np.asarray(boxes, np.float64)
    size = boxes[:, 2:] - boxes[:, :2]
    return np.column_stack((boxes[:, :2] + size / 2, size[:, 0] / size[:, 1], size[:, 1]))


def to_boxes(means: Float64Array) -> Float64Array:
    """Return (N, 4) boxes x0, y0, x1, y1 in px of states or measurements (N, 4 or more)."""
    half = np.column_stack((means[:, 2] * means[:, 3], means[:, 3])) / 2
    return np.hstack((means[:, :2] - half, means[:, :2] + half))


def _scaled(heights: Float64Array, relative: float, aspect: float) -> Float64Array:
    """Return (N, 4) standard deviations: `relative` heights for u, v and h, `aspect` for γ."""
    std = np.repeat(heights[:, None] * relative, 4, axis=1)
    std[:, 2] = aspect
    return std


def initiate(measurements: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return the states of N new tracks at rest, with the variance of a walking person. measurements: (N, 4)."""
    count = len(measurements)
    means = np.hstack((measurements, np.zeros((count, 4))))
    heights = measurements[:, 3]
    std = np.hstack(
        (
            2 * _scaled(heights, _MEASURED, _MEASURED_ASPECT),
            _scaled(heights, _FIRST_SPEED, _FIRST_SPEED_ASPECT),
        )
    )
    covariances = np.zeros((count, 8, 8))
    covariances[:, np.arange(8), np.arange(8)] = std**2
    return means, covariances


def predict(means: Float64Array, covariances: Float64Array, dt: float) -> tuple[Float64Array, Float64Array]:
    """Return the states `dt` seconds later."""
    move = np.eye(8)
    move[:4, 4:] = np.eye(4) * dt
    position_noise = _scaled(means[:, 3], _POSITION_NOISE, _POSITION_NOISE_ASPECT) ** 2
    velocity_noise = _scaled(means[:, 3], _VELOCITY_NOISE, _VELOCITY_NOISE_ASPECT) ** 2
    noise = np.zeros_like(covariances)
    position, velocity = np.arange(4), np.arange(4, 8)
    # White noise of the velocity moves the position by its integral.
    noise[:, position, position] = position_noise * dt + velocity_noise * dt**3 / 3
    noise[:, position, velocity] = noise[:, velocity, position] = velocity_noise * dt**2 / 2
    noise[:, velocity, velocity] = velocity_noise * dt
    return means @ move.T, move @ covariances @ move.T + noise


def project(means: Float64Array, covariances: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return the expected measurements (N, 4) and their covariances (N, 4, 4), with the noise of the detector."""
    expected = covariances[:, :4, :4].copy()
    diagonal = np.arange(4)
    expected[:, diagonal, diagonal] += _scaled(means[:, 3], _MEASURED, _MEASURED_ASPECT) ** 2
    return means[:, :4], expected


def gating_distances(means: Float64Array, covariances: Float64Array, measurements: Float64Array) -> Float64Array:
    """Return (N, M) squared Mahalanobis distances of N tracks to M measurements; compare with GATE."""
    expected, covariance = project(means, covariances)
    offsets = measurements[None] - expected[:, None]
    return np.asarray(np.einsum("nmi,nij,nmj->nm", offsets, np.linalg.inv(covariance), offsets))


def update(
    means: Float64Array, covariances: Float64Array, measurements: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Return the states after each of N tracks was measured. measurements: (N, 4)."""
    expected, covariance = project(means, covariances)
    kalman_gain = np.swapaxes(np.linalg.solve(covariance, covariances[:, :4, :]), 1, 2)
    means = means + np.einsum("nij,nj->ni", kalman_gain, measurements - expected)
    covariances = covariances - kalman_gain @ covariance @ np.swapaxes(kalman_gain, 1, 2)
    return means, (covariances + np.swapaxes(covariances, 1, 2)) / 2
