"""Estimates the orientation of a head from its keypoints, with a rigid head of average proportions far away."""

from functools import cache
from math import asin, atan2

import numpy as np

from privcam_core.types.arrays import Float64Array, FloatArray
from privcam_core.types.omega import HeadOrientation
from privcam_core.types.skeleton import HEAD, Joint, seen

# Positions on an average head in units of half the distance between the ears (72 mm), from the middle between the
# ears: to the subject's left, up, forward.
_POINTS = {
    Joint.NOSE: (0.0, -0.35, 1.7),
    Joint.LEFT_EYE: (0.44, 0.2, 1.3),
    Joint.RIGHT_EYE: (-0.44, 0.2, 1.3),
    Joint.LEFT_EAR: (1.0, 0.0, 0.0),
    Joint.RIGHT_EAR: (-1.0, 0.0, 0.0),
}
# The nose and three other points determine left and forward; with fewer points, noise would.
_MIN_POINTS = 4
# On a smaller head, an error of one pixel turns the orientation by more than a quarter of a right angle.
_MIN_HALF_WIDTH_PX = 2.0
# Iterations of the correction for the heights on the head.
_ITERATIONS = 3


def head_orientation(keypoints: FloatArray) -> HeadOrientation | None:
    """Return the orientation of a head that faces the camera's side, None if too few of its points are visible.

    keypoints: (17, 3) u, v in px and ρ. Yaw is within ±90°: beyond that the nose is not visible.
    """
    visible = seen(keypoints)
    used = tuple(joint for joint in HEAD if visible[joint])
    if Joint.NOSE not in used or len(used) < _MIN_POINTS:
        return None
    solver, heights = _head_of(used)
    # Here y is up and z is towards the camera, so that an upright head that faces the camera has no rotation.
    picture = keypoints[list(used), :2].astype(np.float64) * (1.0, -1.0)
    height_offset = np.zeros_like(picture)
    # The heights on the head are small: they are ignored at first and then corrected.
    for _ in range(_ITERATIONS):
        left, forward = solver @ (picture - height_offset)
        scale, axes = _lift(left, forward)
        if scale < _MIN_HALF_WIDTH_PX:
            return None
        height_offset = np.outer(scale * heights, axes[:2, 1]).astype(np.float64)
    return HeadOrientation(
        yaw=atan2(axes[0, 2], axes[2, 2]),
        pitch=asin(float(np.clip(axes[1, 2], -1, 1))),
        roll=atan2(-axes[1, 0], axes[1, 1]),
    )


@cache
def _head_of(used: tuple[Joint, ...]) -> tuple[Float64Array, Float64Array]:
    """Return, for points of the head, the (2, N) solver of the least squares, and the (N,) heights of the points.

    The solver makes of their pictures (N, 2) those of one unit to the left and of one unit forward of the head. There
    are a few sets of points only.
    """
    model = np.array([_POINTS[joint] for joint in used])
    system = np.column_stack([model[:, [0, 2]], np.ones(len(model))])
    return np.linalg.pinv(system)[:2], model[:, 1]


def _lift(left: Float64Array, forward: Float64Array) -> tuple[float, Float64Array]:
    """Return the scale in px and the (3, 3) rotation whose columns are the head's left, up and forward.

    left, forward: (2,) pictures of two axes that are at a right angle and equally long in space. That gives their
    depths l and f: l·f = -left·forward and l² - f² = |forward|² - |left|², so (f + i·l)² is known. Of the two roots
    the one with the face to the camera is taken.
    """
    square = complex(left @ left - forward @ forward, -2 * (left @ forward))
    root = square**0.5  # the principal root has a real part >= 0: forward is towards the camera
    in_space = np.array([[*left, root.imag], [*forward, root.real]])
    scale = float(np.linalg.norm(in_space, axis=1).mean())
    if scale == 0:
        return 0.0, np.eye(3)
    x, z = in_space / scale
    return scale, np.column_stack([x, np.cross(z, x), z])
