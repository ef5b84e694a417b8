"""The parts an ONNX model is put together from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.errors import MissingPackage

try:
    from onnx import GraphProto as GraphProto
    from onnx import ModelProto as ModelProto
    from onnx import NodeProto, TensorProto, numpy_helper
    from onnx import ValueInfoProto as ValueInfoProto
    from onnx import helper as helper
except ImportError as error:
    raise MissingPackage("onnx is not installed; pip install 'pumice[convert]'") from error

BOOL: int = TensorProto.BOOL
FLOAT: int = TensorProto.FLOAT
INT32: int = TensorProto.INT32
INT64: int = TensorProto.INT64
UINT8: int = TensorProto.UINT8


class GraphBuilder:
    """Operators and constants while they gather; every value has one name.

    `constants` are stored as small as they are, `before` brings them into the form that is
    computed with (a runtime does it once, when it loads), `each_step` is what a time step does.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.initializers: list[TensorProto] = []
        self.setup_nodes: list[NodeProto] = []
        self.step_nodes: list[NodeProto] = []

    def step_name(self, name: str) -> str:
        """Return what a value of the step is called."""
        return self.prefix + name

    def add_node(
        self, operator: str, inputs: list[str], name: str, *unread: str, **attributes: Any
    ) -> str:
        """Let each step compute value `name`, return what it is called.

        `unread` are what the operator's other outputs are called, which nothing reads.
        """
        outputs = [self.step_name(each) for each in (name, *unread)]
        self.step_nodes.append(_make_node(operator, inputs, outputs, attributes))
        return outputs[0]

    def add_setup_node(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Compute value `name` before the first step, return what it is called."""
        self.setup_nodes.append(_make_node(operator, inputs, [name], attributes))
        return name

    def add_constant(self, name: str, values: Any, dtype: type[np.generic]) -> str:
        """Store `values`, once a name, return what they are called."""
        if name not in {tensor.name for tensor in self.initializers}:
            self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add_scalar(self, value: int) -> str:
        """Store a whole number as int64, return what it is called."""
        return self.add_constant(f"/number/{value}", value, np.int64)

    def add_initializer(self, name: str, values: NDArray[Any], form: int) -> str:
        """Store `values` as they are, to be cast to `form` before the first step."""
        small = self.add_constant(f"{name}/stored", values, values.dtype.type)
        return self.add_setup_node("Cast", [small], name, to=form)


def _make_node(
    operator: str, inputs: list[str], outputs: list[str], attributes: dict[str, Any]
) -> NodeProto:
    """Return a node named as its output: ONNX Runtime 1.18 stumbles over nodes without names."""
    return helper.make_node(operator, inputs, outputs, outputs[0], **attributes)
