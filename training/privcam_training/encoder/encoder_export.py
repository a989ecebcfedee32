"""From a trained encoder to the two files that the edge reads: ONNX, and what there is to know of it."""

import io
import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import torch

from privcam_edge.embedding.bottleneck_weights import BottleneckWeights
from privcam_edge.embedding.shrinking import INPUT
from privcam_training.encoder.encoder_fitting import SIGMA, Coder
from privcam_training.encoder.encoder_network import CLIP_NORM, DIMENSIONS, Encoder, Map

ENCODER_ID = "ib48-4"
OPSET = 17


def export(places: Map, coder: Coder, path: Path) -> Path:
    """Write `path` (.json) and the ONNX file beside it; return `path`."""
    encoder = Encoder(places, coder.bottleneck).eval()
    content = io.BytesIO()
    torch.onnx.export(
        encoder, (torch.zeros(1, *INPUT, 3, dtype=torch.uint8),), content, input_names=["pictures"],
        output_names=["mean", "log_variance"], opset_version=OPSET, dynamo=False,
        dynamic_axes={"pictures": {0: "frames"}, "mean": {0: "frames"}, "log_variance": {0: "frames"}},
    )  # fmt: skip
    file = path.with_suffix(".onnx")
    path.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.getvalue())
    weights = BottleneckWeights(
        encoder_id=ENCODER_ID, file=file.name, sha256=sha256(content.getvalue()).hexdigest(), dimensions=DIMENSIONS,
        beta=coder.beta, sigma=SIGMA, clip_norm=round(CLIP_NORM, 4),
    )  # fmt: skip
    path.write_text(json.dumps(asdict(weights), indent=1) + "\n", encoding="utf-8")
    return path
