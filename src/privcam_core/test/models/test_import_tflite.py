from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
import pytest
import tflite

from privcam_core.models import ModelError
from privcam_core.models.importers.tflite import import_tflite
from privcam_core.models.importers.tflite_ops import same_padding
from privcam_core.models.importers.tflite_sparse import DenseLevel, SparseFormat, SparseLevel, densify
from privcam_core.models.runtime import onnxruntime

Array = npt.NDArray[Any]

SHAPE = (1, 2, 3, 4)


class _File:
    """Writes a TFLite file with one operator: the input "x" of SHAPE and a constant give "out"."""

    def __init__(self, operator: int, constant: Array, options: int, out: tuple[int, ...]) -> None:
        self._b = flatbuffers.Builder(0)
        buffers = [self._buffer(b""), self._buffer(constant.tobytes())]
        tensors = [
            self._tensor("x", SHAPE, 0),
            self._tensor("c", constant.shape, 1, constant.dtype.type),
            self._tensor("out", out, 0),
        ]
        self.content = self._finish(operator, options, buffers, tensors)

    def _vector(self, start: Any, items: list[int]) -> int:
        start(self._b, len(items))
        for item in reversed(items):
            self._b.PrependUOffsetTRelative(item)
        return int(self._b.EndVector())

    def _ints(self, start: Any, items: tuple[int, ...]) -> int:
        start(self._b, len(items))
        for item in reversed(items):
            self._b.PrependInt32(item)
        return int(self._b.EndVector())

    def _buffer(self, content: bytes) -> int:
        data = self._b.CreateByteVector(content)
        tflite.BufferStart(self._b)
        tflite.BufferAddData(self._b, data)
        return int(tflite.BufferEnd(self._b))

    def _tensor(self, name: str, shape: tuple[int, ...], buffer: int, kind: Any = np.float32) -> int:
        text = self._b.CreateString(name)
        sizes = self._ints(tflite.TensorStartShapeVector, shape)
        tflite.TensorStart(self._b)
        tflite.TensorAddShape(self._b, sizes)
        types = {np.float32: tflite.TensorType.FLOAT32, np.int32: tflite.TensorType.INT32}
        tflite.TensorAddType(self._b, types.get(kind, tflite.TensorType.STRING))
        tflite.TensorAddBuffer(self._b, buffer)
        tflite.TensorAddName(self._b, text)
        return int(tflite.TensorEnd(self._b))

    def _finish(self, operator: int, options: int, buffers: list[int], tensors: list[int]) -> bytes:
        b = self._b
        tflite.AddOptionsStart(b)  # the options of MUL and ADD have the same layout
        tflite.AddOptionsAddFusedActivationFunction(b, options)
        table = tflite.AddOptionsEnd(b)
        inputs = self._ints(tflite.OperatorStartInputsVector, (0, 1))
        outputs = self._ints(tflite.OperatorStartOutputsVector, (2,))
        tflite.OperatorStart(b)
        tflite.OperatorAddInputs(b, inputs)
        tflite.OperatorAddOutputs(b, outputs)
        tflite.OperatorAddBuiltinOptions(b, table)
        node = tflite.OperatorEnd(b)
        lists = [
            self._vector(tflite.SubGraphStartTensorsVector, tensors),
            self._ints(tflite.SubGraphStartInputsVector, (0,)),
            self._ints(tflite.SubGraphStartOutputsVector, (2,)),
            self._vector(tflite.SubGraphStartOperatorsVector, [node]),
        ]
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, lists[0])
        tflite.SubGraphAddInputs(b, lists[1])
        tflite.SubGraphAddOutputs(b, lists[2])
        tflite.SubGraphAddOperators(b, lists[3])
        graph = tflite.SubGraphEnd(b)
        tflite.OperatorCodeStart(b)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(b, operator)
        tflite.OperatorCodeAddBuiltinCode(b, operator)
        code = tflite.OperatorCodeEnd(b)
        parts = [
            self._vector(tflite.ModelStartOperatorCodesVector, [code]),
            self._vector(tflite.ModelStartSubgraphsVector, [graph]),
            self._vector(tflite.ModelStartBuffersVector, buffers),
        ]
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, 3)
        tflite.ModelAddOperatorCodes(b, parts[0])
        tflite.ModelAddSubgraphs(b, parts[1])
        tflite.ModelAddBuffers(b, parts[2])
        b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
        return bytes(b.Output())


def _run(folder: Path, content: bytes, x: Array) -> Array:
    path = folder / "tiny.tflite"
    path.write_bytes(content)
    model = import_tflite(path, "tiny", ["out"])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    result: Array = session.run(None, {"x": x})[0]
    return result


X = np.arange(24, dtype=np.float32).reshape(SHAPE) - 12
NONE, RELU = tflite.ActivationFunctionType.NONE, tflite.ActivationFunctionType.RELU


@pytest.mark.parametrize("shape", [(4,), (1, 2, 3, 1), (1, 1, 1, 4)])
def test_constant_operand_meets_the_axes_of_the_channels_last_source(tmp_path: Path, shape: tuple[int, ...]) -> None:
    constant = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    content = _File(tflite.BuiltinOperator.MUL, constant, RELU, SHAPE).content
    np.testing.assert_allclose(_run(tmp_path, content, X), np.maximum(X * constant, 0), atol=1e-6)


def test_reshape_follows_the_memory_order_of_the_source(tmp_path: Path) -> None:
    content = _File(tflite.BuiltinOperator.RESHAPE, np.array([6, 4], np.int32), NONE, (6, 4)).content
    np.testing.assert_array_equal(_run(tmp_path, content, X), X.reshape(6, 4))


def test_operator_that_is_not_known_is_named(tmp_path: Path) -> None:
    content = _File(tflite.BuiltinOperator.COS, np.zeros(1, np.float32), NONE, SHAPE).content
    with pytest.raises(ModelError, match=r"tiny: operator COS in tiny\.tflite"):
        _run(tmp_path, content, X)


def test_type_that_is_not_known_is_named(tmp_path: Path) -> None:
    content = _File(tflite.BuiltinOperator.ADD, np.zeros(4, np.uint8), NONE, SHAPE).content
    with pytest.raises(ModelError, match="tensor c has a type"):
        _run(tmp_path, content, X)


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"tiny\.tflite is not a TFLite file"):
        _run(tmp_path, b"PK\x03\x04 something else", X)


def test_sparse_rows_are_unpacked() -> None:
    # Row 0 holds 1 and 2 in columns 0 and 3, row 2 holds 3 in column 1.
    layout = SparseFormat((0, 1), (), [DenseLevel(3), SparseLevel(np.array([0, 2, 2, 3]), np.array([0, 3, 1]))])
    dense = densify(np.array([1, 2, 3], np.float32), (3, 4), layout)
    np.testing.assert_array_equal(dense, [[1, 0, 0, 2], [0, 0, 0, 0], [0, 3, 0, 0]])


def test_sparse_columns_are_unpacked_when_the_order_is_turned() -> None:
    layout = SparseFormat((1, 0), (), [DenseLevel(2), SparseLevel(np.array([0, 1, 2]), np.array([2, 0]))])
    np.testing.assert_array_equal(densify(np.array([5, 6]), (3, 2), layout), [[0, 6], [0, 0], [5, 0]])


def test_sparse_blocks_are_unpacked() -> None:
    # A 2×8 tensor in blocks of 1×4: only the second block of row 0 and the first of row 1 are stored.
    levels = [DenseLevel(2), SparseLevel(np.array([0, 1, 2]), np.array([1, 0])), DenseLevel(4)]
    dense = densify(np.arange(1, 9), (2, 8), SparseFormat((0, 1, 2), (1,), levels))
    np.testing.assert_array_equal(dense, [[0, 0, 0, 0, 1, 2, 3, 4], [5, 6, 7, 8, 0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [(8, 3, 2, (0, 1)), (7, 3, 2, (1, 1)), (8, 3, 1, (1, 1)), (8, 1, 2, (0, 0))],
)
def test_same_padding_puts_the_odd_pixel_after(size: int, kernel: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding(size, kernel, stride) == expected
