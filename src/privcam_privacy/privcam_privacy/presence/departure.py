"""Decides whether a body that is no longer seen went out, over the border of the picture or through a door."""

from dataclasses import dataclass

import cv2

from privcam_core.types.arrays import Box, Mask
from privcam_privacy.background.grid import box_cells

# The box of a body touches the border within this fraction of the picture's side.
_BORDER_FRACTION = 0.03
# A body that goes out at the side keeps at least this fraction of its height: it is upright.
_UPRIGHT_FRACTION = 0.7
# Of a body that goes out at the side at most this fraction of its width is left.
_SIDE_STRIP_FRACTION = 0.5
# At the upper and the lower border a fall looks like an exit. An exit leaves at most this fraction of the height; a
# body that lies on the floor is higher than that.
_END_STRIP_FRACTION = 0.2
# A body that goes out through a door was last seen with this fraction of its box in the zone ...
_DOOR_FRACTION = 0.8
# ... and at least so many times as high as wide: somebody who has collapsed in the door is not.
_DOOR_UPRIGHT = 2.0


@dataclass
class BodyExtent:
    """The last box of a body, px, and the largest width and height that its boxes had."""

    box: Box = (0.0, 0.0, 0.0, 0.0)
    max_width: float = 0.0
    max_height: float = 0.0

    def update(self, box: Box) -> None:
        """Take the newest box."""
        self.box = box
        self.max_width = max(self.max_width, box[2] - box[0])
        self.max_height = max(self.max_height, box[3] - box[1])


def has_departed(extent: BodyExtent, shape: tuple[int, int]) -> bool:
    """Return whether the last box shows only the strip that is left of a person who walks out.

    shape: (H, W) of the picture. A body that came down, or of which more than a strip was in the picture, is still
    there: a person who falls towards a border touches the border too.
    """
    height, width = shape
    x0, y0, x1, y1 = extent.box
    if extent.max_width <= 0 or extent.max_height <= 0:
        return False
    at_side = x0 <= _BORDER_FRACTION * width or x1 >= width * (1 - _BORDER_FRACTION)
    at_end = y0 <= _BORDER_FRACTION * height or y1 >= height * (1 - _BORDER_FRACTION)
    upright = y1 - y0 >= _UPRIGHT_FRACTION * extent.max_height
    side_strip = x1 - x0 <= _SIDE_STRIP_FRACTION * extent.max_width
    end_strip = y1 - y0 <= _END_STRIP_FRACTION * extent.max_height
    return (at_side and upright and side_strip) or (at_end and end_strip)


def is_in_door(box: Box, doors: Mask) -> bool:
    """Return whether an upright body fills the box, px, and almost all of it is in the door zones, a grid mask."""
    zone = doors[box_cells(box, doors.shape)]
    inside = cv2.countNonZero(zone) if zone.size else 0
    return inside >= _DOOR_FRACTION * zone.size and box[3] - box[1] >= _DOOR_UPRIGHT * (box[2] - box[0]) > 0
