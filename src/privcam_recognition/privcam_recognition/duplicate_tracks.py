"""Finds two tracks of one body: a detector that finds a person twice makes a second subject in the same place."""

import numpy as np

from privcam_core.types.boxes import areas
from privcam_recognition.temporal.windows import Track

# Two people move apart: somewhere within this many s they share less than MAX_OVERLAP of the smaller box. A person who
# walks slowly moves 0.4 H in that time and is 0.3 H wide.
SEPARATION_S = 1.0
MAX_OVERLAP = 0.5


def is_same_body(a: Track, b: Track) -> bool:
    """Return whether two tracks show the same body: seen together over SEPARATION_S or more, and never apart."""
    together, in_a, in_b = np.intersect1d(a.times, b.times, assume_unique=True, return_indices=True)
    if not len(together) or together[-1] - together[0] < SEPARATION_S:
        return False
    first, second = a.boxes[in_a], b.boxes[in_b]
    common = np.hstack((np.maximum(first[:, :2], second[:, :2]), np.minimum(first[:, 2:], second[:, 2:])))
    return bool((areas(common) >= MAX_OVERLAP * np.minimum(areas(first), areas(second))).all())
