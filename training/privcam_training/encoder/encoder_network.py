"""The encoder as a network to train: a map of who is where, a bottleneck, and the tasks that pull on it."""

from dataclasses import dataclass

import torch
from torch import nn

from privcam_core.drawing.palette import COLORS
from privcam_edge.embedding.encoder import MAX_COUNT
from privcam_edge.embedding.shrinking import INPUT
from privcam_training.encoder.proxy_figures import KINDS
from privcam_training.encoder.scenes import LAYOUT

DIMENSIONS = 48
# The map of who is where, (rows, columns).
GRID = (INPUT[0] // 8, INPUT[1] // 8)
# The L2 norm that z is clipped to: three times what the prior N(0, I) mostly has.
CLIP_NORM = float(3 * DIMENSIONS**0.5)


@dataclass(frozen=True)
class ProxyPrediction:
    """What the map finds in N pictures.

    colors: (N, COLORS + 1, *GRID) logits, whose colour each place has; the first is the room's. Of each colour: there,
    (N, COLORS) logit that somebody in it can be seen; kinds, (N, COLORS, len(KINDS)) logits of the posture; middles,
    (N, COLORS, 2), x and y as fractions of the picture.
    """

    colors: torch.Tensor
    there: torch.Tensor
    kinds: torch.Tensor
    middles: torch.Tensor


def _block(inputs: int, outputs: int, size: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    padding = dilation * ((size - 1) // 2)
    convolution = nn.Conv2d(inputs, outputs, size, stride, padding, dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


class Map(nn.Module):
    """Ĩ, (N, *INPUT, 3) uint8 BGR -> who is in it.

    Every SubjectID has its colour, and people beside each other have two: so people are told apart by their colours,
    which no map of places alone can do where they cover each other.
    """

    def __init__(self) -> None:
        super().__init__()
        # Colours first: those of proxies are few. Then larger and larger parts, since a large figure fills the picture.
        self.near = nn.Sequential(
            _block(3, 16, 2, 2), _block(16, 24, 2, 2), _block(24, 24, 1), _block(24, 40, 3, 2), _block(40, 40, 3)
        )
        self.coarse = nn.Sequential(_block(40, 64, 3, 2), _block(64, 64, 3))
        self.far = nn.ModuleList(_block(64, 64, 3, dilation=dilation) for dilation in (2, 4))
        self.back, self.both = _block(64, 40, 1), _block(40, 40, 3)
        self.colors, self.kinds = nn.Conv2d(40, COLORS + 1, 1), nn.Conv2d(40, len(KINDS), 1)
        nn.init.constant_(self.colors.bias[:1], 4.0)  # most places are the room's
        self.there = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
        y, x = torch.meshgrid(*((torch.arange(side) + 0.5) / side for side in GRID), indexing="ij")
        self.register_buffer("places", torch.stack((x, y), dim=-1).flatten(0, 1), persistent=False)

    def forward(self, pictures: torch.Tensor) -> ProxyPrediction:
        """Return who is in the pictures."""
        return self.find(self.extract(pictures))

    def extract(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return what the convolutions make of pictures, (N, 40, *GRID)."""
        near = self.near(pictures.permute(0, 3, 1, 2).float() / 127.5 - 1.0)
        x = self.coarse(near)
        for block in self.far:
            x = x + block(x)
        x = near + nn.functional.interpolate(self.back(x), scale_factor=2.0, mode="nearest")
        return self.both(x)

    def find(self, extracted: torch.Tensor) -> ProxyPrediction:
        """Return who is in what `extract` returned."""
        colors, kinds = self.colors(extracted), self.kinds(extracted).flatten(2)
        fraction = colors.softmax(dim=1)[:, 1:].flatten(2)
        # What is surely somebody's tells more than a little of everything.
        confident = fraction**2
        area = confident.sum(dim=2, keepdim=True) + 1e-3
        hints = torch.stack(((fraction.sum(dim=2) + 1e-2).log(), area[..., 0].log(), fraction.amax(dim=2)), dim=2)
        return ProxyPrediction(
            colors,
            self.there(hints)[..., 0],
            confident @ kinds.transpose(1, 2) / area,
            confident @ self.places / area,
        )


def summarize(found: ProxyPrediction) -> torch.Tensor:
    """Return what the bottleneck takes, (N, FEATURES): how many of each kind in each cell, and in all.

    These are decisions and not measures. How surely somebody bends, and where in a cell they sway, is how they move,
    and that tells who it is.
    """
    there = (found.there > 0).float()

    def chosen(number: torch.Tensor, of: int) -> torch.Tensor:
        return (number.unsqueeze(-1) == torch.arange(of)).float()

    rows, columns = (
        chosen((found.middles[..., axis] * cells).clamp(0, cells - 1).floor(), cells)
        for axis, cells in ((1, LAYOUT[0]), (0, LAYOUT[1]))
    )
    cells = (rows.unsqueeze(3) * columns.unsqueeze(2)).flatten(2)
    each = chosen(found.kinds.argmax(dim=2), len(KINDS)) * there.unsqueeze(2)
    in_cells = cells.transpose(1, 2) @ each
    return torch.cat((in_cells.flatten(1), each.sum(dim=1), there.sum(dim=1, keepdim=True)), dim=1)


FEATURES = len(KINDS) * LAYOUT[0] * LAYOUT[1] + len(KINDS) + 1


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
    """Logits of the tasks. count: (N, MAX_COUNT + 1). kinds: (N, len(KINDS)). layout: (N, rows x columns)."""

    count: torch.Tensor
    kinds: torch.Tensor
    layout: torch.Tensor


class Tasks(nn.Module):
    """What z is for: how many (occupancy), in what postures (behaviour), and where (coarse layout)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Linear(DIMENSIONS, 128), nn.ReLU())
        self.count = nn.Linear(128, MAX_COUNT + 1)
        self.kinds = nn.Linear(128, len(KINDS))
        self.layout = nn.Linear(128, LAYOUT[0] * LAYOUT[1])

    def forward(self, z: torch.Tensor) -> Answers:
        """Return answers for z, (N, DIMENSIONS)."""
        x = self.enter(z)
        return Answers(self.count(x), self.kinds(x), self.layout(x))


class Encoder(nn.Module):
    """What is exported: (N, *INPUT, 3) uint8 BGR -> mean and log-variance of z."""

    def __init__(self, who: Map, bottleneck: Bottleneck) -> None:
        super().__init__()
        self.map, self.bottleneck = who, bottleneck

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and log-variance."""
        mean, log_variance = self.bottleneck(summarize(self.map(pictures)))
        return mean, log_variance
