"""Tells a lamp or a moved camera, by which most of the picture differs at once, from a body that comes near."""

from privcam_core.types.arrays import Mask
from privcam_privacy.background.grid import fraction

# When more than this fraction of the picture differs ...
_SCENE_FRACTION = 0.5
# ... and less than this fraction did ...
_CALM_FRACTION = 0.2
# ... so many seconds before, the light or the camera has changed. A body takes longer to fill half of the picture.
_ONSET_S = 0.35


class SceneOnset:
    """Follows how much of the picture differs."""

    def __init__(self) -> None:
        self._uneasy_s = 0.0
        self._changing = False

    def update(self, differing: Mask, dt: float) -> bool:
        """Return whether the scene is changing. differing: grid mask of this frame. dt: s since the last one."""
        part = fraction(differing)
        self._uneasy_s = 0.0 if part <= _CALM_FRACTION else self._uneasy_s + dt
        if part <= _CALM_FRACTION:
            self._changing = False
        elif part > _SCENE_FRACTION and self._uneasy_s <= _ONSET_S:
            self._changing = True
        return self._changing
