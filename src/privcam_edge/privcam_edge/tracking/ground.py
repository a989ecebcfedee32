"""Where a person stands: the ground-contact line, also while the feet are hidden or cut off."""

import math

from privcam_core.types.perception import Box

# A box that is shorter than this share of its person is bent, or its feet are hidden.
_SHORT = 0.85
# A height that is really smaller (someone walked away, sat down) is believed after about this time.
_FORGET_S = 3.0
# The box of a detector trembles from frame to frame by some 3 % of the height; this calms it and lags a step behind.
_CALM_S = 0.2
# While the feet are hidden, a person who came nearer keeps growing for about this long.
_TREND_S = 1.0
_TREND_LEARNED_S = 0.5
# Nobody grows by more than this share a second without being on a vehicle.
_FASTEST_TREND = 1.0
# A cut-off person whose full height was never seen: usual width of a standing person's box over its height.
_ASPECT = 0.41
# A box that ends this close to the lower border of the picture is taken as cut off by it, in picture heights.
_AT_BORDER = 0.01


class Ground:
    """Follows the picture row of the ground under one track, from its boxes.

    line: that row in px. height: the full height of the person in px, as far as it is known. hidden: the feet are not
    seen. The camera looks from above the floor, so that a lower row is a nearer place.
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
        """Take the box that was seen `dt` seconds after the last one."""
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
            self._learn(height, dt)
        seen = self._top + self.height if self.hidden else bottom
        self.line += (seen - self.line) * (1 - math.exp(-dt / _CALM_S))

    def coast(self, box: Box) -> None:
        """Follow the predicted box of a lost track by how far its top moved, and learn nothing from it."""
        self.line += box[1] - self._top
        self._top = box[1]
        self.hidden = True

    def _learn(self, height: float, dt: float) -> None:
        time = _CALM_S if height >= self.height else _FORGET_S
        full = self.height + (height - self.height) * (1 - math.exp(-dt / time))
        rate = min(max(math.log(full / self.height) / dt, -_FASTEST_TREND), _FASTEST_TREND)
        self._trend += (rate - self._trend) * (1 - math.exp(-dt / _TREND_LEARNED_S))
        self.height = full


def _is_cut(box: Box, picture_height: float | None) -> bool:
    return picture_height is not None and box[3] >= picture_height * (1 - _AT_BORDER)
