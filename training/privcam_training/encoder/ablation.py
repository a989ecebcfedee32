"""Ablation of z: classifies windows of real clips from the output of the temporal network, with and without z.

    PYTHONPATH=training python -m privcam_training.encoder.ablation CLIPS --bags BAGS --temporal OUT

OUT: of `privcam train`, with its networks that left a subject or a scene out. On what those say of windows of whom they
never saw, a linear layer is fitted; once on that alone, once on that and z of the last moments. It is tested on folds
that it did not see either.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from privcam_core.types.omega import Omega
from privcam_edge.composition import Composer
from privcam_edge.embedding.encoder import BottleneckEncoder
from privcam_evaluation.recognition.labelled_clips import Clip, read_annotations, seconds_of
from privcam_evaluation.recognition.omega_bags import bags_of, read_bag
from privcam_recognition.temporal.temporal_model import LABELS
from privcam_recognition.temporal.temporal_network import TemporalNetwork
from privcam_training.temporal.examples import label_windows
from privcam_training.temporal.folds import folds
from privcam_training.temporal.leave_one_subject_out import SEEDS
from privcam_training.temporal.trained_network import allowed_loss

Array = npt.NDArray[np.float32]

# z is taken as its mean over the last so many seconds, and as what changed against the mean before.
NOW_S, BEFORE_S = 0.4, 2.0
_STEPS, _RATE, _DECAY, _SEED = 400, 0.02, 3e-3, 0


@dataclass(frozen=True)
class Rows:
    """Windows of one fold. said: log-probabilities (N, labels). z: (N, 2 D). allowed: (N, labels) bool."""

    said: Array
    z: Array
    allowed: npt.NDArray[np.bool_]


def rows_of(clips: Sequence[Clip], bags: Mapping[str, Path], network: TemporalNetwork) -> Rows:
    """Return the windows of clips."""
    said, z, allowed = [], [], []
    for clip in clips:
        omegas = read_bag(bags[clip.name])
        times, codes = _encoded(omegas)
        found = list(label_windows(clip, omegas))
        if not found:
            continue
        said.append(np.log(np.maximum(network(np.array([row[1] for row in found], np.float32)), 1e-6)))
        z.append(np.array([_lately(times, codes, row[0]) for row in found]))
        allowed.append(np.array([row[2] for row in found]))
    return Rows(np.concatenate(said), np.concatenate(z), np.concatenate(allowed))


def _encoded(omegas: Sequence[Omega]) -> tuple[Array, Array]:
    composer, encoder = Composer(), BottleneckEncoder(seed=_SEED)
    codes = [encoder.encode(composer.compose(omega.environment, omega.poses)).values() for omega in omegas]
    return np.array([seconds_of(omega) for omega in omegas], np.float32), np.array(codes, np.float32)


def _lately(times: Array, codes: Array, now: float) -> Array:
    new = codes[(times <= now + 1e-6) & (times > now - NOW_S)].mean(axis=0)
    old = codes[(times <= now - NOW_S) & (times > now - BEFORE_S)]
    return np.concatenate((new, new - old.mean(axis=0) if len(old) else np.zeros_like(new)))


def evaluate(train: Sequence[Rows], test: Rows, *, with_z: bool) -> tuple[float, float]:
    """Return the mean -log of the probability of what may be right, and the fraction where the likeliest is right."""

    def of(rows: Sequence[Rows]) -> torch.Tensor:
        parts = [np.concatenate((one.said, one.z), axis=1) if with_z else one.said for one in rows]
        return torch.from_numpy(np.concatenate(parts).astype(np.float32))

    x, allowed = of(train), torch.from_numpy(np.concatenate([one.allowed for one in train]))
    layer = torch.nn.Linear(x.shape[1], len(LABELS))
    with torch.no_grad():  # it begins with what the network says
        layer.weight.zero_()
        layer.weight[:, : len(LABELS)] = torch.eye(len(LABELS))
        layer.bias.zero_()
    optimizer = torch.optim.AdamW(layer.parameters(), _RATE, weight_decay=_DECAY)
    weight = torch.ones(len(x))
    for _ in range(_STEPS):
        loss = allowed_loss(layer(x), allowed, weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        logits, known = layer(of([test])), torch.from_numpy(test.allowed)
        right = known[torch.arange(len(known)), logits.argmax(dim=1)].float().mean()
        return float(allowed_loss(logits, known, torch.ones(len(known)))), float(right)


def main() -> None:
    """Print how much z adds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--bags", type=Path, required=True)
    parser.add_argument("--temporal", type=Path, required=True)
    options = parser.parse_args()
    torch.manual_seed(_SEED)
    labelled = read_annotations(options.clips)
    bags = bags_of(labelled, options.bags, processes=2)
    clips = bags.usable(labelled)
    parts = []
    for number, groups in enumerate(folds(clips)):
        network = TemporalNetwork(options.temporal / f"folds_{SEEDS[0]}" / f"{number}.json")
        parts.append(rows_of([clip for clip in clips if clip.group in groups], bags.paths, network))
    size = np.array([len(part.said) for part in parts], float)
    for name, with_z in (("what the network says", False), ("and z", True)):
        tested = [evaluate([*parts[:i], *parts[i + 1 :]], part, with_z=with_z) for i, part in enumerate(parts)]
        loss, right = (np.array(tested) * (size / size.sum())[:, None]).sum(axis=0)
        print(f"{name}: loss {loss:.4f}, right {right:.4f}, {int(size.sum())} windows, {len(parts)} folds")


if __name__ == "__main__":
    main()
