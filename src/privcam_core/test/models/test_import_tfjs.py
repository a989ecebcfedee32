import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from privcam_core.models import ModelError
from privcam_core.models.importers.sizes import free_axes
from privcam_core.models.importers.tfjs import import_tfjs, read_weights
from privcam_core.models.runtime import onnxruntime

Array = npt.NDArray[Any]


def _string(text: str) -> dict[str, str]:
    return {"s": b64encode(text.encode()).decode()}


def _numbers(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(v) for v in values]}}


def _dims(*sizes: int) -> dict[str, Any]:
    return {"dim": [{"size": str(size)} for size in sizes]}


def _write(folder: Path, nodes: list[dict[str, Any]], weights: dict[str, Array], out: tuple[int, ...]) -> Path:
    """Write a graph model whose output is `out`. Its input is a (1, 4, 6, 2) picture "x"."""
    placeholder = {
        "op": "Placeholder",
        "name": "x",
        "attr": {"dtype": {"type": "DT_FLOAT"}, "shape": {"shape": _dims(1, 4, 6, 2)}},
    }
    entries = [{"name": k, "shape": list(v.shape), "dtype": str(v.dtype)} for k, v in weights.items()]
    (folder / "weights.bin").write_bytes(b"".join(v.tobytes() for v in weights.values()))
    model = {
        "modelTopology": {"node": [placeholder, *nodes]},
        "weightsManifest": [{"paths": ["weights.bin"], "weights": entries}],
        "signature": {"outputs": {"out:0": {"name": "out:0", "tensorShape": _dims(*out)}}},
    }
    path = folder / "model.json"
    path.write_text(json.dumps(model))
    return path


def _run(model: onnx.ModelProto, x: Array) -> Array:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    result: Array = session.run(None, {"x": x})[0]
    return result


def _picture(height: int = 4, width: int = 6) -> Array:
    return np.linspace(-1, 2, height * width * 2, dtype=np.float32).reshape(1, height, width, 2)


def _convolution(op: str, kernel: Array, bias: Array) -> tuple[list[dict[str, Any]], dict[str, Array]]:
    attributes = {
        "strides": _numbers(1, 2, 2, 1),
        "padding": _string("SAME"),
        "fused_ops": {"list": {"s": [_string("BiasAdd")["s"], _string("Relu6")["s"]]}},
    }
    node = {"op": op, "name": "out", "input": ["x", "kernel", "bias", "^ordering"], "attr": attributes}
    return [node], {"kernel": kernel, "bias": bias}


def _expected_convolution(x: Array, kernel: Array, bias: Array) -> Array:
    """Compute a 3×3 convolution of stride 2 as TensorFlow defines it; "SAME" pads one row and column after only."""
    padded = np.pad(x[0], ((0, 1), (0, 1), (0, 0)))
    rows, columns = x.shape[1] // 2, x.shape[2] // 2
    out = np.empty((1, rows, columns, kernel.shape[3]), np.float32)
    for i in range(rows):
        for j in range(columns):
            out[0, i, j] = np.einsum("yxc,yxco->o", padded[2 * i : 2 * i + 3, 2 * j : 2 * j + 3], kernel)
    return np.clip(out + bias, 0, 6)


def test_fused_convolution_pads_strides_and_activates_as_tensorflow_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    kernel, bias = rng.normal(size=(3, 3, 2, 5)).astype(np.float32), rng.normal(size=5).astype(np.float32)
    model = import_tfjs(_write(tmp_path, *_convolution("_FusedConv2D", kernel, bias), (1, 2, 3, 5)), "tiny", ["out"])
    np.testing.assert_allclose(_run(model, _picture()), _expected_convolution(_picture(), kernel, bias), atol=1e-5)


def test_depthwise_convolution_keeps_the_channels_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    kernel, bias = rng.normal(size=(3, 3, 2, 2)).astype(np.float32), np.zeros(4, np.float32)
    nodes, weights = _convolution("FusedDepthwiseConv2dNative", kernel, bias)
    model = import_tfjs(_write(tmp_path, nodes, weights, (1, 2, 3, 4)), "tiny", ["out"])
    for channel in range(2):
        alone = _picture().copy()
        alone[..., 1 - channel] = 0
        single = np.zeros((3, 3, 2, 2), np.float32)
        single[:, :, channel] = kernel[:, :, channel]
        found = _run(model, _picture())[..., 2 * channel : 2 * channel + 2]
        np.testing.assert_allclose(found, _expected_convolution(alone, single, bias[:2]), atol=1e-5)


def _resizing_model(folder: Path, height: int, width: int) -> onnx.ModelProto:
    attributes = {"half_pixel_centers": {"b": True}, "align_corners": {"b": False}}
    node = {"op": "ResizeBilinear", "name": "out", "input": ["x", "size"], "attr": attributes}
    path = _write(folder, [node], {"size": np.array([height, width], np.int32)}, (1, height, width, 2))
    return import_tfjs(path, "tiny", ["out"])


def _resized(x: Array, height: int, width: int) -> Array:
    """Sample at pixel centres with weights by distance, the border repeated: half-pixel bilinear resizing."""
    out = x.astype(np.float64)
    for axis, size in ((1, height), (2, width)):
        at = np.clip((np.arange(size) + 0.5) * x.shape[axis] / size - 0.5, 0, x.shape[axis] - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, x.shape[axis] - 1)
        weight = (at - low).reshape([-1 if i == axis else 1 for i in range(4)])
        out = np.take(out, low, axis) * (1 - weight) + np.take(out, high, axis) * weight
    return out


def test_resize_by_a_whole_factor_takes_other_picture_sizes_once_freed(tmp_path: Path) -> None:
    freed = free_axes(_resizing_model(tmp_path, 8, 12), {1: "height", 2: "width"})
    for height, width in ((4, 6), (10, 2)):
        x = _picture(height, width)
        np.testing.assert_allclose(_run(freed, x), _resized(x, 2 * height, 2 * width), atol=1e-5)


def test_model_with_an_uneven_resize_is_not_freed_from_its_size(tmp_path: Path) -> None:
    model = _resizing_model(tmp_path, 7, 9)
    np.testing.assert_allclose(_run(model, _picture()), _resized(_picture(), 7, 9), atol=1e-5)
    with pytest.raises(ModelError, match="one picture size only"):
        free_axes(model, {1: "height"})


def test_shape_arithmetic_on_constants_is_done_at_import(tmp_path: Path) -> None:
    nodes = [
        {"op": "SparseToDense", "name": "total", "input": ["at", "rank", "values", "zero"]},
        {"op": "AddV2", "name": "shape", "input": ["template", "total"]},
        {"op": "Reshape", "name": "out", "input": ["x", "shape"]},
    ]
    weights = {
        "at": np.array([[1]], np.int32), "rank": np.array([2], np.int32), "values": np.array([49], np.int32),
        "zero": np.array(0, np.int32), "template": np.array([1, -1], np.int32),
    }  # fmt: skip
    model = import_tfjs(_write(tmp_path, nodes, weights, (1, 48)), "tiny", ["out"])
    np.testing.assert_array_equal(_run(model, _picture()), _picture().reshape(1, 48))


def test_operator_that_is_not_known_is_named(tmp_path: Path) -> None:
    path = _write(tmp_path, [{"op": "FFT", "name": "out", "input": ["x"]}], {}, (1, 4, 6, 2))
    with pytest.raises(ModelError, match=r"operator FFT of node out in model\.json"):
        import_tfjs(path, "tiny", ["out"])


def test_output_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    path = _write(tmp_path, [{"op": "Relu", "name": "out", "input": ["x"]}], {}, (1, 4, 6, 2))
    with pytest.raises(ModelError, match="no output scores, only out"):
        import_tfjs(path, "tiny", ["scores"])


def test_weights_are_expanded_from_half_precision_and_from_8_bits(tmp_path: Path) -> None:
    half, bytes_ = np.array([0.5, -2.0], np.float16), np.array([0, 255], np.uint8)
    (tmp_path / "a.bin").write_bytes(half.tobytes())
    (tmp_path / "b.bin").write_bytes(bytes_.tobytes())
    quantised = {"dtype": "uint8", "scale": 2.0, "min": -10.0}
    entries = [
        {"name": "half", "shape": [2], "dtype": "float32", "quantization": {"dtype": "float16"}},
        {"name": "bytes", "shape": [2, 1], "dtype": "float32", "quantization": quantised},
    ]
    weights = read_weights(tmp_path, [{"paths": ["a.bin", "b.bin"], "weights": entries}])
    assert weights["half"].dtype == np.float32 and weights["half"].tolist() == [0.5, -2.0]
    assert weights["bytes"].tolist() == [[-10.0], [500.0]]


def test_weight_file_that_is_too_short_names_the_weight(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(7))
    with pytest.raises(ModelError, match="kernel: the weight file ends"):
        read_weights(
            tmp_path, [{"paths": ["a.bin"], "weights": [{"name": "kernel", "shape": [2], "dtype": "float32"}]}]
        )


def test_mean_over_a_picture_keeps_its_axes_only_where_it_is_told_to(tmp_path: Path) -> None:
    axes = {"axes": np.array([1, 2], np.int32)}
    for keep, shape in ((False, (1, 2)), (True, (1, 1, 1, 2))):
        node = {"op": "Mean", "name": "out", "input": ["x", "axes"], "attr": {"keep_dims": {"b": keep}}}
        model = import_tfjs(_write(tmp_path, [node], axes, shape), "tiny", ["out"])
        np.testing.assert_allclose(_run(model, _picture()), _picture().mean((1, 2), keepdims=keep), atol=1e-6)


def _matrix_product(folder: Path, **attributes: Any) -> Path:
    fused = {"fused_ops": {"list": {"s": [_string("BiasAdd")["s"], _string("Relu")["s"]]}}}
    nodes = [
        {"op": "_FusedMatMul", "name": "scores", "input": ["x", "kernel", "bias"], "attr": {**fused, **attributes}},
        {"op": "Softmax", "name": "out", "input": ["scores"]},
    ]
    return _write(folder, nodes, {"kernel": _KERNEL, "bias": _BIAS}, (1, 4, 6, 3))


_KERNEL = np.array([[1, -2, 0.5], [0, 1, -1]], np.float32)
_BIAS = np.array([0.5, 0, -0.5], np.float32)


def test_fused_matrix_product_adds_activates_and_softmax_sums_to_one(tmp_path: Path) -> None:
    scores = np.maximum(_picture() @ _KERNEL + _BIAS, 0)
    expected = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    model = import_tfjs(_matrix_product(tmp_path), "tiny", ["out"])
    np.testing.assert_allclose(_run(model, _picture()), expected, atol=1e-6)


def test_transposed_matrix_product_is_refused_and_not_computed_wrongly(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="transposed matrix product scores"):
        import_tfjs(_matrix_product(tmp_path, transpose_b={"b": True}), "tiny", ["out"])
