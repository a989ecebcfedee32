"""Trains and tests the temporal model, for `./privcam train`.

The model is evaluated first, see `leave_one_subject_out`. Then one network is trained on everything and exported, with
the temperature that fits the held-out predictions of the first seed.
"""

import json
import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from privcam_evaluation.recognition.eval_command import summary, write
from privcam_evaluation.recognition.labelled_clips import Clip, read_annotations
from privcam_evaluation.recognition.omega_bags import bags_of, read_bag
from privcam_evaluation.recognition.scores import scores
from privcam_training.temporal.data import sbu, upfall, urfd
from privcam_training.temporal.data.skeleton_clips import omegas
from privcam_training.temporal.examples import Examples, clip_examples, collect, join, simulate_examples
from privcam_training.temporal.leave_one_subject_out import PROCESSES, SEEDS, evaluate_folds, fit_folds
from privcam_training.temporal.temporal_export import export
from privcam_training.temporal.temporal_fitting import fit, temperature
from privcam_training.temporal.trained_network import predict

SIMULATIONS, A_BATCH, EPOCHS = 5000, 500, 14
# All clips go through the edge twice, and the noise on poses is drawn anew each time: folders below that of the bags.
# The first is trained and tested on, the second only tested on.
RUNS = (".", "again")


def simulations(count: int) -> Examples:
    """Return windows of so many simulated people; the same for any number of processes."""
    seeds = range(-(-count // A_BATCH))
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        parts = []
        for part in pool.imap(_simulate, [(min(A_BATCH, count - seed * A_BATCH), seed) for seed in seeds]):
            parts.append(part)
            print(f"[train] simulated {len(parts)}/{len(seeds)}", file=sys.stderr, flush=True)
    return join(parts)


def _simulate(work: tuple[int, int]) -> Examples:
    return simulate_examples(*work)


def published_examples(skeletons: Path | None) -> Examples:
    """Return windows of the published sequences in a folder. They are never what is tested."""
    if skeletons is None:
        return collect([])
    sequences = [*upfall.read(skeletons), *urfd.read(skeletons / "urfd"), *sbu.read(skeletons / "sbu")]
    print(f"[train] published sequences: {len(sequences)}", file=sys.stderr, flush=True)
    return join([collect([]), *(clip_examples(sequence.clip, omegas(sequence)) for sequence in sequences)])


def train(
    clips: Sequence[Clip], runs: Sequence[dict[str, Path]], made: Examples, others: Examples, out: Path
) -> dict[str, Any]:
    """Test by leaving out, train on everything, export to `out`/temporal.json, and return the scores of the tests.

    runs: bags of all clips, see RUNS. made, others: simulated and published examples, which are trained on; others of a
    subject that is left out are not.
    """
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    real = join([clip_examples(clip, read_bag(runs[0][clip.name])) for clip in clips])
    tests, result, said = [], [], {}
    for seed in SEEDS:
        weights, said[seed] = fit_folds(clips, real, join([made, others]), EPOCHS, seed, out / f"folds_{seed}")
        for number, bags in enumerate(runs, start=1):
            tests.append(evaluate_folds(clips, bags, weights))
            result.append({"seed": seed, "recording": number, **scores(tests[-1])})
            print(f"[train] left out, seed {seed}, recording {number}: {summary(result[-1])}", flush=True)
            write(f"temporal_{seed}_{number}", tests[-1], out)
    everything = {**scores([one for test in tests for one in test]), "tests": result}
    (out / "temporal_eval.json").write_text(json.dumps(everything, indent=2) + "\n", encoding="utf-8")
    logits, allowed = (np.concatenate(both) for both in zip(*said[SEEDS[0]].values(), strict=True))
    final = fit(join([made, real, others]), epochs=EPOCHS)
    export(final.network, out / "temporal.json", temperature=temperature(logits, allowed))
    return everything


def train_full(folder: Path, bag_folder: Path, out: Path, skeletons: Path | None) -> dict[str, Any]:
    """Train on the clips of a folder, see `train`. Simulated people are kept in `out` for the next time."""
    clips, runs = read_annotations(folder), []
    for part in RUNS:
        bags = bags_of(clips, bag_folder / part, processes=PROCESSES)
        clips = bags.usable(clips)
        runs.append(bags.paths)
    store = out / f"simulations_{SIMULATIONS}.npz"
    if store.exists():
        with np.load(store) as kept:
            made = Examples(kept["windows"], kept["allowed"], kept["groups"])
    else:
        made = simulations(SIMULATIONS)
        store.parent.mkdir(parents=True, exist_ok=True)
        np.savez(store, windows=made.windows, allowed=made.allowed, groups=made.groups)
    result = train(clips, runs, made, published_examples(skeletons), out)
    print(f"[train] left out, all of these: {summary(result)}")
    return result


def train_quick(out: Path) -> float:
    """Train on few simulated people, export, and return how much of other ones it then says right."""
    torch.set_num_threads(1)
    fitted = fit(simulate_examples(150, 1), epochs=6)
    export(fitted.network, out / "temporal.json", temperature=1.0)
    others = simulate_examples(40, 2)
    logits = predict(fitted.network, others.windows)
    right = float(others.allowed[np.arange(len(others)), logits.argmax(axis=1)].mean())
    print(
        f"[train] temporal: loss {fitted.losses[0]:.2f} to {fitted.losses[-1]:.2f}, right on other people {right:.2f}"
    )
    return right
