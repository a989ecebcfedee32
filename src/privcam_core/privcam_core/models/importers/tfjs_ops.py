"""The TensorFlow operators that the default TF.js models use, each as ONNX nodes.

TensorFlow is channels-last: operators on pictures are wrapped into a turn to channels-first and back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from privcam_core.models.errors import ModelError
from privcam_core.models.importers.graph import GraphBuilder

Array = npt.NDArray[Any]

# TensorFlow's own default for LeakyRelu.
_LEAKY_SLOPE = 0.2


def tensor_name(name: str) -> str:
    """Return the one spelling of a tensor: "x:0" is "x"."""
    return name.removesuffix(":0")


@dataclass(frozen=True)
class Node:
    """One node of the source graph. attributes: plain Python values."""

    op: str
    name: str
    inputs: list[str]
    attributes: dict[str, Any]


class Scope:
    """What a handler needs: the graph being built and the constants known so far."""

    def __init__(self, model: str, builder: GraphBuilder, constants: dict[str, Array]) -> None:
        self.builder = builder
        self.constants = constants
        self._model = model
        self._added: dict[str, str] = {}

    def tensor(self, name: str) -> str:
        """Return the name to use as an input; a constant is added to the graph at its first use."""
        if name not in self.constants:
            return name
        if name not in self._added:
            self._added[name] = self.builder.constant(self.constants[name])
        return self._added[name]

    def constant(self, node: Node, index: int) -> Array:
        """Return input `index` of the node, which has to be a constant."""
        name = node.inputs[index]
        if name not in self.constants:
            raise ModelError(f"{self._model}: input {index} of {node.op} {node.name} has to be a constant")
        return self.constants[name]

    def numbers(self, node: Node, index: int) -> list[int]:
        """Return a constant input as a list of whole numbers."""
        return [int(v) for v in np.atleast_1d(self.constant(node, index))]


Handler = Callable[[Scope, Node], None]
HANDLERS: dict[str, Handler] = {}


def _handles(*ops: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(ops, handler))
        return handler

    return register


def _sparse_to_dense(at: Array, shape: Array, values: Array, fill: Array) -> Array:
    dense = np.full(shape, fill, values.dtype)
    dense[tuple(at.T) if at.ndim == 2 else at] = values
    return dense


# Shape arithmetic that the exporter left in the graph: with constant inputs it is computed at import.
FOLDS: dict[str, Callable[..., Array]] = {
    "Add": np.add,
    "AddV2": np.add,
    "ConcatV2": lambda *parts: np.concatenate(parts[:-1], int(parts[-1])),
    "SparseToDense": _sparse_to_dense,
}

_BINARY = {
    "Add": "Add", "AddV2": "Add", "Sub": "Sub", "Mul": "Mul", "RealDiv": "Div", "Maximum": "Max", "Minimum": "Min",
    # In these graphs it divides indices, which are not negative: rounding to zero and rounding down are one.
    "FloorDiv": "Div",
    "BiasAdd": "Add",
}  # fmt: skip


@_handles(*_BINARY)
def _binary(scope: Scope, node: Node) -> None:
    scope.builder.add(_BINARY[node.op], [scope.tensor(x) for x in node.inputs], node.name)


@_handles("SquaredDifference")
def _squared_difference(scope: Scope, node: Node) -> None:
    difference = scope.builder.add("Sub", [scope.tensor(x) for x in node.inputs])
    scope.builder.add("Mul", [difference, difference], node.name)


@_handles("Sqrt", "Sigmoid", "Relu", "Relu6", "LeakyRelu", "Softmax", "Identity")
def _unary(scope: Scope, node: Node) -> None:
    _activate(scope, node, node.op, scope.tensor(node.inputs[0]), node.name)


def _activate(scope: Scope, node: Node, function: str, x: str, output: str | None) -> str:
    if function == "Relu6":
        return scope.builder.relu6(x, output)
    if function == "LeakyRelu":
        slope = node.attributes.get("alpha", node.attributes.get("leakyrelu_alpha", _LEAKY_SLOPE))
        return scope.builder.add("LeakyRelu", [x], output, alpha=float(slope))
    return scope.builder.add(function, [x], output)


@_handles("Conv2D", "_FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative")
def _convolution(scope: Scope, node: Node) -> None:
    builder, attributes = scope.builder, node.attributes
    kernel = scope.constant(node, 1)  # height, width, channels in, channels out (depthwise: multiplier)
    size = kernel.shape[:2]
    groups = kernel.shape[2] if "Depthwise" in node.op else 1
    # ONNX wants channels out first; those of a depthwise kernel are its channels in times its multiplier.
    weights = kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *size) if groups > 1 else kernel.transpose(3, 2, 0, 1)
    inputs = [builder.nchw(scope.tensor(node.inputs[0])), builder.constant(weights)]
    functions = list(attributes.get("fused_ops", []))
    if functions and functions[0] == "BiasAdd":
        inputs.append(builder.constant(scope.constant(node, 2).reshape(-1)))
        functions.pop(0)
    x = builder.add(
        "Conv",
        inputs,
        kernel_shape=size,
        strides=attributes["strides"][1:3],
        dilations=attributes.get("dilations", [1, 1, 1, 1])[1:3],
        group=groups,
        **_padding(attributes),
    )
    builder.nhwc(_activate_fused(scope, node, functions, x), node.name)


def _activate_fused(scope: Scope, node: Node, functions: list[str], x: str) -> str:
    for function in functions:
        if function not in ("Relu", "Relu6", "LeakyRelu", "Sigmoid"):
            raise ModelError(f"the fused activation {function} of {node.name} is not supported")
        x = _activate(scope, node, function, x, None)
    return x


@_handles("_FusedMatMul")
def _fused_matrix_product(scope: Scope, node: Node) -> None:
    if node.attributes.get("transpose_a") or node.attributes.get("transpose_b"):
        raise ModelError(f"the transposed matrix product {node.name} is not supported")
    functions = list(node.attributes.get("fused_ops", []))
    x = scope.builder.add("MatMul", [scope.tensor(name) for name in node.inputs[:2]])
    if functions and functions[0] == "BiasAdd":
        x = scope.builder.add("Add", [x, scope.tensor(node.inputs[2])])
        functions.pop(0)
    scope.builder.add("Identity", [_activate_fused(scope, node, functions, x)], node.name)


@_handles("Mean")
def _mean(scope: Scope, node: Node) -> None:
    inputs = [scope.tensor(node.inputs[0]), scope.builder.integers(scope.numbers(node, 1))]
    scope.builder.add("ReduceMean", inputs, node.name, keepdims=int(bool(node.attributes.get("keep_dims", False))))


def _padding(attributes: dict[str, Any]) -> dict[str, Any]:
    padding = attributes["padding"]
    if padding == "EXPLICIT":
        before_after = attributes["explicit_paddings"]
        return {"pads": [before_after[i] for i in (2, 4, 3, 5)]}
    return {"auto_pad": "SAME_UPPER" if padding == "SAME" else "VALID"}


@_handles("MaxPool")
def _max_pool(scope: Scope, node: Node) -> None:
    pooled = scope.builder.add(
        "MaxPool",
        [scope.builder.nchw(scope.tensor(node.inputs[0]))],
        kernel_shape=node.attributes["ksize"][1:3],
        strides=node.attributes["strides"][1:3],
        **_padding(node.attributes),
    )
    scope.builder.nhwc(pooled, node.name)


@_handles("ResizeBilinear")
def _resize(scope: Scope, node: Node) -> None:
    height, width = scope.numbers(node, 1)
    resized = scope.builder.resize_bilinear(
        scope.builder.nchw(scope.tensor(node.inputs[0])),
        height,
        width,
        align_corners=bool(node.attributes.get("align_corners", False)),
        half_pixel=bool(node.attributes.get("half_pixel_centers", False)),
    )
    scope.builder.nhwc(resized, node.name)


@_handles("Pad", "PadV2")
def _pad(scope: Scope, node: Node) -> None:
    pads = scope.constant(node, 1)
    inputs = [scope.tensor(node.inputs[0]), scope.builder.integers(np.concatenate([pads[:, 0], pads[:, 1]]))]
    if node.op == "PadV2":
        inputs.append(scope.builder.constant(scope.constant(node, 2).astype(np.float32).reshape(())))
    scope.builder.add("Pad", inputs, node.name)


@_handles("Cast")
def _cast(scope: Scope, node: Node) -> None:
    kinds = {"DT_FLOAT": TensorProto.FLOAT, "DT_INT32": TensorProto.INT32}
    scope.builder.add("Cast", [scope.tensor(node.inputs[0])], node.name, to=kinds[node.attributes["DstT"]])


@_handles("Transpose")
def _transpose(scope: Scope, node: Node) -> None:
    scope.builder.add("Transpose", [scope.tensor(node.inputs[0])], node.name, perm=scope.numbers(node, 1))


@_handles("Reshape")
def _reshape(scope: Scope, node: Node) -> None:
    shape = scope.builder.integers(scope.numbers(node, 1))
    scope.builder.add("Reshape", [scope.tensor(node.inputs[0]), shape], node.name)


@_handles("ExpandDims")
def _expand(scope: Scope, node: Node) -> None:
    axes = scope.builder.integers(scope.numbers(node, 1))
    scope.builder.add("Unsqueeze", [scope.tensor(node.inputs[0]), axes], node.name)


@_handles("Squeeze")
def _squeeze(scope: Scope, node: Node) -> None:
    axes = node.attributes.get("squeeze_dims") or node.attributes.get("axis") or []
    inputs = [scope.tensor(node.inputs[0])] + ([scope.builder.integers(axes)] if axes else [])
    scope.builder.add("Squeeze", inputs, node.name)


def _output_names(node: Node, count: int) -> list[str]:
    return [node.name, *(f"{node.name}:{i}" for i in range(1, count))]


@_handles("SplitV")
def _split(scope: Scope, node: Node) -> None:
    sizes = scope.numbers(node, 1)
    axis = scope.numbers(node, 2)[0]
    scope.builder.split(scope.tensor(node.inputs[0]), _output_names(node, len(sizes)), axis, sizes)


@_handles("Unpack")
def _unpack(scope: Scope, node: Node) -> None:
    builder, axis = scope.builder, int(node.attributes.get("axis", 0))
    outputs = _output_names(node, int(node.attributes["num"]))
    slices = [f"{name}/slice" for name in outputs]
    builder.split(scope.tensor(node.inputs[0]), slices, axis)
    for part, output in zip(slices, outputs, strict=True):
        builder.add("Squeeze", [part, builder.integers([axis])], output)


@_handles("Pack")
def _pack(scope: Scope, node: Node) -> None:
    builder, axis = scope.builder, int(node.attributes.get("axis", 0))
    parts = [builder.add("Unsqueeze", [scope.tensor(x), builder.integers([axis])]) for x in node.inputs]
    builder.add("Concat", parts, node.name, axis=axis)


@_handles("ConcatV2")
def _concat(scope: Scope, node: Node) -> None:
    axis = scope.numbers(node, len(node.inputs) - 1)[0]
    scope.builder.add("Concat", [scope.tensor(x) for x in node.inputs[:-1]], node.name, axis=axis)


@_handles("ArgMax")
def _arg_max(scope: Scope, node: Node) -> None:
    axis = scope.numbers(node, 1)[0]
    found = scope.builder.add("ArgMax", [scope.tensor(node.inputs[0])], axis=axis, keepdims=0)
    scope.builder.add("Cast", [found], node.name, to=TensorProto.INT32)


@_handles("GatherNd")
def _gather(scope: Scope, node: Node) -> None:
    indices = scope.builder.add("Cast", [scope.tensor(node.inputs[1])], to=TensorProto.INT64)
    scope.builder.add("GatherND", [scope.tensor(node.inputs[0]), indices], node.name)
