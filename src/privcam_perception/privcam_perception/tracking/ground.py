"""Estimates the ground-contact line of a person, also while the feet are hidden or cut off."""

import math

from privcam_core.types.arrays import Box

# If a box is shorter than this fraction of its person, the person is bent or the feet are hidden.
_SHORT = 0.85
# A smaller height (the person walked away or sat down) is accepted after about this time.
_SHRINK_S = 3.0
# The boxes of a detector jitter by some 3 % of the height; smoothing over this time lags a step behind.
_SMOOTHING_S = 0.2
# While the feet are hidden, the box of a person who came nearer keeps growing for about this long.
_TREND_S = 1.0
# Time constant of the estimate of that growth.
_TREND_SMOOTHING_S = 0.5
# The box of a person grows by at most this fraction per second, without a vehicle.
_MAX_TREND = 1.0
# Usual width of a standing person's box over its height, for a cut-off person whose full height was never seen.
_ASPECT = 0.41
# A box that ends this close to the lower border of the picture is taken as cut off by it, in picture heights.
_AT_BORDER = 0.01


class Ground:
    """Estimates the picture row of the ground under one track, from its boxes.

    line: that row in px. height: the full height of the person in px, as far as it is known. hidden: the feet are not
    visible. The camera is above the floor, so a lower row is nearer to the camera.
    """

    def __init__(self, box: Box, picture_height: float | None) -> None:
        x0, self._top, x1, bottom = box
        self.height = bottom - self._top
        self.hidden = _is_cut(box, picture_height)
        if self.hidden:
            self.height = max(self.height, (x1 - x0) / _ASPECT)
        self.line = self._top + self.height
        self._trend = 0.0  # of the logarithm of the height, 1/s

    def update(self, box: Box, dt: float, picture_height: float | None) -> None:
        """Update with the box that was seen `dt` seconds after the last one."""
        self._top, bottom = box[1], box[3]
        height = bottom - self._top
        expected = self.height * math.exp(self._trend * dt)
        # Bending lowers the head and leaves the ground line; furniture lifts the lower edge and leaves the head.
        behind_something = height < _SHORT * expected and abs(self._top + expected - self.line) < abs(
            bottom - self.line
        )
        self.hidden = behind_something or _is_cut(box, picture_height)
        if self.hidden:
            self.height = max(expected, height)
            self._trend *= math.exp(-dt / _TREND_S)
        else:
            self._update_height(height, dt)
        seen = self._top + self.height if self.hidden else bottom
        self.line += (seen - self.line) * (1 - math.exp(-dt / _SMOOTHING_S))

    def coast(self, box: Box) -> None:
        """Move the line with the top of the predicted box of a lost track, and leave the height as it is."""
        self.line += box[1] - self._top
        self._top = box[1]
        self.hidden = True

    def _update_height(self, height: float, dt: float) -> None:
        time = _SMOOTHING_S if height >= self.height else _SHRINK_S
        full = self.height + (height - self.height) * (1 - math.exp(-dt / time))
        rate = min(max(math.log(full / self.height) / dt, -_MAX_TREND), _MAX_TREND)
        self._trend += (rate - self._trend) * (1 - math.exp(-dt / _TREND_SMOOTHING_S))
        self.height = full


def _is_cut(box: Box, picture_height: float | None) -> bool:
    return picture_height is not None and box[3] >= picture_height * (1 - _AT_BORDER)
