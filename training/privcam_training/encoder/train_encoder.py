"""Trains, sweeps, attacks and exports the encoder, for `./privcam train`."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from privcam_core.types.arrays import Image
from privcam_evaluation.recognition.labelled_clips import read_annotations
from privcam_evaluation.recognition.omega_bags import bags_of
from privcam_training.encoder import sweep
from privcam_training.encoder.backgrounds import pictures_in
from privcam_training.encoder.encoder_export import export
from privcam_training.encoder.encoder_fitting import SEED, counted, fit_bottleneck, fit_map, views
from privcam_training.encoder.encoder_network import Map
from privcam_training.encoder.recordings import moments
from privcam_training.encoder.scenes import Proxies, count_of, proxies, rooms

PICTURES, ROOMS = 16000, 6000
# Rounds of the map: epochs, learning rate, and the fraction of background objects in the colours of proxies. Many of
# them first, so that the form is learnt; then few, as in real rooms, so that distant people are not taken for objects.
ROUNDS = ((8, 3e-3, 0.3), (17, 2e-3, 0.08))
# Of the bottleneck: each picture before so many rooms. And simulated people to test on.
VIEWS, TEST = 3, 2000
PROCESSES = 2


def train_full(
    folder: Path, bag_folder: Path, out: Path, pictures: Path | None, skeletons: Path | None
) -> dict[str, Any]:
    """Train on simulated people before rooms, sweep β, test on the clips, and export to `out`/ib.json.

    pictures: folder of photographs that serve as rooms. skeletons: folder with MSR Action3D, to be named from z.
    """
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    labelled = read_annotations(folder)
    bags = bags_of(labelled, bag_folder, processes=PROCESSES)
    clips = bags.usable(labelled)
    made, photographs = _kept(out / f"proxies_{PICTURES}.npz"), pictures_in(pictures) if pictures else []
    behind = rooms(photographs, ROOMS, SEED, ROUNDS[-1][2])
    places = _kept_map(out / "map.pt", made, photographs, behind)
    random = np.random.default_rng(SEED)
    others = views(places, proxies(TEST, SEED + 1, processes=PROCESSES), behind, times=1, random=random)
    choice, report = sweep.halves(places, moments(clips, bags.paths), skeletons)
    coders = sweep.trained(views(places, made, behind, times=VIEWS, random=random))
    on_choice = [sweep.recognised(sweep.useful(coder, choice, others), coder, choice) for coder in coders]
    taken = sweep.chosen(on_choice)
    points = []
    for coder in coders:
        point = sweep.recognised(sweep.useful(coder, report, others), coder, report)
        points.append(sweep.inverted_from(point, coder, report, out / f"beta_{coder.beta:g}"))
        print(f"[encoder] {points[-1]}", file=sys.stderr, flush=True)
    extra = {
        "on_choice": [asdict(point) for point in on_choice],
        "by_count": sweep.by_count(coders[taken], report),
        "by_clip": sweep.by_clip(coders[taken], report),
    }
    sweep.write(points, taken, extra, out)
    export(places, coders[taken], out / "ib.json")
    return {"taken": points[taken], **extra}


def train_quick(out: Path) -> float:
    """Train on few pictures, export, and return how many others it counts rightly."""
    torch.set_num_threads(1)
    made, behind = proxies(300, SEED), rooms([], 60, SEED)
    places, losses = fit_map(made, behind, epochs=3)
    random = np.random.default_rng(SEED)
    coder = fit_bottleneck(views(places, made, behind, times=1, random=random), beta=1e-3, epochs=40)
    export(places, coder, out / "ib.json")
    others = views(places, proxies(60, SEED + 1), behind, times=1, random=random)
    right = float((counted(coder, others.features, SEED) == count_of(others.people)).mean())
    print(
        f"[train] encoder: loss {losses[0]:.2f} to {losses[-1]:.2f}, counts {right:.2f} of others,"
        f" {coder.rate:.0f} bits"
    )
    return right


def _kept_map(store: Path, made: Proxies, photographs: Sequence[Image], last: Image) -> Map:
    """Return the trained map, kept in a file for the next time. last: the rooms of the last round."""
    if store.exists():
        kept = Map()
        kept.load_state_dict(torch.load(store, weights_only=True))
        return kept.eval()
    places = None
    for number, (epochs, rate, alike) in enumerate(ROUNDS):
        behind = last if number == len(ROUNDS) - 1 else rooms(photographs, ROOMS, SEED, alike)
        places, _ = fit_map(made, behind, epochs=epochs, rate=rate, seed=SEED + number, go_on=places)
    assert places is not None
    torch.save(places.state_dict(), store)
    return places


def _kept(store: Path) -> Proxies:
    """Return the simulated people, kept in a file for the next time."""
    if store.exists():
        with np.load(store) as kept:
            return Proxies(*(kept[field.name] for field in fields(Proxies)))
    made = proxies(PICTURES, SEED, processes=PROCESSES)
    np.savez(store, **{field.name: getattr(made, field.name) for field in fields(Proxies)})
    return made
