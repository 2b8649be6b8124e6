"""Puts an ONNX graph together, node by node, so that the same steps give the same bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

Array = np.ndarray[Any, np.dtype[Any]]
OPSETS = {"": 15, "ai.onnx.ml": 3}  # the highest that onnxmltools writes
IR_VERSION = 8  # the oldest that goes with them, so that old runtimes load it
ROWS = "N"


class Builder:
    """A graph in the making with one float64 input of rows by ``width`` columns.

    Values are named after their operator and a running number: converters use ids of their own.
    """

    def __init__(self, source: str, width: int) -> None:
        self.source = source
        self.width = width
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.names = 0

    def constant(self, value: Array | float) -> str:
        """Add a constant and return its name; floats become float64."""
        name = self._fresh("constant")
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator: str, *sources: str, **attributes: Any) -> str:
        """Add a node over named values and return the name of its one result."""
        result = self._fresh(operator)
        self.nodes.append(helper.make_node(operator, sources, [result], name=result, **attributes))
        return result

    def columns(self, positions: Sequence[int]) -> str:
        """Add the input's columns at ``positions``, in that order, each as often as named."""
        return self.add("Gather", self.source, self.constant(np.array(positions)), axis=1)

    def graft(self, graph: GraphProto, source: str) -> str:
        """Add a whole graph of one input, fed by ``source``; return its last output's name."""
        names = {"": "", graph.input[0].name: source}
        for tensor in graph.initializer:
            names[tensor.name] = self.constant(numpy_helper.to_array(tensor))
        for node in graph.node:
            self._copy(node, names)
        return names[graph.output[-1].name]

    def finish(self, result: str, output: str, width: int) -> bytes:
        """Return the model whose output is ``result``, renamed to ``output``.

        The output is rows by ``width``, or with 0 one number a row.
        """
        if result == self.source:  # a graph must have a node
            result = self.add("Identity", result)
        nodes = _rename_output(_select_needed(self.nodes, result), result, output)
        read = {name for node in nodes for name in node.input}
        graph = helper.make_graph(
            nodes,
            "pipeline",
            [helper.make_tensor_value_info(self.source, TensorProto.DOUBLE, [ROWS, self.width])],
            [helper.make_tensor_value_info(output, TensorProto.DOUBLE, _shape(width))],
            [constant for constant in self.constants if constant.name in read],
        )
        return _serialise(graph)

    def _copy(self, node: NodeProto, names: dict[str, str]) -> None:
        copy = NodeProto()
        copy.CopyFrom(node)
        for name in node.output:
            names[name] = self._fresh(node.op_type)
        copy.input[:] = [names[name] for name in node.input]
        copy.output[:] = [names[name] for name in node.output]
        copy.name = copy.output[0]
        self.nodes.append(copy)

    def _fresh(self, kind: str) -> str:
        self.names += 1
        return f"{kind}_{self.names}"


def _select_needed(nodes: Sequence[NodeProto], result: str) -> list[NodeProto]:
    """Return the nodes, in order, without which ``result`` could not be computed."""
    wanted, kept = {result}, []
    for node in reversed(nodes):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    return kept[::-1]


def _rename_output(nodes: list[NodeProto], old: str, new: str) -> list[NodeProto]:
    for node in nodes:
        node.output[:] = [new if name == old else name for name in node.output]
    return nodes


def _shape(width: int) -> list[str | int]:
    return [ROWS, width] if width else [ROWS]


def _serialise(graph: GraphProto) -> bytes:
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    model: ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    model.producer_name = "stages.export"
    content: bytes = model.SerializeToString(deterministic=True)
    onnx.checker.check_model(content)
    return content
