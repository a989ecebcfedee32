"""`./privcam train --quick` trains on data that it draws itself, and writes files that the cloud reads."""

import subprocess
import sys
from pathlib import Path

import pytest

from privcam_cloud.recognition.network import TemporalNetwork, WrongWeights

PATIENCE_S = 600.0


def train(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "privcam_cli", "train", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_quick_training_writes_weights_that_are_read_and_refused_once_they_are_changed(tmp_path: Path) -> None:
    done = train("--quick", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "right on other people" in done.stdout
    network = TemporalNetwork(tmp_path / "quick" / "temporal.json")
    assert "fall" in network.weights.labels
    file = tmp_path / "quick" / "temporal.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    with pytest.raises(WrongWeights, match="install privcam_cloud again"):
        TemporalNetwork(tmp_path / "quick" / "temporal.json")


def test_training_without_clips_says_what_to_do() -> None:
    done = train()
    assert done.returncode == 2
    assert "annotations.json, or use --quick" in done.stderr
