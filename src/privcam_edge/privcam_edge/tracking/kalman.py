"""The motion model of DeepSORT (Wojke et al. 2017): a constant-velocity Kalman filter over person boxes.

A measurement is (u, v, γ, h): box centre in px, aspect ratio width / height, height in px. A state adds the four
velocities, each per second. The paper counts in frames; here noise is a density over time, so that one step of 0.2 s
is the same as six steps of 1/30 s and a skipped frame costs no more than the time that it took.

All functions take stacks of N tracks: means (N, 8), covariances (N, 8, 8).
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# 95 % quantile of χ² with 4 degrees of freedom: the Mahalanobis gate of the paper for a full measurement.
GATE = 9.4877

# Standard deviations relative to the height of the box, because the error of a box grows with the person.
_MEASURED = 1 / 20  # of u, v and h: as in the paper
_MEASURED_ASPECT = 0.1  # of γ: as in the paper
# The paper lets position wander by h/20 in every frame of a 30 Hz video. As a density over time:
_WANDER = _MEASURED * np.sqrt(30)  # of u, v and h, per √s
_WANDER_ASPECT = 0.01 * np.sqrt(30)  # of γ, per √s
# How velocity wanders, in heights/s per √s. The paper has 1.0, which also covers a camera that moves; ours stands.
_SWERVE = 0.3
# Speed that a person may have when first seen, in heights/s: a brisk walk. The paper has 1.9, for the same reason.
_FIRST_SPEED = 1.1
# The aspect ratio has next to no velocity of its own: 1e-5 per frame, as in the paper.
_FIRST_SPEED_ASPECT = 1e-5 * 30
_SWERVE_ASPECT = _FIRST_SPEED_ASPECT * np.sqrt(30)


def to_measurements(boxes: npt.NDArray[np.floating]) -> FloatArray:
    """Return (N, 4) u, v, γ, h of (N, 4) boxes x0, y0, x1, y1 in px. Boxes need a positive width and height."""
    boxes = np.asarray(boxes, np.float64)
    size = boxes[:, 2:] - boxes[:, :2]
    return np.column_stack((boxes[:, :2] + size / 2, size[:, 0] / size[:, 1], size[:, 1]))


def to_boxes(means: FloatArray) -> FloatArray:
    """Return (N, 4) boxes x0, y0, x1, y1 in px of states or measurements (N, 4 or more)."""
    half = np.column_stack((means[:, 2] * means[:, 3], means[:, 3])) / 2
    return np.hstack((means[:, :2] - half, means[:, :2] + half))


def _scaled(heights: FloatArray, relative: float, aspect: float) -> FloatArray:
    """Return (N, 4) standard deviations: `relative` heights for u, v and h, `aspect` for γ."""
    std = np.repeat(heights[:, None] * relative, 4, axis=1)
    std[:, 2] = aspect
    return std


def initiate(measurements: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the states of N new tracks at rest, with the doubt that they may be walking. measurements: (N, 4)."""
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


def predict(means: FloatArray, covariances: FloatArray, dt: float) -> tuple[FloatArray, FloatArray]:
    """Return the states `dt` seconds later."""
    move = np.eye(8)
    move[:4, 4:] = np.eye(4) * dt
    wander = _scaled(means[:, 3], _WANDER, _WANDER_ASPECT) ** 2
    swerve = _scaled(means[:, 3], _SWERVE, _SWERVE_ASPECT) ** 2
    noise = np.zeros_like(covariances)
    place, speed = np.arange(4), np.arange(4, 8)
    # Velocity that wanders as white noise moves the place by its integral.
    noise[:, place, place] = wander * dt + swerve * dt**3 / 3
    noise[:, place, speed] = noise[:, speed, place] = swerve * dt**2 / 2
    noise[:, speed, speed] = swerve * dt
    return means @ move.T, move @ covariances @ move.T + noise


def project(means: FloatArray, covariances: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return what would be measured: (N, 4) and its covariance (N, 4, 4) with the noise of the detector."""
    expected = covariances[:, :4, :4].copy()
    diagonal = np.arange(4)
    expected[:, diagonal, diagonal] += _scaled(means[:, 3], _MEASURED, _MEASURED_ASPECT) ** 2
    return means[:, :4], expected


def gating_distances(means: FloatArray, covariances: FloatArray, measurements: FloatArray) -> FloatArray:
    """Return (N, M) squared Mahalanobis distances of N tracks to M measurements; compare with GATE."""
    expected, covariance = project(means, covariances)
    offsets = measurements[None] - expected[:, None]
    return np.asarray(np.einsum("nmi,nij,nmj->nm", offsets, np.linalg.inv(covariance), offsets))


def update(means: FloatArray, covariances: FloatArray, measurements: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the states after each of N tracks was measured. measurements: (N, 4)."""
    expected, covariance = project(means, covariances)
    gain = np.swapaxes(np.linalg.solve(covariance, covariances[:, :4, :]), 1, 2)
    means = means + np.einsum("nij,nj->ni", gain, measurements - expected)
    covariances = covariances - gain @ covariance @ np.swapaxes(gain, 1, 2)
    return means, (covariances + np.swapaxes(covariances, 1, 2)) / 2
