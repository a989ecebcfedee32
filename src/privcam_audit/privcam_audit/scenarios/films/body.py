"""The body of a person cut out of a scene, and put into it elsewhere."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from privcam_audit.scenarios.scene import Scene
from privcam_core.types.arrays import BoolArray, Image, Region

# Holes in a body up to this fraction of the picture's height are filled: clothes like the wall.
_HOLE_FRACTION = 0.04
# Where the room is not known it is painted from the pixels around, up to this many px away.
_PAINT_PX = 5


@dataclass(frozen=True, eq=False)
class Body:
    """The person of a scene, and the scene without anybody. cut: (H, W), the body where it was. region: around it."""

    scene: Scene
    empty: Image
    cut: BoolArray
    region: Region

    def moved(self, dx: int, dy: int, *, lying: bool = False) -> Scene:
        """Return the scene with the body `dx`, `dy` px further right and below. lying: turned by a quarter before."""
        x0, y0, x1, y1 = self.region
        centre = (x0 + x1) / 2, (y0 + y1) / 2
        matrix = cv2.getRotationMatrix2D(centre, 90.0 if lying else 0.0, 1.0)
        matrix[:, 2] += dx, dy
        size = self.scene.shape[1], self.scene.shape[0]
        cut = cv2.warpAffine(self.cut.astype(np.uint8), matrix, size, flags=cv2.INTER_NEAREST) > 0
        body = cv2.warpAffine(self.scene.picture, matrix, size)
        return replace(
            self.scene,
            picture=np.where(cut[..., None], body, self.empty),
            room=self.empty,
            known=np.ones_like(cut),
            person=cut,
            labelled=_grow(cut, _HOLE_FRACTION),
        )


def body_of(scene: Scene) -> Body:
    """Return the largest body of a scene. Raises ValueError where no pixel is a person's."""
    cut = _largest(_close(scene.person, _HOLE_FRACTION))
    # What the label of a body contains and the room is not known for is painted from around it.
    unknown = _grow(scene.person & ~scene.known, _HOLE_FRACTION) & ~scene.known
    empty = np.where(scene.known[..., None], scene.room, scene.picture)
    if unknown.any():
        empty = np.asarray(cv2.inpaint(empty, unknown.astype(np.uint8), _PAINT_PX, cv2.INPAINT_TELEA), np.uint8)
    rows, columns = np.flatnonzero(cut.any(axis=1)), np.flatnonzero(cut.any(axis=0))
    region = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    return Body(scene, empty, cut, region)


def _largest(mask: BoolArray) -> BoolArray:
    count, numbers, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        raise ValueError("body_of: the scene shows nobody")
    return np.asarray(numbers == 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA])), np.bool_)


def _close(mask: BoolArray, fraction: float) -> BoolArray:
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, _kernel(mask, fraction))
    return np.asarray(closed > 0, np.bool_)


def _grow(mask: BoolArray, fraction: float) -> BoolArray:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), _kernel(mask, fraction)) > 0, np.bool_)


def _kernel(mask: BoolArray, fraction: float) -> Image:
    side = 2 * max(1, round(fraction * mask.shape[0])) + 1
    return np.ones((side, side), np.uint8)
