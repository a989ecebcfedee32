"""Reads a TensorFlow.js graph model (a JSON file with weights beside it) and turns it into ONNX, without TensorFlow.

The operators are in `tfjs_ops`. Written against the format that the public tfjs converter writes: a topology of
TensorFlow nodes in JSON (byte strings in base64) and a weights manifest that lists arrays in the order of the bytes.
"""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from privcam_core.models.errors import ModelError
from privcam_core.models.importers.graph import GraphBuilder
from privcam_core.models.importers.tfjs_ops import FOLDS, HANDLERS, Node, Scope, tensor_name

Array = npt.NDArray[Any]

_KINDS = {"DT_FLOAT": TensorProto.FLOAT, "DT_INT32": TensorProto.INT32}
# These nodes hold nothing to compute: constants are in the weights, placeholders are the inputs.
_SILENT = ("Const", "NoOp", "Placeholder")


def import_tfjs(path: Path, name: str, outputs: list[str]) -> onnx.ModelProto:
    """Return the graph model of a `model.json` as ONNX.

    path: the JSON file; the weight files that it names lie beside it. name: for the graph and for errors. outputs:
    names of the result tensors, in the order wanted. Inputs and outputs keep the layout and type of the source.

    Raises: ModelError for an operator that is not supported, or where the files do not fit together.
    """
    description = json.loads(path.read_text())
    builder = GraphBuilder()
    scope = Scope(name, builder, read_weights(path.parent, description["weightsManifest"]))
    inputs = []
    for raw in description["modelTopology"]["node"]:
        node = Node(raw["op"], raw["name"], _data_inputs(raw), _attributes(raw.get("attr", {})))
        if node.op == "Placeholder":
            inputs.append(_input(node))
        if node.op in _SILENT or _fold(scope, node):
            continue
        if node.op not in HANDLERS:
            raise ModelError(f"{name}: operator {node.op} of node {node.name} in {path.name} is not supported")
        HANDLERS[node.op](scope, node)
    shapes = _output_shapes(description)
    missing = [output for output in outputs if output not in shapes]
    if missing:
        raise ModelError(f"{name}: {path.name} has no output {', '.join(missing)}, only {', '.join(shapes)}")
    results = [helper.make_tensor_value_info(output, TensorProto.FLOAT, shapes[output]) for output in outputs]
    return builder.model(name, inputs, results)


def read_weights(folder: Path, manifest: list[dict[str, Any]]) -> dict[str, Array]:
    """Return all arrays of a weights manifest by name, quantised ones expanded to their own type."""
    weights: dict[str, Array] = {}
    for group in manifest:
        content = b"".join((folder / part).read_bytes() for part in group["paths"])
        offset = 0
        for entry in group["weights"]:
            array, offset = _read_array(content, offset, entry)
            weights[entry["name"]] = array
    return weights


def _read_array(content: bytes, offset: int, entry: dict[str, Any]) -> tuple[Array, int]:
    quantization = entry.get("quantization")
    stored = np.dtype("uint8" if entry["dtype"] == "bool" else entry["dtype"])
    if quantization is not None:
        stored = np.dtype(quantization["dtype"])
    count = int(np.prod(entry["shape"], dtype=int))
    if offset + count * stored.itemsize > len(content):
        raise ModelError(f"{entry['name']}: the weight file ends in it. The two files do not belong together.")
    array: Array = np.frombuffer(content, stored, count, offset)
    if quantization is not None and stored.kind == "u":
        array = array.astype(np.float32) * np.float32(quantization["scale"]) + np.float32(quantization["min"])
    return array.astype(entry["dtype"]).reshape(entry["shape"]), offset + count * stored.itemsize


def _data_inputs(raw: dict[str, Any]) -> list[str]:
    # A caret marks an input that only orders the execution and carries no data.
    return [tensor_name(name) for name in raw.get("input", []) if not name.startswith("^")]


def _attributes(raw: dict[str, Any]) -> dict[str, Any]:
    return {key: _attribute(value) for key, value in raw.items()}


def _attribute(value: dict[str, Any]) -> Any:
    """Return an attribute as a plain Python value: numbers come as strings, byte strings in base64."""
    kind, content = next(iter(value.items()))
    if kind == "i":
        return int(content)
    if kind == "s":
        return b64decode(content).decode()
    if kind == "list":
        return [_attribute({inner: item}) for inner, items in content.items() for item in items]
    if kind == "shape":
        return [int(dimension["size"]) for dimension in content.get("dim", [])]
    return content


def _output_shapes(description: dict[str, Any]) -> dict[str, list[int]]:
    outputs = description.get("signature", {}).get("outputs", {})
    return {tensor_name(key): _attribute({"shape": value["tensorShape"]}) for key, value in outputs.items()}


def _input(node: Node) -> onnx.ValueInfoProto:
    shape = [size if size > 0 else f"axis_{axis}" for axis, size in enumerate(node.attributes["shape"])]
    return helper.make_tensor_value_info(node.name, _KINDS[node.attributes["dtype"]], shape)


def _fold(scope: Scope, node: Node) -> bool:
    """Compute a node of constants now. Return whether it was one."""
    fold = FOLDS.get(node.op)
    if fold is None or not all(name in scope.constants for name in node.inputs):
        return False
    scope.constants[node.name] = fold(*(scope.constants[name] for name in node.inputs))
    return True
