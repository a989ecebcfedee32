"""Reads a TFLite file and turns it into ONNX, without TensorFlow.

Four-dimensional tensors are channels-first inside the ONNX graph; inputs and outputs keep the channels-last layout of
the source. Weights in half precision or sparse form become plain float32. The operators are in `tflite_ops`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import tflite
from onnx import TensorProto, helper

from privcam_core.models.errors import ModelError
from privcam_core.models.importers.graph import GraphBuilder
from privcam_core.models.importers.tflite_ops import HANDLERS, Operator, Scope
from privcam_core.models.importers.tflite_sparse import DenseLevel, SparseFormat, SparseLevel, densify

Array = npt.NDArray[Any]

_IDENTIFIER = b"TFL3"
_TYPES: dict[int, type[np.generic]] = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
    tflite.TensorType.INT64: np.int64,
}
_OPERATOR_NAMES = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
_INDEX_VECTORS = {
    tflite.SparseIndexVector.Int32Vector: tflite.Int32Vector,
    tflite.SparseIndexVector.Uint16Vector: tflite.Uint16Vector,
    tflite.SparseIndexVector.Uint8Vector: tflite.Uint8Vector,
}


def import_tflite(path: Path, name: str, outputs: list[str]) -> onnx.ModelProto:
    """Return the first subgraph of a .tflite file as ONNX.

    name: for the graph and for errors. outputs: names of the result tensors, in the order wanted.

    Raises: ModelError for an operator or type that is not supported, or a file that is not TFLite.
    """
    content = path.read_bytes()
    if content[4:8] != _IDENTIFIER:
        raise ModelError(f"{name}: {path.name} is not a TFLite file")
    reader = _Reader(name, tflite.Model.GetRootAsModel(content, 0))
    builder = GraphBuilder()
    scope = Scope(name, builder, reader.shapes, reader.constants())
    inputs = [reader.start_input(builder, index) for index in reader.graph.InputsAsNumpy()]
    for position in range(reader.graph.OperatorsLength()):
        operator = reader.operator(position)
        if _expand_weights(scope, operator):
            continue
        if operator.op not in HANDLERS:
            raise ModelError(f"{name}: operator {operator.op} in {path.name} is not supported")
        HANDLERS[operator.op](scope, operator)
    results = []
    for output in outputs:
        index = reader.index_of(output)
        layout = builder.nhwc if len(reader.shapes[index]) == 4 else _identity(builder)
        layout(scope.tensor(index), output)
        results.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, reader.shapes[index]))
    return builder.model(name, inputs, results)


def _identity(builder: GraphBuilder) -> Any:
    return lambda x, output: builder.add("Identity", [x], output)


def _expand_weights(scope: Scope, operator: Operator) -> bool:
    """Compute an operator that only unpacks weights now. Return whether it was one."""
    source, target = operator.inputs[0], operator.outputs[0]
    if operator.op == "DEQUANTIZE" and source in scope.constants:
        scope.constants[target] = scope.constants[source].astype(np.float32)
    elif operator.op == "DENSIFY":
        scope.constants[target] = scope.constants[source]  # unpacked when it was read
    else:
        return False
    return True


class _Reader:
    """The parts of a TFLite model that the import needs, as plain Python values."""

    def __init__(self, name: str, model: Any) -> None:
        self._name = name
        self._model = model
        self.graph = model.Subgraphs(0)
        self._tensors = [self.graph.Tensors(i) for i in range(self.graph.TensorsLength())]
        # A tensor without dimensions answers 0 instead of an array.
        self.shapes = [
            [int(size) for size in tensor.ShapeAsNumpy()] if tensor.ShapeLength() else [] for tensor in self._tensors
        ]

    def constants(self) -> dict[int, Array]:
        """Return every tensor whose values are in the file, sparse ones unpacked."""
        found = {}
        for index, tensor in enumerate(self._tensors):
            buffer = self._model.Buffers(tensor.Buffer())
            if buffer.DataLength() == 0:
                continue
            kind = _TYPES.get(tensor.Type())
            if kind is None:
                raise ModelError(f"{self._name}: tensor {tensor.Name().decode()} has a type that is not supported")
            values = np.frombuffer(buffer.DataAsNumpy().tobytes(), kind)
            sparsity = tensor.Sparsity()
            shape = self.shapes[index]
            found[index] = values.reshape(shape) if sparsity is None else densify(values, shape, _layout(sparsity))
        return found

    def operator(self, position: int) -> Operator:
        raw = self.graph.Operators(position)
        code = self._model.OperatorCodes(raw.OpcodeIndex())
        # Codes above 127 are only in the newer of the two fields, older files have only the older one.
        op = _OPERATOR_NAMES[max(code.DeprecatedBuiltinCode(), code.BuiltinCode())]
        return Operator(
            op=code.CustomCode().decode() if op == "CUSTOM" else op,
            inputs=[int(i) for i in raw.InputsAsNumpy()],
            outputs=[int(i) for i in raw.OutputsAsNumpy()],
            table=raw.BuiltinOptions(),
            custom=bytes(raw.CustomOptionsAsNumpy()) if raw.CustomOptionsLength() else b"",
        )

    def start_input(self, builder: GraphBuilder, index: int) -> onnx.ValueInfoProto:
        name, shape = self._tensors[index].Name().decode(), self.shapes[index]
        if len(shape) == 4:
            builder.nchw(name, Scope.name(index))
        else:
            builder.add("Identity", [name], Scope.name(index))
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    def index_of(self, output: str) -> int:
        names = {self._tensors[i].Name().decode(): int(i) for i in self.graph.OutputsAsNumpy()}
        if output not in names:
            raise ModelError(f"{self._name}: has no output {output}, only {', '.join(names)}")
        return names[output]


def _layout(sparsity: Any) -> SparseFormat:
    levels: list[DenseLevel | SparseLevel] = []
    for position in range(sparsity.DimMetadataLength()):
        level = sparsity.DimMetadata(position)
        if level.Format() == tflite.DimensionType.DENSE:
            levels.append(DenseLevel(level.DenseSize()))
        else:
            segments = _index_vector(level.ArraySegmentsType(), level.ArraySegments())
            indices = _index_vector(level.ArrayIndicesType(), level.ArrayIndices())
            levels.append(SparseLevel(segments, indices))
    block_axes = sparsity.BlockMapAsNumpy().tolist() if sparsity.BlockMapLength() else []
    return SparseFormat(sparsity.TraversalOrderAsNumpy().tolist(), block_axes, levels)


def _index_vector(kind: int, table: Any) -> Array:
    vector = _INDEX_VECTORS[kind]()
    vector.Init(table.Bytes, table.Pos)
    values: Array = vector.ValuesAsNumpy().astype(np.int64)
    return values
