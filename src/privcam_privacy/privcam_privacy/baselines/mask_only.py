"""The baseline of mode `mask_only`: the frame minus the person masks, as the report writes it.

For comparison only: every pixel of a person that the masks miss is published.
"""

from collections.abc import Sequence

from privcam_core.images.environment import FILL
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.perception import Detections, Track
from privcam_privacy.background.engine import EngineResult
from privcam_privacy.sight.sight_monitor import SightMonitor


def fill_mask(image: Image, person_mask: BoolArray) -> Image:
    """Return a copy of `image` (H, W, 3) with FILL where `person_mask` (H, W) is set."""
    filled = image.copy()
    filled[person_mask] = FILL
    return filled


class MaskOnlyEngine:
    """As `PrivacyEngine`, with the frame minus the masks."""

    def __init__(self) -> None:
        self._epoch = 0
        self._sight = SightMonitor()

    def update(
        self, image: Image, _detections: Detections, _tracks: Sequence[Track], person_mask: BoolArray, stamp_ns: int
    ) -> EngineResult:
        """Return one frame without its masks. Arguments as for `PrivacyEngine.update`."""
        self._epoch += 1
        masked = float(person_mask.mean())
        sight = self._sight.update(image, stamp_ns)
        return EngineResult(fill_mask(image, person_mask), ~person_mask, True, self._epoch, masked, masked, 0.0, sight)
