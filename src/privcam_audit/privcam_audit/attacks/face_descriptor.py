"""Describes faces as unit vectors, and proposes the windows of a picture in which to search for a face."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.models import load
from privcam_core.types.arrays import Box, Float32Array, Image
from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import HEAD, seen

# Centre x, y and side of a square, in px.
Window = tuple[float, float, float]

# A window with less spread than this (standard deviation of grey levels) is a wall or the fill: no face is in it.
FLAT = 2.0
DIMENSIONS = 1024
# Sides of the windows around a head, as fractions of the longer side of the person's box.
_HEAD_FRACTIONS = (0.15, 0.25, 0.4)
# Sides of the sliding windows, as fractions of the height of the picture, and the least one in px.
_GRID_FRACTIONS = (1 / 11, 1 / 7, 1 / 4)
_MIN_SIDE = 20.0


class FaceDescriptor:
    """Turns squares of a picture into unit vectors. Two faces are compared by the cosine, which is their product."""

    def __init__(self, threads: int = 1) -> None:
        """Load the model. Raises ModelError where it is missing."""
        self._session = load("faceres", threads=threads)
        self.crop = float(self._session.entry.decode["crop"])
        self.threshold = float(self._session.entry.decode["threshold"])

    def describe(self, image: Image, windows: Sequence[Window]) -> Float32Array:
        """Return (N, D) unit vectors of those windows of a (H, W, 3) BGR picture that show anything, N at most theirs.

        Colours are left out: the threshold was measured on grey pictures, and the light of a room has its own colour.
        """
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        size = self._session.entry.input.size[0]
        found = []
        for x, y, side in windows:
            scale = size / side
            move = np.array([[scale, 0, size / 2 - x * scale], [0, scale, size / 2 - y * scale]])
            square = cv2.warpAffine(grey, move, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            if square.std() < FLAT:
                continue
            vector = self._session.run_picture(np.repeat(square[..., None], 3, 2).astype(np.uint8))[0][0]
            length = float(np.linalg.norm(vector))
            # The network answers some texture with nothing at all: that is no face.
            if length > 0:
                found.append(vector / np.float32(length))
        return np.array(found, np.float32).reshape(len(found), DIMENSIONS)

    def around(self, face: Box) -> Window:
        """Return the window in which a face box from the face detector is described."""
        x0, y0, x1, y1 = (float(v) for v in face)
        return (x0 + x1) / 2, (y0 + y1) / 2, self.crop * max(x1 - x0, y1 - y0)


def head_windows(subjects: Sequence[SubjectPose]) -> list[Window]:
    """Return windows of several sizes around the head of each subject; around the top of the box if none is seen."""
    windows: list[Window] = []
    for subject in subjects:
        x0, y0, x1, y1 = subject.box
        visible = [int(joint) for joint in HEAD if seen(subject.keypoints)[joint]]
        x, y = subject.keypoints[visible, :2].mean(0) if visible else ((x0 + x1) / 2, y0 + 0.1 * (y1 - y0))
        windows += [(float(x), float(y), fraction * max(x1 - x0, y1 - y0)) for fraction in _HEAD_FRACTIONS]
    return windows


def grid_windows(height: int, width: int) -> list[Window]:
    """Return windows of several sizes that slide over a picture by half of their side."""
    windows: list[Window] = []
    for side in sorted({max(fraction * height, _MIN_SIDE) for fraction in _GRID_FRACTIONS}):
        rows = np.arange(side / 2, height - side / 2 + 1, side / 2)
        columns = np.arange(side / 2, width - side / 2 + 1, side / 2)
        windows += [(float(x), float(y), side) for y in rows for x in columns]
    return windows


def touched(windows: Sequence[Window], changed: npt.NDArray[np.bool_]) -> list[Window]:
    """Return the windows that hold at least one pixel of `changed`, (H, W)."""
    kept = []
    for x, y, side in windows:
        top, left = max(0, int(y - side / 2)), max(0, int(x - side / 2))
        if changed[top : int(y + side / 2) + 1, left : int(x + side / 2) + 1].any():
            kept.append((x, y, side))
    return kept
