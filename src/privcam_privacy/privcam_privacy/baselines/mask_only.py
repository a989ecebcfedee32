"""The erasure as the report writes it: this frame without the masks. For comparison only: what a mask misses leaves."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from privcam_core.images.environment import FILL
from privcam_core.types.perception import Detections, Track
from privcam_privacy.background.engine import EngineResult
from privcam_privacy.background.exclusion_masks import BoolArray


def erase(image: npt.NDArray[np.uint8], person_mask: BoolArray) -> npt.NDArray[np.uint8]:
    """Return a copy of `image` (H, W, 3) with FILL where `person_mask` (H, W) is set."""
    erased = image.copy()
    erased[person_mask] = FILL
    return erased


class PaperEngine:
    """As `PrivacyEngine`, with the frame minus the masks."""

    def __init__(self) -> None:
        self._epoch = 0

    def update(
        self,
        image: npt.NDArray[np.uint8],
        _detections: Detections,
        _tracks: Sequence[Track],
        person_mask: BoolArray,
        _stamp_ns: int,
    ) -> EngineResult:
        """Return one frame without its masks. Arguments as for `PrivacyEngine.update`."""
        self._epoch += 1
        masked = float(person_mask.mean())
        return EngineResult(erase(image, person_mask), ~person_mask, True, self._epoch, masked, masked, 0.0)
