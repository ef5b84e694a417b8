"""Builder for ONNX graphs: nodes of the setup and of a timestep, and initializers."""

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
    """Collects the nodes and initializers of an ONNX graph; every value has one name.

    Attributes:
        initializers: Stored constants, in the smallest type that represents them.
        setup_nodes: Nodes that cast them for the computation; a runtime folds them once, on load.
        step_nodes: Nodes of one timestep.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.initializers: list[TensorProto] = []
        self.setup_nodes: list[NodeProto] = []
        self.step_nodes: list[NodeProto] = []

    def step_name(self, name: str) -> str:
        """Full name of a value of the timestep."""
        return self.prefix + name

    def add_node(
        self, operator: str, inputs: list[str], name: str, *unread: str, **attributes: Any
    ) -> str:
        """Add a node to the timestep.

        Args:
            operator: The ONNX operator.
            inputs: Full names of its inputs.
            name: Name of its first output.
            *unread: Names of its further outputs, which nothing reads.
            **attributes: Attributes of the operator.

        Returns:
            The full name of the first output.
        """
        outputs = [self.step_name(each) for each in (name, *unread)]
        self.step_nodes.append(_make_node(operator, inputs, outputs, attributes))
        return outputs[0]

    def add_setup_node(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Add a node that is computed before the first timestep; returns its full name."""
        self.setup_nodes.append(_make_node(operator, inputs, [name], attributes))
        return name

    def add_constant(self, name: str, values: Any, dtype: type[np.generic]) -> str:
        """Store `values`, once per name; returns the full name."""
        if name not in {tensor.name for tensor in self.initializers}:
            self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add_scalar(self, value: int) -> str:
        """Store an integer as int64; returns its full name."""
        return self.add_constant(f"/number/{value}", value, np.int64)

    def add_initializer(self, name: str, values: NDArray[Any], dtype: int) -> str:
        """Store `values` in their own type and cast them to `dtype` before the first timestep."""
        stored = self.add_constant(f"{name}/stored", values, values.dtype.type)
        return self.add_setup_node("Cast", [stored], name, to=dtype)


def _make_node(
    operator: str, inputs: list[str], outputs: list[str], attributes: dict[str, Any]
) -> NodeProto:
    """Make a node named as its output: ONNX Runtime 1.18 fails on nodes without names."""
    return helper.make_node(operator, inputs, outputs, outputs[0], **attributes)
