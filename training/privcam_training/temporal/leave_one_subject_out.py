"""Leave-one-subject-out evaluation: every clip is evaluated with a network that never saw its subject or scene.

One such test is partly chance: with another seed, or of the same clips once more through the edge, which draws its
noise on poses anew, other falls are missed. So all is tested with several seeds on several recordings.
"""

import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from privcam_core.types.arrays import BoolArray, Float32Array
from privcam_evaluation.recognition.event_matching import ClipResult, match_events
from privcam_evaluation.recognition.labelled_clips import Clip
from privcam_evaluation.recognition.omega_bags import read_bag
from privcam_recognition.temporal.temporal_model import TemporalModel
from privcam_training.temporal.examples import Examples, join
from privcam_training.temporal.folds import folds, temperatures
from privcam_training.temporal.temporal_export import export
from privcam_training.temporal.temporal_fitting import SEED, fit
from privcam_training.temporal.trained_network import TemporalNetwork, predict

SEEDS = (SEED, SEED + 1)
# Trainings, simulations and clips that go on at the same time.
PROCESSES = 2

# Fold to (logits, allowed) of the windows that were left out.
Predictions = dict[int, tuple[Float32Array, BoolArray]]


def fit_folds(
    clips: Sequence[Clip], real: Examples, others: Examples, epochs: int, seed: int, out: Path
) -> tuple[list[Path], Predictions]:
    """Train a network without each fold and export it into `out`; return the files, and what they say. Shows progress.

    real: of the clips. others: what is trained on and never tested; nor is anything trained on of who is left out.
    """
    parts, networks, said = folds(clips), {}, {}
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        trainings = ((join([_of(real, g, left=False), _of(others, g, left=False)]), epochs, seed) for g in parts)
        for number, (network, loss) in enumerate(pool.imap(_fit, trainings)):
            networks[number], visible = network, _of(real, parts[number], left=True)
            said[number] = predict(network, visible.windows), visible.allowed
            print(f"[train] seed {seed}, fold {number + 1}/{len(parts)}: loss {loss:.3f}", file=sys.stderr, flush=True)
    found = temperatures(said)
    return [export(networks[n], out / f"{n}.json", temperature=found[n]) for n in range(len(parts))], said


def evaluate_folds(clips: Sequence[Clip], bags: dict[str, Path], weights: Sequence[Path]) -> list[ClipResult]:
    """Return what is said of each clip by the network that was trained without it. weights: of each fold."""
    return [
        match_events(clip, read_bag(bags[clip.name]), TemporalModel(weights=of_fold))
        for groups, of_fold in zip(folds(clips), weights, strict=True)
        for clip in clips
        if clip.group in groups
    ]


def _of(examples: Examples, groups: set[str], *, left: bool) -> Examples:
    """Return those of some groups that are left out, or all but those."""
    return examples.where(np.isin(examples.groups, sorted(groups)) == left)


def _fit(work: tuple[Examples, int, int]) -> tuple[TemporalNetwork, float]:
    torch.set_num_threads(1)
    examples, epochs, seed = work
    fitted = fit(examples, epochs=epochs, seed=seed)
    return fitted.network, fitted.losses[-1]
