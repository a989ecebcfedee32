"""`./privcam train --quick` trains on data that it draws itself, and writes files that the cloud reads."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from privcam_core.models.network_description import WrongWeights
from privcam_edge.embedding.encoder import BottleneckEncoder
from privcam_recognition.temporal.temporal_network import TemporalNetwork

# Against a test that hangs.
HANG_LIMIT_S = 600.0


def train(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "privcam_cli", "train", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG_LIMIT_S, check=False)


def test_quick_training_writes_weights_that_are_read_and_refused_once_they_are_changed(tmp_path: Path) -> None:
    done = train("--quick", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "right on other people" in done.stdout and "counts" in done.stdout
    network = TemporalNetwork(tmp_path / "quick" / "temporal.json")
    assert "fall" in network.weights.labels
    z = BottleneckEncoder(weights=tmp_path / "quick" / "ib.json").encode(np.full((240, 320, 3), 128, np.uint8))
    assert len(z.data) <= 64
    file = tmp_path / "quick" / "temporal.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    with pytest.raises(WrongWeights, match="install the package again"):
        TemporalNetwork(tmp_path / "quick" / "temporal.json")


def test_training_without_clips_says_what_to_do() -> None:
    done = train()
    assert done.returncode == 2
    assert "annotations.json, or use --quick" in done.stderr
