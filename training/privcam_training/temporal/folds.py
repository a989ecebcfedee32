"""Splits clips into folds, so that no network is tested on a subject or scene that it was trained on."""

from collections.abc import Mapping, Sequence

import numpy as np

from privcam_core.types.arrays import BoolArray, Float32Array
from privcam_evaluation.recognition.labelled_clips import Clip
from privcam_training.temporal.temporal_fitting import temperature

# Groups without a fall only cost time one by one; they share so many folds.
CALM_FOLDS = 4


def folds(clips: Sequence[Clip]) -> list[set[str]]:
    """Return the groups of each fold, each group in one fold."""
    with_falls = sorted({clip.group for clip in clips if clip.label == "fall"})
    calm = sorted({clip.group for clip in clips} - set(with_falls))
    shared = [set(calm[k::CALM_FOLDS]) for k in range(min(CALM_FOLDS, len(calm)))]
    return [*({group} for group in with_falls), *shared]


def temperatures(logits: Mapping[int, tuple[Float32Array, BoolArray]]) -> dict[int, float]:
    """Return for each fold the temperature that is best for all the others. logits: fold to (logits, allowed)."""
    result = {}
    for fold in logits:
        others = [both for other, both in logits.items() if other != fold]
        said, allowed = (np.concatenate(part) for part in zip(*others, strict=True))
        result[fold] = temperature(said, allowed)
    return result
