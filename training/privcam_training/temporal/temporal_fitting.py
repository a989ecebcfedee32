"""Fitting one temporal network, and setting its temperature so that its confidences mean something."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from privcam_core.types.arrays import Float32Array
from privcam_core.types.skeleton import KEYPOINT_COUNT
from privcam_recognition.temporal.windows import SCALARS
from privcam_training.temporal.examples import Examples
from privcam_training.temporal.trained_network import TemporalNetwork, allowed_loss

SEED = 7
BATCH = 256
LEARNING_RATE, WEIGHT_DECAY = 2e-3, 1e-3


@dataclass(frozen=True)
class Fitted:
    """A trained network. losses: mean training loss of each epoch."""

    network: TemporalNetwork
    losses: list[float]


def fit(examples: Examples, *, epochs: int, recorded_fraction: float = 0.3, seed: int = SEED) -> Fitted:
    """Train from scratch. recorded_share: weight of all recorded examples against the simulated ones."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    simulated = examples.groups == "simulated"
    weights = np.ones(len(examples))
    if simulated.any() and not simulated.all():
        weights = np.where(
            simulated, (1 - recorded_fraction) / simulated.mean(), recorded_fraction / (1 - simulated.mean())
        )
    network = TemporalNetwork(examples.windows.shape[2], examples.allowed.shape[1])
    steps = epochs * -(-len(examples) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    losses = []
    for _ in range(epochs):
        network.train()
        order, total = random.permutation(len(examples)), 0.0
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            windows = torch.from_numpy(augment(examples.windows[chosen], random))
            allowed = torch.from_numpy(examples.allowed[chosen])
            loss = allowed_loss(network(windows), allowed, torch.from_numpy(weights[chosen].astype(np.float32)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(chosen)
        losses.append(total / len(order))
    network.eval()
    return Fitted(network, losses)


def augment(windows: Float32Array, random: np.random.Generator) -> Float32Array:
    """Return windows as they could have been as well: seen in a mirror, a little larger, with poses that were lost."""
    windows = windows.copy()
    count, first = len(windows), len(SCALARS)
    mirror = random.random(count) < 0.5
    body = windows[:, :, first:].reshape(count, windows.shape[1], KEYPOINT_COUNT, 3)
    flipped = body[:, :, _MIRRORED] * np.array([-1.0, 1.0, 1.0], np.float32)
    body = np.where(mirror[:, None, None, None], flipped, body)
    for name in ("x", "lean_x"):
        windows[mirror, :, SCALARS.index(name)] *= -1
    left, right = SCALARS.index("hand_left"), SCALARS.index("hand_right")
    windows[mirror, :, left], windows[mirror, :, right] = windows[mirror, :, right], windows[mirror, :, left].copy()
    lengths = [SCALARS.index(name) for name in _LENGTHS]
    size = np.exp(random.normal(0.0, 0.08, (count, 1, 1))).astype(np.float32)
    windows[:, :, lengths] *= size
    body[..., :2] *= size[..., None]
    # A whole pose that is lost for a while takes everything with it that came from keypoints.
    lost = np.zeros(windows.shape[:2], bool)
    for index in np.flatnonzero(random.random(count) < 0.3):
        start = random.integers(windows.shape[1])
        lost[index, start : start + random.integers(2, 20)] = True
    body[lost] = 0.0
    windows[:, :, first:] = body.reshape(count, windows.shape[1], -1)
    for name in _FROM_POSE:
        windows[:, :, SCALARS.index(name)][lost] = 0.0
    return windows


_MIRRORED = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
_LENGTHS = ("x", "top", "bottom", "width", "height", "lean_x", "lean_y", "hip_height", "thigh_drop", "hand_left",
            "hand_right")  # fmt: skip
_FROM_POSE = ("posed", "lean_x", "lean_y", "hip_height", "thigh_drop", "hand_left", "hand_right", "confidence")


def temperature(logits: Float32Array, allowed: npt.NDArray[np.bool_]) -> float:
    """Return by what logits have to be divided so that the probability of what may be right is highest."""
    candidates = np.exp(np.linspace(np.log(0.3), np.log(5.0), 60))
    scores = [float(np.mean(np.log(np.maximum(allowed_probability(logits / t, allowed), 1e-9)))) for t in candidates]
    return float(candidates[int(np.argmax(scores))])


def allowed_probability(logits: Float32Array, allowed: npt.NDArray[np.bool_]) -> Float32Array:
    """Return the probability (N,) that is given to what may be right."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray((p * allowed).sum(axis=1) / p.sum(axis=1), np.float32)
