"""Two tracks of one body: a detector that finds somebody twice makes a second person of the same place."""

import numpy as np

from privcam_cloud.recognition.temporal.windows import Track
from privcam_core.types.boxes import areas

# Two people part: somewhere within so many s they share less than this of the smaller box. Somebody who walks slowly
# goes 0.4 H in that time, and is 0.3 H wide.
PART_S, SHARED = 1.0, 0.5


def one_body(a: Track, b: Track) -> bool:
    """Say whether two tracks show the same body: they were seen together over PART_S or more, and never apart."""
    together, in_a, in_b = np.intersect1d(a.times, b.times, assume_unique=True, return_indices=True)
    if not len(together) or together[-1] - together[0] < PART_S:
        return False
    first, second = a.boxes[in_a], b.boxes[in_b]
    common = np.hstack((np.maximum(first[:, :2], second[:, :2]), np.minimum(first[:, 2:], second[:, 2:])))
    return bool((areas(common) >= SHARED * np.minimum(areas(first), areas(second))).all())
