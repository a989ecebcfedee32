"""Compares the outputs of an imported model with recorded ones, which were verified against TensorFlow.

The input is a synthetic picture that is computed from a recipe, so only outputs are kept, and of large ones a sample.
"""

from collections.abc import Sequence
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from privcam_core.models.errors import ModelError
from privcam_core.models.manifest import ModelEntry

Array = npt.NDArray[Any]

_FOLDER = Path(__file__).parent / "reference"
_SAMPLES = 2048
# The exponential overflows beyond this; the sigmoid is 0 or 1 long before.
_LARGEST_LOGIT = 80.0


def synthetic_picture(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return a (height, width, 3) uint8 picture: a wavy background with grain and a rough figure in front.

    Whole-number grain instead of a random generator: the same pixels with every NumPy on every machine.
    """
    y, x = np.mgrid[0:height, 0:width]
    v, u = y / height, x / width
    channels = []
    for channel, (level, skin) in enumerate(((90, 120), (120, 150), (100, 205))):
        value = level + 50 * np.sin(6 * u + channel) * np.cos(4 * v) + 30 * v
        for (u0, v0), (u1, v1), radius, lightness in _FIGURE:
            value = np.where(_near(u, v, (u0, v0), (u1, v1)) < radius, skin * lightness, value)
        grain = ((x * 7919 + y * 104729 + channel * 1299709) % 8191) % 17 - 8
        channels.append(value + grain)
    return np.clip(np.round(np.stack(channels, axis=2)), 0, 255).astype(np.uint8)


# Head, trunk, arms and legs as thick lines: ends (u, v) and radius as shares of the picture, lightness.
_FIGURE: Sequence[tuple[tuple[float, float], tuple[float, float], float, float]] = (
    ((0.42, 0.36), (0.33, 0.56), 0.03, 0.9),
    ((0.58, 0.36), (0.69, 0.53), 0.03, 0.9),
    ((0.46, 0.62), (0.43, 0.92), 0.04, 0.35),
    ((0.54, 0.62), (0.58, 0.92), 0.04, 0.35),
    ((0.50, 0.38), (0.50, 0.60), 0.09, 0.5),
    ((0.50, 0.19), (0.50, 0.23), 0.06, 1.0),
)


def _near(u: Array, v: Array, start: tuple[float, float], end: tuple[float, float]) -> Array:
    """Return the distance of every pixel from a line."""
    du, dv = end[0] - start[0], end[1] - start[1]
    along = np.clip(((u - start[0]) * du + (v - start[1]) * dv) / (du * du + dv * dv), 0, 1)
    distance: Array = np.hypot(u - start[0] - along * du, v - start[1] - along * dv)
    return distance


def synthetic_input(entry: ModelEntry) -> Array:
    """Return the synthetic picture as the input tensor of a model."""
    return entry.input.tensor(synthetic_picture(*entry.input.size))


def sample(output: Array) -> Array:
    """Return at most _SAMPLES values of an output, spread over all of it."""
    step = -(-output.size // _SAMPLES)
    # A step that shares a factor with the last axis would visit some channels only.
    while gcd(step, output.shape[-1]) > 1:
        step += 1
    return output.reshape(-1)[::step].astype(np.float32)


def check(entry: ModelEntry, outputs: Sequence[Array]) -> None:
    """Compare the outputs for the synthetic input with the recorded ones.

    Raises: ModelError that names the output, its largest difference and the tolerance.
    """
    recorded = load_reference(entry.name)
    for name, output in zip(entry.outputs, outputs, strict=True):
        found, expected = sample(output), recorded[name]
        if found.shape != expected.shape:
            raise ModelError(
                f"model {entry.name}: output {name} has shape {output.shape}, which is not that of the reference."
                " The importer and the reference belong to different versions of privcam: install it again."
            )
        if name in entry.sigmoid:
            found, expected = _sigmoid(found), _sigmoid(expected)
        difference = float(np.abs(found - expected).max())
        # Written so that a NaN fails as well.
        if not difference <= entry.tolerance:
            raise ModelError(
                f"model {entry.name}: output {name} differs from the reference by {difference:g},"
                f" allowed is {entry.tolerance:g}. The import is wrong on this machine: do not use it."
                " Report the versions of onnx, onnxruntime and numpy."
            )


def load_reference(name: str) -> dict[str, Array]:
    """Return the recorded samples of a model's outputs by name. Raises ModelError where there are none."""
    path = _FOLDER / f"{name}.npz"
    if not path.is_file():
        raise ModelError(f"model {name}: has no reference {path}. Run: python3 -m make_model_reference")
    with np.load(path) as stored:
        return dict(stored)


def save_reference(entry: ModelEntry, outputs: Sequence[Array]) -> Path:
    """Record the outputs for the synthetic input and return the file written."""
    path = _FOLDER / f"{entry.name}.npz"
    path.parent.mkdir(exist_ok=True)
    samples = {name: sample(output) for name, output in zip(entry.outputs, outputs, strict=True)}
    np.savez_compressed(path, **samples)  # type: ignore[arg-type]
    return path


def _sigmoid(logits: Array) -> Array:
    values: Array = 1 / (1 + np.exp(-np.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT)))
    return values
