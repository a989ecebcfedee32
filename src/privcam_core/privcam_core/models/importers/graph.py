"""A small builder of ONNX graphs, shared by the importers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from privcam_core.models.importers.sizes import settle_resizes

# Opset 18 is the first whose Resize takes the axes to resize, so that batch and channels need no known size.
OPSET = 18
# The oldest file format that may carry this opset, so that older runtimes read the files as well.
IR_VERSION = 8

TO_NCHW = (0, 3, 1, 2)
TO_NHWC = (0, 2, 3, 1)


class GraphBuilder:
    """Collects nodes and constants and makes a checked model of them.

    Tensors are named by strings. Every method that adds a node returns the name of the node's output, made up
    where the caller gives none.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._made_up = 0

    def constant(self, value: npt.NDArray[np.generic] | np.generic) -> str:
        """Add a constant of the value's own type and shape."""
        name = f"constant_{len(self._constants)}"
        array = np.asarray(value)
        # ascontiguousarray alone would turn a scalar into a vector.
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        return name

    def integers(self, values: Sequence[int] | npt.NDArray[np.integer]) -> str:
        """Add a 1-D int64 constant: axes, shapes, pads."""
        return self.constant(np.atleast_1d(np.asarray(values, np.int64)))

    def add(self, op: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """Add a node with one output. An input "" stands for an optional one that is left out."""
        if output is None:
            self._made_up += 1
            output = f"tensor_{self._made_up}"
        self._nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def split(self, x: str, outputs: Sequence[str], axis: int, sizes: Sequence[int] | None = None) -> None:
        """Cut x along `axis` into the named outputs: `sizes` each, equal parts where none are given."""
        if sizes is None:
            node = helper.make_node("Split", [x], list(outputs), axis=axis, num_outputs=len(outputs))
        else:
            node = helper.make_node("Split", [x, self.integers(sizes)], list(outputs), axis=axis)
        self._nodes.append(node)

    def nchw(self, x: str, output: str | None = None) -> str:
        """Turn a channels-last tensor into channels-first. The runtime removes pairs of such turns."""
        return self.add("Transpose", [x], output, perm=TO_NCHW)

    def nhwc(self, x: str, output: str | None = None) -> str:
        """Turn a channels-first tensor into channels-last."""
        return self.add("Transpose", [x], output, perm=TO_NHWC)

    def relu6(self, x: str, output: str | None = None) -> str:
        """Clip to [0, 6]."""
        return self.add("Clip", [x, self.constant(np.float32(0)), self.constant(np.float32(6))], output)

    def resize_bilinear(
        self, x: str, height: int, width: int, *, align_corners: bool, half_pixel: bool, output: str | None = None
    ) -> str:
        """Resize a channels-first tensor as TensorFlow does (no anti-aliasing)."""
        without_corners = "half_pixel" if half_pixel else "asymmetric"
        return self.add(
            "Resize",
            [x, "", "", self.integers([height, width])],
            output,
            mode="linear",
            coordinate_transformation_mode="align_corners" if align_corners else without_corners,
            axes=[2, 3],
        )

    def model(
        self, name: str, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
    ) -> onnx.ModelProto:
        """Return the model, without what its outputs do not need.

        Raises: onnx.checker.ValidationError where the graph is not a valid one.
        """
        needed = {info.name for info in outputs}
        nodes: list[onnx.NodeProto] = []
        for node in reversed(self._nodes):
            if needed.intersection(node.output):
                nodes.insert(0, node)
                needed.update(node.input)
        graph = helper.make_graph(
            nodes,
            name,
            list(inputs),
            list(outputs),
            [constant for key, constant in self._constants.items() if key in needed],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="privcam"
        )
        onnx.checker.check_model(model)
        return settle_resizes(model)
