"""Trains and tests the temporal model, for `./privcam train`.

Leave one subject out: every clip is judged by a network that never saw its subject or its scene. Then one network of
everything is exported, with the temperature that all those tests together ask for.
"""

import json
import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from privcam_cli.evaluation.command import summary, write
from privcam_cli.evaluation.labelled import Clip, bags_of, read_annotations, read_bag
from privcam_cli.evaluation.scores import scores
from privcam_cli.evaluation.watching import Seen, watch
from privcam_cloud.recognition.temporal import TemporalModel
from privcam_training.temporal import sbu, upfall, urfd
from privcam_training.temporal.examples import Examples, collect, join, recorded, simulated
from privcam_training.temporal.export import export
from privcam_training.temporal.fitting import fit, temperature
from privcam_training.temporal.folds import folds, temperatures
from privcam_training.temporal.network import TemporalNetwork, predict
from privcam_training.temporal.takes import omegas

SIMULATIONS, A_BATCH, EPOCHS = 5000, 500, 14
# Trainings, simulations and clips that go on at the same time.
PROCESSES = 2


def simulations(count: int) -> Examples:
    """Return windows of so many simulated people; the same for any number of processes."""
    seeds = range(-(-count // A_BATCH))
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        parts = []
        for part in pool.imap(_simulated, [(min(A_BATCH, count - seed * A_BATCH), seed) for seed in seeds]):
            parts.append(part)
            print(f"[train] simulated {len(parts)}/{len(seeds)}", file=sys.stderr, flush=True)
    return join(parts)


def _fitted(work: tuple[Examples, int]) -> tuple[TemporalNetwork, float]:
    torch.set_num_threads(1)
    examples, epochs = work
    fitted = fit(examples, epochs=epochs)
    return fitted.network, fitted.losses[-1]


def _simulated(work: tuple[int, int]) -> Examples:
    return simulated(*work)


def published(skeletons: Path | None) -> Examples:
    """Return windows of the published sequences in a folder. They are never what is tested."""
    if skeletons is None:
        return collect([])
    takes = [*upfall.read(skeletons), *urfd.read(skeletons / "urfd"), *sbu.read(skeletons / "sbu")]
    print(f"[train] published sequences: {len(takes)}", file=sys.stderr, flush=True)
    return join([collect([]), *(recorded(take.clip, omegas(take)) for take in takes)])


def train(clips: Sequence[Clip], bags: dict[str, Path], made: Examples, others: Examples, out: Path) -> dict[str, Any]:
    """Test by leaving out, train on everything, export to `out`/temporal.json, and return the scores of the test.

    made, others: simulated and published examples, which are trained on; others of a subject that is left out are not.
    """
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    sent = {clip.name: read_bag(bags[clip.name]) for clip in clips}
    real = join([recorded(clip, sent[clip.name]) for clip in clips])
    parts, tested, networks = folds(clips), {}, {}
    held = [np.isin(real.groups, sorted(groups)) for groups in parts]
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        trainings = ((join([made, _without(real, groups), _without(others, groups)]), EPOCHS) for groups in parts)
        for number, (network, loss) in enumerate(pool.imap(_fitted, trainings)):
            networks[number] = network
            tested[number] = predict(network, real.windows[held[number]]), real.allowed[held[number]]
            print(f"[train] fold {number + 1}/{len(parts)}: loss {loss:.3f}", file=sys.stderr, flush=True)
    seen: list[Seen] = []
    for number, t in temperatures(tested).items():
        weights = export(networks[number], out / "folds" / f"{number}.json", temperature=t)
        seen += [
            watch(clip, sent[clip.name], TemporalModel(weights=weights))
            for clip in clips
            if clip.group in parts[number]
        ]
    result = scores(seen)
    write("temporal", seen, out)
    (out / "temporal_eval.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    logits, allowed = (np.concatenate(both) for both in zip(*tested.values(), strict=True))
    final = fit(join([made, real, others]), epochs=EPOCHS)
    export(final.network, out / "temporal.json", temperature=temperature(logits, allowed))
    return result


def _without(examples: Examples, groups: set[str]) -> Examples:
    return examples.where(~np.isin(examples.groups, sorted(groups)))


def train_full(folder: Path, bag_folder: Path, out: Path, skeletons: Path | None) -> dict[str, Any]:
    """Train on the clips of a folder, see `train`. Simulated people are kept in `out` for the next time."""
    clips = read_annotations(folder)
    bags = bags_of(clips, bag_folder, processes=PROCESSES)
    store = out / f"simulations_{SIMULATIONS}.npz"
    if store.exists():
        with np.load(store) as kept:
            made = Examples(kept["windows"], kept["allowed"], kept["groups"])
    else:
        made = simulations(SIMULATIONS)
        store.parent.mkdir(parents=True, exist_ok=True)
        np.savez(store, windows=made.windows, allowed=made.allowed, groups=made.groups)
    result = train(clips, bags, made, published(skeletons), out)
    print(f"[train] left out: {summary(result)}")
    return result


def train_quick(out: Path) -> float:
    """Train on few simulated people, export, and return how much of other ones it then says right."""
    torch.set_num_threads(1)
    fitted = fit(simulated(150, 1), epochs=6)
    export(fitted.network, out / "temporal.json", temperature=1.0)
    others = simulated(40, 2)
    logits = predict(fitted.network, others.windows)
    right = float(others.allowed[np.arange(len(others)), logits.argmax(axis=1)].mean())
    print(
        f"[train] temporal: loss {fitted.losses[0]:.2f} to {fitted.losses[-1]:.2f}, right on other people {right:.2f}"
    )
    return right
