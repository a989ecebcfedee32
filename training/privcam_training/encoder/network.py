"""The encoder as a network to train: a map of who is where, a bottleneck, and the tasks that pull on it."""

from dataclasses import dataclass

import torch
from torch import nn

from privcam_edge.embedding.encoder import MOST
from privcam_training.encoder.figures import KINDS
from privcam_training.encoder.scenes import GRID, LAYOUT

DIMENSIONS = 48
# The map is summed over cells of so many places before the bottleneck, (rows, columns).
_CELL = (3, 4)
_CELLS = (GRID[0] // _CELL[0]) * (GRID[1] // _CELL[1])
# The L2 norm that z is clipped to: three times what the prior N(0, I) mostly has.
CLIP_NORM = float(3 * DIMENSIONS**0.5)


class Map(nn.Module):
    """Ĩ, (N, *INPUT, 3) uint8 BGR -> how many are at each place, and of which kind."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        # Colours first: those of proxies are few. Then larger and larger parts.
        for size, channels, width, stride, dilation in (
            (2, 3, 24, 2, 1),
            (1, 24, 24, 1, 1),
            (3, 24, 32, 2, 1),
            (3, 32, 32, 1, 1),
            (3, 32, 48, 2, 1),
            (3, 48, 64, 1, 1),
        ):
            padding = dilation * ((size - 1) // 2)
            convolution = nn.Conv2d(channels, width, size, stride, padding, dilation, bias=False)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        # A large figure fills the picture: what is seen far away counts at its middle.
        self.far = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(64, 64, 3, padding=dilation, dilation=dilation, bias=False), nn.BatchNorm2d(64), nn.ReLU()
            )
            for dilation in (2, 3, 4)
        )
        self.many, self.kinds = nn.Conv2d(64, 1, 1), nn.Conv2d(64, len(KINDS), 1)
        nn.init.constant_(self.many.bias, -5.0)  # nobody at most places

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return how many are where, (N, 1, *GRID), never negative, and logits of their kinds, (N, kinds, *GRID)."""
        x = self.layers(pictures.permute(0, 3, 1, 2).float() / 127.5 - 1.0)
        for block in self.far:
            x = x + block(x)
        return nn.functional.softplus(self.many(x)), self.kinds(x)


def summed(many: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
    """Return what the bottleneck takes, (N, FEATURES), of a map: how many of each kind in each cell, and in all."""
    density = many * kinds.softmax(dim=1)
    cells = nn.functional.avg_pool2d(density, _CELL) * (_CELL[0] * _CELL[1])
    each = density.sum(dim=(2, 3))
    return torch.cat((cells.flatten(1), each, each.sum(dim=1, keepdim=True)), dim=1)


FEATURES = len(KINDS) * _CELLS + len(KINDS) + 1


class Bottleneck(nn.Module):
    """(N, FEATURES) -> mean and log-variance of z, (N, DIMENSIONS) each."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Linear(FEATURES, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(128, DIMENSIONS), nn.Linear(128, DIMENSIONS)
        nn.init.zeros_(self.log_variance.weight)
        nn.init.constant_(self.log_variance.bias, -3.0)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and log-variance."""
        x = self.enter(features)
        return self.mean(x), self.log_variance(x).clamp(-8.0, 1.0)


@dataclass(frozen=True)
class Answers:
    """Logits of the tasks. count: (N, MOST + 1). kinds: (N, len(KINDS)). layout: (N, rows x columns)."""

    count: torch.Tensor
    kinds: torch.Tensor
    layout: torch.Tensor


class Tasks(nn.Module):
    """What z is for: how many (occupancy), in what postures (behaviour), and where (coarse layout)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Linear(DIMENSIONS, 128), nn.ReLU())
        self.count = nn.Linear(128, MOST + 1)
        self.kinds = nn.Linear(128, len(KINDS))
        self.layout = nn.Linear(128, LAYOUT[0] * LAYOUT[1])

    def forward(self, z: torch.Tensor) -> Answers:
        """Return answers for z, (N, DIMENSIONS)."""
        x = self.enter(z)
        return Answers(self.count(x), self.kinds(x), self.layout(x))


class Encoder(nn.Module):
    """What is exported: (N, *INPUT, 3) uint8 BGR -> mean and log-variance of z."""

    def __init__(self, places: Map, bottleneck: Bottleneck) -> None:
        super().__init__()
        self.places, self.bottleneck = places, bottleneck

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and log-variance."""
        mean, log_variance = self.bottleneck(summed(*self.places(pictures)))
        return mean, log_variance
