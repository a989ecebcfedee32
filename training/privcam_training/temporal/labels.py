"""What the temporal model tells apart, and sets of labels for windows of which only a part is known."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from privcam_recognition.temporal.temporal_model import LABELS

# A window is labelled with the set of labels that may be right: (len(LABELS),) bool.
Allowed = npt.NDArray[np.bool_]


def only(*labels: str) -> Allowed:
    """Return the set of these labels."""
    return np.array([label in labels for label in LABELS])


def but(labels: Iterable[str]) -> Allowed:
    """Return the set of all labels but these."""
    without = set(labels)
    return np.array([label not in without for label in LABELS])
