"""The TFLite operators that the default models use, each as ONNX nodes on channels-first tensors."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import tflite

from privcam_core.models.errors import ModelError
from privcam_core.models.importers.graph import TO_NCHW, GraphBuilder

Array = npt.NDArray[Any]

# Where an axis of a channels-last tensor is in the channels-first one.
_AXIS_IN_NCHW = (0, 2, 3, 1)


@dataclass(frozen=True)
class Operator:
    """One operator of the source. table: its options, still unread. custom: option bytes of a custom operator."""

    op: str
    inputs: list[int]
    outputs: list[int]
    table: Any
    custom: bytes

    def options(self, kind: type) -> Any:
        """Return the options read as the table class `kind`."""
        options = kind()
        options.Init(self.table.Bytes, self.table.Pos)
        return options


class Scope:
    """What a handler needs: the graph being built, the shapes of all tensors and the constants known so far."""

    def __init__(self, model: str, builder: GraphBuilder, shapes: list[list[int]], constants: dict[int, Array]) -> None:
        self.builder = builder
        self.shapes = shapes
        self.constants = constants
        self._model = model

    @staticmethod
    def name(index: int) -> str:
        """Return the name of a tensor in the graph."""
        return f"t{index}"

    def tensor(self, index: int) -> str:
        """Return the name to use as an input; a constant is added to the graph in channels-first layout."""
        value = self.constants.get(index)
        if value is None:
            return self.name(index)
        if value.ndim == 4:
            value = value.transpose(TO_NCHW)
        elif value.ndim == 1 and value.size > 1:
            value = value.reshape(1, -1, 1, 1)  # one value for each channel
        return self.builder.constant(value)

    def constant(self, operator: Operator, position: int) -> Array:
        """Return input `position` of the operator, which has to be a constant."""
        index = operator.inputs[position]
        if index not in self.constants:
            raise ModelError(f"{self._model}: input {position} of a {operator.op} has to be a constant")
        return self.constants[index]

    def activated(self, function: int, x: str, output: str) -> None:
        """Add the activation that is fused to an operator, from x to `output`."""
        if function == tflite.ActivationFunctionType.NONE:
            self.builder.add("Identity", [x], output)
        elif function == tflite.ActivationFunctionType.RELU:
            self.builder.add("Relu", [x], output)
        elif function == tflite.ActivationFunctionType.RELU6:
            self.builder.relu6(x, output)
        else:
            raise ModelError(f"{self._model}: fused activation {function} is not supported")


Handler = Callable[[Scope, Operator], None]
HANDLERS: dict[str, Handler] = {}


def _handles(*ops: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(ops, handler))
        return handler

    return register


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return how much "SAME" pads before and after an axis of `size`; the odd one goes after."""
    out = -(-size // stride)
    total = max(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - size)
    return total // 2, total - total // 2


def _pads(
    scope: Scope, operator: Operator, options: Any, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> list[int]:
    if options.Padding() != tflite.Padding.SAME:
        return [0, 0, 0, 0]
    _, height, width, _ = scope.shapes[operator.inputs[0]]
    top, bottom = same_padding(height, kernel[0], options.StrideH(), dilation[0])
    left, right = same_padding(width, kernel[1], options.StrideW(), dilation[1])
    return [top, left, bottom, right]


@_handles("CONV_2D", "DEPTHWISE_CONV_2D")
def _convolution(scope: Scope, operator: Operator) -> None:
    depthwise = operator.op == "DEPTHWISE_CONV_2D"
    options = operator.options(tflite.DepthwiseConv2DOptions if depthwise else tflite.Conv2DOptions)
    weights = scope.constant(operator, 1)  # out, height, width, in (depthwise: 1, height, width, out)
    kernel = (weights.shape[1], weights.shape[2])
    dilation = (options.DilationHFactor(), options.DilationWFactor())
    x, out = operator.inputs[0], operator.outputs[0]
    inputs = [
        scope.tensor(x),
        scope.builder.constant(weights.transpose(3, 0, 1, 2) if depthwise else weights.transpose(TO_NCHW)),
    ]
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        inputs.append(scope.builder.constant(scope.constant(operator, 2)))
    result = scope.builder.add(
        "Conv",
        inputs,
        kernel_shape=kernel,
        strides=[options.StrideH(), options.StrideW()],
        dilations=dilation,
        group=scope.shapes[x][3] if depthwise else 1,
        pads=_pads(scope, operator, options, kernel, dilation),
    )
    scope.activated(options.FusedActivationFunction(), result, scope.name(out))


@_handles("Convolution2DTransposeBias")
def _transposed_convolution(scope: Scope, operator: Operator) -> None:
    """MediaPipe's own operator. Its options are padding, stride in x and stride in y, each a 32-bit number."""
    _, stride_x, stride_y = struct.unpack_from("<iii", operator.custom)
    weights, bias = scope.constant(operator, 1), scope.constant(operator, 2)  # weights: out, height, width, in
    _, height, width, _ = scope.shapes[operator.inputs[0]]
    _, out_height, out_width, _ = scope.shapes[operator.outputs[0]]
    extra_y = max(0, (height - 1) * stride_y + weights.shape[1] - out_height)
    extra_x = max(0, (width - 1) * stride_x + weights.shape[2] - out_width)
    scope.builder.add(
        "ConvTranspose",
        [
            scope.tensor(operator.inputs[0]),
            scope.builder.constant(weights.transpose(3, 0, 1, 2)),
            scope.builder.constant(bias),
        ],
        scope.name(operator.outputs[0]),
        kernel_shape=weights.shape[1:3],
        strides=[stride_y, stride_x],
        pads=[extra_y // 2, extra_x // 2, extra_y - extra_y // 2, extra_x - extra_x // 2],
    )


@_handles("ADD", "MUL")
def _binary(scope: Scope, operator: Operator) -> None:
    options = operator.options({"ADD": tflite.AddOptions, "MUL": tflite.MulOptions}[operator.op])
    x = scope.builder.add(operator.op.capitalize(), [scope.tensor(i) for i in operator.inputs])
    scope.activated(options.FusedActivationFunction(), x, scope.name(operator.outputs[0]))


@_handles("PAD")
def _pad(scope: Scope, operator: Operator) -> None:
    before_after = scope.constant(operator, 1).reshape(4, 2)[list(TO_NCHW)]
    pads = scope.builder.integers(before_after.T.reshape(-1))
    scope.builder.add("Pad", [scope.tensor(operator.inputs[0]), pads], scope.name(operator.outputs[0]))


@_handles("MAX_POOL_2D", "AVERAGE_POOL_2D")
def _pool(scope: Scope, operator: Operator) -> None:
    options = operator.options(tflite.Pool2DOptions)
    kernel = (options.FilterHeight(), options.FilterWidth())
    x = scope.tensor(operator.inputs[0])
    if operator.op == "AVERAGE_POOL_2D" and list(kernel) == scope.shapes[operator.inputs[0]][1:3]:
        pooled = scope.builder.add("GlobalAveragePool", [x])
    else:
        pooled = scope.builder.add(
            "MaxPool" if operator.op == "MAX_POOL_2D" else "AveragePool",
            [x],
            kernel_shape=kernel,
            strides=[options.StrideH(), options.StrideW()],
            pads=_pads(scope, operator, options, kernel),
        )
    scope.activated(options.FusedActivationFunction(), pooled, scope.name(operator.outputs[0]))


@_handles("RESIZE_BILINEAR")
def _resize(scope: Scope, operator: Operator) -> None:
    options = operator.options(tflite.ResizeBilinearOptions)
    height, width = (int(size) for size in scope.constant(operator, 1))
    scope.builder.resize_bilinear(
        scope.tensor(operator.inputs[0]),
        height,
        width,
        align_corners=bool(options.AlignCorners()),
        half_pixel=bool(options.HalfPixelCenters()),
        output=scope.name(operator.outputs[0]),
    )


@_handles("CONCATENATION")
def _concatenation(scope: Scope, operator: Operator) -> None:
    options = operator.options(tflite.ConcatenationOptions)
    rank = len(scope.shapes[operator.outputs[0]])
    axis = options.Axis() % rank
    x = scope.builder.add(
        "Concat", [scope.tensor(i) for i in operator.inputs], axis=_AXIS_IN_NCHW[axis] if rank == 4 else axis
    )
    scope.activated(options.FusedActivationFunction(), x, scope.name(operator.outputs[0]))


@_handles("RESHAPE")
def _reshape(scope: Scope, operator: Operator) -> None:
    """Reshape means the order of channels-last memory, so 4-D tensors are turned before and after."""
    source, target = operator.inputs[0], operator.outputs[0]
    x = scope.tensor(source)
    if len(scope.shapes[source]) == 4:
        x = scope.builder.nhwc(x)
    shape = scope.builder.integers(scope.shapes[target])
    if len(scope.shapes[target]) == 4:
        scope.builder.nchw(scope.builder.add("Reshape", [x, shape]), scope.name(target))
    else:
        scope.builder.add("Reshape", [x, shape], scope.name(target))


@_handles("DEPTH_TO_SPACE")
def _depth_to_space(scope: Scope, operator: Operator) -> None:
    block = operator.options(tflite.DepthToSpaceOptions).BlockSize()
    scope.builder.add(
        "DepthToSpace", [scope.tensor(operator.inputs[0])], scope.name(operator.outputs[0]), blocksize=block, mode="DCR"
    )


@_handles("LOGISTIC", "RELU", "HARD_SWISH")
def _unary(scope: Scope, operator: Operator) -> None:
    op = {"LOGISTIC": "Sigmoid", "RELU": "Relu", "HARD_SWISH": "HardSwish"}[operator.op]
    scope.builder.add(op, [scope.tensor(operator.inputs[0])], scope.name(operator.outputs[0]))


@_handles("RELU6")
def _relu6(scope: Scope, operator: Operator) -> None:
    scope.builder.relu6(scope.tensor(operator.inputs[0]), scope.name(operator.outputs[0]))
