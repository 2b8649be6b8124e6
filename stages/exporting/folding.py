"""Lets trees read the columns themselves, so that a row is answered in half the time.

A tree asks of each feature whether it is below a threshold. Where the feature is a 0/1 column of a
category, that is the question which value the cell has; of a filled number, where a missing cell
goes. Both are known when the model is written, so nothing of it needs computing for a row.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from onnx import NodeProto, TensorProto, helper

from stages.exporting.onnx_builder import Builder
from stages.shared.features import Featurizer

ENSEMBLES = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
COMPARE: Mapping[str, Any] = {
    "BRANCH_LEQ": np.less_equal,
    "BRANCH_LT": np.less,
    "BRANCH_GTE": np.greater_equal,
    "BRANCH_GT": np.greater,
}


class Feature(NamedTuple):
    """What a feature says of a column: its number (missing filled with ``value``), whether it is
    missing, or whether it is the category ``value``.
    """

    column: int
    kind: Literal["number", "missing", "category"]
    value: np.float32


class Split(NamedTuple):
    """A question to a column: rows go on where it is true, and NaN if ``missing`` is 1."""

    column: int
    mode: str
    value: float
    missing: int


def fold(builder: Builder, columns: str, features: str, featurizer: Featurizer) -> None:
    """Let the trees that read ``features`` (float32) read ``columns`` (float32) instead.

    Any other estimator is left as it is.
    """
    readers = list(_readers(builder, features))
    ensembles = [node for node in readers if node.op_type in ENSEMBLES]
    if len(ensembles) < len([node for node in readers if node.op_type != "Cast"]) or not ensembles:
        return
    known = list(_features(featurizer))
    for node in readers:
        node.input[:] = [columns if name == features else name for name in node.input]
    for node in ensembles:
        node.CopyFrom(_fold_node(node, known))


def add_columns(builder: Builder, derived: list[str]) -> str:
    """Add the columns and then the derived numbers as float32, with infinite ones as NaN."""
    columns = builder.add("Concat", builder.source, *derived, axis=1) if derived else builder.source
    nothing = builder.add("Sub", columns, columns)  # 0, and NaN where infinite
    return builder.add("Cast", builder.add("Add", columns, nothing), to=TensorProto.FLOAT)


def _readers(builder: Builder, name: str) -> Iterator[NodeProto]:
    """Yield the nodes that read a value, and those that read it through a cast."""
    for node in builder.nodes:
        if name in node.input:
            yield node
            if node.op_type == "Cast":
                yield from _readers(builder, node.output[0])


def _features(featurizer: Featurizer) -> Iterator[Feature]:
    """Yield the features in the order of ``Featurizer.transform``."""
    fields = featurizer.schema.fields
    numbers = [i for i, field in enumerate(fields) if field.type != "category"]
    numbers += range(len(fields), len(fields) + len(featurizer.schema.derived))
    for column, fill in zip(numbers, featurizer.fill_, strict=True):
        yield Feature(column, "number", np.float32(fill))
    for position in featurizer.flagged_:
        yield Feature(numbers[position], "missing", np.float32(0))
    for column, field in enumerate(fields):
        if field.type == "category":
            for code in range(len(field.values)):
                yield Feature(column, "category", np.float32(code))


def _fold_node(node: NodeProto, features: list[Feature]) -> NodeProto:
    """Return the ensemble with each split on a feature as one on a column."""
    trees = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    modes = [mode.decode() for mode in trees["nodes_modes"]]
    missing = list(trees.get("nodes_missing_value_tracks_true") or [0] * len(modes))
    asked = list(trees["nodes_featureids"])
    values = list(trees["nodes_values"])
    for i, mode in enumerate(modes):
        if mode != "LEAF":
            asked[i], modes[i], values[i], missing[i] = _split(features[asked[i]], mode, values[i])
    trees |= {
        "nodes_featureids": asked,
        "nodes_modes": modes,
        "nodes_values": values,
        "nodes_missing_value_tracks_true": missing,
    }
    return helper.make_node(
        node.op_type, node.input, node.output, name=node.name, domain=node.domain, **trees
    )


def _split(feature: Feature, mode: str, threshold: float) -> Split:
    """Return the question to the column that is answered as the feature's was."""
    column, kind, value = feature
    goes_on = COMPARE[mode]
    if kind == "number":
        return Split(column, mode, threshold, int(goes_on(value, np.float32(threshold))))
    if_zero, if_one = (
        bool(goes_on(np.float32(present), np.float32(threshold))) for present in (0, 1)
    )
    if if_zero == if_one:
        return _split_all(column, if_zero, if_zero)
    if kind == "missing":
        return _split_all(column, if_zero, if_one)
    return Split(column, "BRANCH_EQ" if if_one else "BRANCH_NEQ", float(value), int(if_zero))


def _split_all(column: int, present: bool, missing: bool) -> Split:
    """Return a question that all present values answer alike, and the missing ones as said."""
    if present:
        return Split(column, "BRANCH_LEQ", float("inf"), int(missing))
    return Split(column, "BRANCH_LT", float("-inf"), int(missing))
