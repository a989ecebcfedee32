"""The temporal model: convolutions over time, then what was strongest and what was usual, then labels."""

import numpy as np
import numpy.typing as npt
import torch
from torch import nn


class TemporalNetwork(nn.Module):
    """(N, steps, features) float32 -> (N, labels) logits.

    Small on purpose: there are few recorded falls, and one core serves many subjects.
    """

    def __init__(self, features: int, labels: int, width: int = 48, drop: float = 0.3) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.BatchNorm1d(features), nn.Conv1d(features, width, 1))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation), nn.BatchNorm1d(width), nn.ReLU()
            )
            for dilation in (1, 2, 4)
        )
        self.leave = nn.Sequential(nn.Dropout(drop), nn.Linear(3 * width, 64), nn.ReLU(), nn.Linear(64, labels))

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        x = self.enter(windows.transpose(1, 2))
        for block in self.blocks:
            x = x + block(x)
        # The last step says what is, the others what was.
        return self.leave(torch.cat((x.amax(dim=2), x.mean(dim=2), x[:, :, -1]), dim=1))


def allowed_loss(logits: torch.Tensor, allowed: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the mean of -log of the probability of all that may be right. weight: (N,) of each example."""
    log_p = torch.log_softmax(logits, dim=1)
    score = torch.logsumexp(log_p.masked_fill(~allowed, -1e9), dim=1)
    return -(weight * score).sum() / weight.sum()


def predict(network: nn.Module, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return logits (N, labels)."""
    network.eval()
    with torch.no_grad():
        parts = [network(torch.from_numpy(windows[i : i + 1024])) for i in range(0, len(windows), 1024)]
    return np.asarray(torch.cat(parts).numpy()) if parts else np.zeros((0, 0), np.float32)
