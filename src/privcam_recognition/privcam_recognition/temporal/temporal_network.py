"""Runs the temporal network that was trained in `training/`: windows in, calibrated probabilities out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from privcam_core.models.network_description import WrongWeights, described
from privcam_core.models.own_networks import session
from privcam_core.types.arrays import Float32Array
from privcam_recognition.temporal.windows import FEATURES, STEPS

SUBJECT_WEIGHTS = Path(__file__).parent / "weights" / "temporal.json"


@dataclass(frozen=True)
class Weights:
    """The JSON description beside an ONNX file of this project.

    sha256: of the file, hex. labels: of its outputs. temperature: logits are divided by it, which calibrates the
    probabilities. window: (steps, features) of its input.
    """

    model_id: str
    file: str
    sha256: str
    labels: tuple[str, ...]
    temperature: float
    window: tuple[int, int]

    @classmethod
    def read(cls, path: Path) -> "Weights":
        """Return the description in a file. Raises WrongWeights."""
        weights = described(
            path,
            lambda said: cls(**{**said, "labels": tuple(said["labels"]), "window": tuple(said["window"])}),
            "privcam_cloud",
        )
        if weights.window != (STEPS, FEATURES):
            raise WrongWeights(f"{path}: is for windows of {weights.window}, this code cuts {(STEPS, FEATURES)}")
        return weights


class TemporalNetwork:
    """A network for windows of one subject. path: the JSON file beside the ONNX file."""

    def __init__(self, path: Path = SUBJECT_WEIGHTS, *, threads: int = 1) -> None:
        self.weights = Weights.read(path)
        self._session = session(path.parent / self.weights.file, self.weights.sha256, threads=threads)
        self._input = self._session.get_inputs()[0].name

    def predict(self, windows: Float32Array) -> Float32Array:
        """Return the probability of each label, (N, len(labels)). windows: (N, STEPS, FEATURES)."""
        if not len(windows):
            return np.zeros((0, len(self.weights.labels)), np.float32)
        (logits,) = self._session.run(None, {self._input: windows})
        scaled = logits / self.weights.temperature
        exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)
