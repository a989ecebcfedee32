"""From a trained network to the two files that the cloud reads: ONNX, and what there is to know of it."""

import io
import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import torch

from privcam_recognition.temporal.temporal_model import LABELS
from privcam_recognition.temporal.temporal_network import Weights
from privcam_recognition.temporal.windows import FEATURES, STEPS
from privcam_training.temporal.trained_network import TemporalNetwork

MODEL_ID = "privcam-temporal/4"
OPSET = 17


def export(network: TemporalNetwork, path: Path, *, temperature: float, model_id: str = MODEL_ID) -> Path:
    """Write `path` (.json) and the ONNX file beside it; return `path`."""
    network.eval()
    content = io.BytesIO()
    example = torch.zeros(2, STEPS, FEATURES)
    torch.onnx.export(
        network, (example,), content, input_names=["windows"], output_names=["logits"], opset_version=OPSET,
        dynamic_axes={"windows": {0: "subjects"}, "logits": {0: "subjects"}}, dynamo=False,
    )  # fmt: skip
    file = path.with_suffix(".onnx")
    path.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.getvalue())
    weights = Weights(
        model_id=model_id,
        file=file.name,
        sha256=sha256(content.getvalue()).hexdigest(),
        labels=LABELS,
        temperature=round(temperature, 4),
        window=(STEPS, FEATURES),
    )
    path.write_text(json.dumps(asdict(weights), indent=1) + "\n", encoding="utf-8")
    return path
