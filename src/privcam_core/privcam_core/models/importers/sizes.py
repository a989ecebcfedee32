"""What a model says about the size of its picture, and how to free it from that size."""

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference

from privcam_core.models.errors import ModelError


def settle_resizes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its resizes of height and width written as ONNX Runtime takes them best.

    Resizes by a whole factor (or one over it) are given as that factor: they are faster and do not fix the size of the
    picture. The others get the size of all four axes: with the `axes` attribute that the builder writes, ONNX Runtime
    1.32 cannot move transposes past them.
    """
    shapes = _static_shapes(model)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in result.graph.initializer}
    for node in result.graph.node:
        if node.op_type != "Resize":
            continue
        before, after = shapes[node.input[0]], constants[node.input[3]]
        factors = after / np.asarray(before[2:])
        if all(float(max(factor, 1 / factor)).is_integer() for factor in factors):
            values = numpy_helper.from_array(np.array([1, 1, *factors], np.float32), f"{node.output[0]}_scales")
            node.input[2:] = [values.name]
        else:
            values = numpy_helper.from_array(np.array([*before[:2], *after], np.int64), f"{node.output[0]}_sizes")
            node.input[2:] = ["", values.name]
        result.graph.initializer.append(values)
        kept = [attribute for attribute in node.attribute if attribute.name != "axes"]
        del node.attribute[:]
        node.attribute.extend(kept)
    used = {name for node in result.graph.node for name in node.input}
    initializers = [tensor for tensor in result.graph.initializer if tensor.name in used]
    del result.graph.initializer[:]
    result.graph.initializer.extend(initializers)
    onnx.checker.check_model(result)
    return result


def free_axes(model: onnx.ModelProto, axes: dict[int, str]) -> onnx.ModelProto:
    """Return the model with the named axes of its input free, e.g. {2: "height", 3: "width"}.

    The caller says which sizes are sound (for a network with strides up to 32: multiples of 32).

    Raises: ModelError where a resize to a size in px is left, which would fix the size.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    if any(node.op_type == "Resize" and len(node.input) > 3 for node in result.graph.node):
        raise ModelError(
            f"model {model.graph.name}: has a resize without a whole factor, so it works for one picture size only."
            " Remove free_axes from its manifest entry."
        )
    for axis, name in axes.items():
        result.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    for output in result.graph.output:
        rank = len(output.type.tensor_type.shape.dim)
        kind = output.type.tensor_type.elem_type
        output.CopyFrom(helper.make_tensor_value_info(output.name, kind, [None] * rank))
    onnx.checker.check_model(result)
    return result


def _static_shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    graph = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    known = [*graph.value_info, *graph.input, *graph.output]
    return {info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim] for info in known}
