"""Fitting the map on pictures, then the bottleneck on maps.

The map is trained first, on where everybody is: the same tasks as z's, place by place. Only the bottleneck sees β, so
that one map serves the whole sweep.
"""

import sys
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as binary
from torch.nn.functional import cross_entropy

from privcam_core.drawing.palette import COLORS
from privcam_core.types.arrays import Image
from privcam_training.encoder.encoder_network import (
    CLIP_NORM,
    DIMENSIONS,
    FEATURES,
    GRID,
    Bottleneck,
    Map,
    ProxyPrediction,
    Tasks,
    summarize,
)
from privcam_training.encoder.scenes import (
    COLOR,
    KIND,
    Array,
    Colors,
    Proxies,
    X,
    compose,
    count_of,
    kinds_of,
    layout_of,
    squeeze,
)

SEED = 5
BATCH, LEARNING_RATE, WEIGHT_DECAY = 64, 3e-3, 1e-4
# Noise of the channel, as a gateway adds it to z (units of z, whose prior has a standard deviation of 1).
SIGMA = 0.25
HEAD_BATCH, HEAD_RATE = 512, 2e-3
# What the number of people weighs against each posture and each cell: it is asked for exactly, and is few bits.
_COUNT_WEIGHT = 8.0
# The fraction of pictures that are of a wide camera, squeezed to the size that the network gets.
_WIDE = 0.5
# What a colour costs that is taken for another at a place, and a posture for another, against somebody not seen.
_PLACE_WEIGHT, _KIND_WEIGHT = 0.05, 0.3


@dataclass(frozen=True)
class Views:
    """What the bottleneck takes of N pictures, (N, FEATURES), and what is true of them: see `Proxies`."""

    features: Array
    people: Array


@dataclass(frozen=True)
class Coder:
    """A trained bottleneck with the tasks that were trained beside it. rate: mean bits a frame, KL to the prior."""

    beta: float
    bottleneck: Bottleneck
    tasks: Tasks
    rate: float


def fit_map(
    proxies: Proxies,
    rooms: Image,
    *,
    epochs: int,
    rate: float = LEARNING_RATE,
    seed: int = SEED,
    go_on: Map | None = None,
) -> tuple[Map, list[float]]:
    """Train a map on proxies before rooms, and return it with the mean loss of each epoch. Shows progress.

    rate: of learning, at its highest. go_on: the map to train, instead of a new one.
    """
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = (go_on or Map()).to(memory_format=torch.channels_last)
    batches = len(proxies) // BATCH
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * batches)
    losses = []
    for epoch in range(epochs):
        network.train()
        order, total = random.permutation(len(proxies)), 0.0
        for start in range(0, batches * BATCH, BATCH):
            pictures, colors, people = batch(proxies, rooms, order[start : start + BATCH], random)
            # Half the digits in the convolutions: twice as fast, and precise enough for these.
            with torch.autocast("cpu", dtype=torch.bfloat16):
                extracted = network.extract(torch.from_numpy(pictures))
            loss = map_loss(network.find(extracted.float()), torch.from_numpy(colors), torch.from_numpy(people))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        losses.append(total / max(batches, 1))
        print(f"[encoder] map, epoch {epoch + 1}/{epochs}: loss {losses[-1]:.4f}", file=sys.stderr, flush=True)
    network.eval()
    return network, losses


def map_loss(said: ProxyPrediction, colors: torch.Tensor, people: torch.Tensor) -> torch.Tensor:
    """Return how wrong a map is: whose each place is, who can be seen, and in which posture.

    colors, people: see `Proxies`, as tensors.
    """
    wanted = color_fractions_of(colors)
    places = -(wanted * said.colors.log_softmax(dim=1)).sum(dim=(1, 2, 3))
    picture, row = (~people[..., X].isnan()).nonzero(as_tuple=True)
    who = people[picture, row].long()
    there = torch.zeros_like(said.there)
    there[picture, who[:, COLOR]] = 1.0
    kinds = cross_entropy(said.kinds[picture, who[:, COLOR]], who[:, KIND], reduction="sum")
    seen = binary(said.there, there, reduction="sum")
    return (_PLACE_WEIGHT * places.sum() + seen + _KIND_WEIGHT * kinds) / len(people)


def color_fractions_of(colors: torch.Tensor) -> torch.Tensor:
    """Return the fraction of each colour in each place, (N, COLORS + 1, *GRID); colors: (N, *INPUT), see `Proxies`."""
    colors = colors[:, ::2, ::2]  # every second pixel is enough, and takes a fourth of the time
    n, height, width = colors.shape
    y, x = (torch.arange(side) * places // side for side, places in zip((height, width), GRID, strict=True))
    place = (torch.arange(n)[:, None, None] * GRID[0] + y[:, None]) * GRID[1] + x
    counts = torch.bincount((place * (COLORS + 1) + colors).flatten(), minlength=n * GRID[0] * GRID[1] * (COLORS + 1))
    color_fractions = counts.view(n, *GRID, COLORS + 1).permute(0, 3, 1, 2)
    return color_fractions.float() * (GRID[0] * GRID[1] / (height * width))


def batch(
    proxies: Proxies, rooms: Image, chosen: npt.NDArray[np.intp], random: np.random.Generator
) -> tuple[Image, Colors, Array]:
    """Return pictures, (N, *INPUT, 3), with colors and people: each before its own room, some mirrored or squeezed."""
    made = squeeze(Proxies(*(getattr(proxies, field.name)[chosen] for field in fields(Proxies))), random, _WIDE)
    pictures = compose(made.visible, made.covers, rooms[random.integers(len(rooms), size=len(chosen))])
    mirrored = random.random(len(chosen)) < 0.5
    pictures[mirrored] = pictures[mirrored][:, :, ::-1]
    made.colors[mirrored] = made.colors[mirrored][:, :, ::-1]
    made.people[mirrored, :, X] = 1 - made.people[mirrored, :, X]
    return pictures, made.colors, made.people


def maps_of(network: Map, pictures: Image) -> Array:
    """Return what the bottleneck takes of pictures (N, *INPUT, 3): (N, FEATURES)."""
    network.eval()
    with torch.no_grad():
        parts = [
            summarize(network(torch.from_numpy(pictures[i : i + 256]))).numpy() for i in range(0, len(pictures), 256)
        ]
    return np.concatenate(parts) if parts else np.zeros((0, FEATURES), np.float32)


def channel(z: torch.Tensor) -> torch.Tensor:
    """Return z as the cloud gets it: clipped to the norm, with the noise of the channel."""
    norm = z.norm(dim=1, keepdim=True).clamp_min(1e-9)
    return z * (CLIP_NORM / norm).clamp_max(1.0) + SIGMA * torch.randn_like(z)


def rate_of(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Return KL(q(z | Ĩ) ‖ N(0, I)) of each frame in nats: an upper bound of what z says of Ĩ."""
    return 0.5 * (mean**2 + log_variance.exp() - 1.0 - log_variance).sum(dim=1)


def views(network: Map, proxies: Proxies, rooms: Image, *, times: int, random: np.random.Generator) -> Views:
    """Return proxies as the bottleneck takes them, each before so many rooms."""
    order = np.tile(np.arange(len(proxies)), times)
    features, people = [], []
    for start in range(0, len(order), 256):
        pictures, _, seen = batch(proxies, rooms, order[start : start + 256], random)
        features.append(maps_of(network, pictures))
        people.append(seen)
    return Views(np.concatenate(features), np.concatenate(people))


def fit_bottleneck(made: Views, *, beta: float, epochs: int, seed: int = SEED) -> Coder:
    """Train a bottleneck: behaviour + occupancy + coarse layout + β·KL."""
    torch.manual_seed(seed)
    bottleneck, tasks = Bottleneck(), Tasks()
    x, many = torch.from_numpy(made.features), torch.from_numpy(count_of(made.people))
    kinds = torch.from_numpy(kinds_of(made.people).astype(np.float32))
    layout = torch.from_numpy(layout_of(made.people).astype(np.float32))
    parameters = [*bottleneck.parameters(), *tasks.parameters()]
    steps = epochs * max(1, len(x) // HEAD_BATCH)
    optimizer = torch.optim.AdamW(parameters, HEAD_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, HEAD_RATE, total_steps=steps)
    for step in range(steps):
        start = step * HEAD_BATCH % max(1, len(x) - HEAD_BATCH + 1)
        if start == 0 or step == 0:
            order = torch.randperm(len(x))
        chosen = order[start : start + HEAD_BATCH]
        mean, log_variance = bottleneck(x[chosen])
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        said = tasks(channel(z))
        loss = (
            _COUNT_WEIGHT * cross_entropy(said.count, many[chosen])
            # Every kind and every cell is a question of its own.
            + binary(said.kinds, kinds[chosen], reduction="sum") / len(chosen)
            + binary(said.layout, layout[chosen], reduction="sum") / len(chosen)
            + beta * rate_of(mean, log_variance).mean()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        bits = float(rate_of(*bottleneck(x)).mean()) / float(np.log(2))
    return Coder(beta, bottleneck.eval(), tasks.eval(), bits)


def sample_z(coder: Coder, features: Array, seed: int) -> torch.Tensor:
    """Return z of features as the cloud gets it, (N, DIMENSIONS), with fresh noise."""
    torch.manual_seed(seed)
    with torch.no_grad():
        mean, log_variance = coder.bottleneck(torch.from_numpy(features))
        return channel(mean + (0.5 * log_variance).exp() * torch.randn(len(mean), DIMENSIONS))


def counted(coder: Coder, features: Array, seed: int) -> npt.NDArray[np.int64]:
    """Return how many people z says there are, (N,), see `sample_z`."""
    with torch.no_grad():
        return np.asarray(coder.tasks(sample_z(coder, features, seed)).count.argmax(dim=1).numpy())
