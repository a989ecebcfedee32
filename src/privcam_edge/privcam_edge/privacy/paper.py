"""The erasure as the report writes it: this frame without the masks. For comparison only: what a mask misses leaves."""

import numpy as np
import numpy.typing as npt

from privcam_core.images import FILL
from privcam_edge.privacy.unsafe import BoolArray


def erase(image: npt.NDArray[np.uint8], person_mask: BoolArray) -> npt.NDArray[np.uint8]:
    """Return a copy of `image` (H, W, 3) with FILL where `person_mask` (H, W) is set."""
    erased = image.copy()
    erased[person_mask] = FILL
    return erased
