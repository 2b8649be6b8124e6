"""Writes a fitted pipeline as one ONNX graph that gives what the pipeline gives.

Features are computed by plain operators in float64, step by step as ``Featurizer`` does, so that
no value lands on the other side of a threshold; only the estimator comes from a converter. Texts
come in as their TF-IDF: no operator of ONNX would take them apart just as Python does.
"""

import ast
from collections.abc import Mapping
from typing import Literal

import numpy as np
from google.protobuf.message import Error as ProtobufError  # type: ignore[import-untyped]
from onnx import TensorProto
from sklearn.pipeline import Pipeline

from stages.contract.expressions import Expression, find_column_name
from stages.exporting.estimators import Source, add_estimator
from stages.exporting.folding import add_columns, fold
from stages.exporting.onnx_builder import Array, Builder
from stages.shared.errors import PipelineError
from stages.shared.features import Featurizer
from stages.shared.schema import Field, Schema
from stages.shared.text_features import TextFeaturizer

INPUT = "X"
OPERATORS: Mapping[type[ast.operator], str] = {
    ast.Add: "Add",
    ast.Sub: "Sub",
    ast.Mult: "Mul",
    ast.Div: "Div",
}
FUNCTIONS = {"abs": "Abs", "sqrt": "Sqrt"}


def name_output(schema: Schema) -> Literal["probabilities", "value"]:
    return "probabilities" if schema.labels else "value"


def to_onnx(pipeline: Pipeline) -> bytes:
    """Return the ONNX model of a pipeline of a ``Featurizer`` and an estimator, both fitted.

    It takes ``X``, float64 [N, width] as ``graph_input`` gives it, and returns ``probabilities``,
    float64 [N, labels], or for regression ``value``, float64 [N]. The same pipeline gives the same
    bytes in every process. Raises PipelineError for an estimator that no converter knows, and for
    one too large for ONNX.
    """
    schema: Schema = pipeline["features"].schema
    featurizer = pipeline["features"]
    builder = Builder(INPUT, count_inputs(featurizer))
    try:
        columns = add_columns(builder, _derived(builder, schema))
        features = add_features(builder, featurizer)
        answer = add_estimator(builder, pipeline["estimator"], features, schema)
        if not featurizer.scale and not schema.has_text:
            fold(builder, columns, features.name, featurizer)
        return builder.finish(answer, name_output(schema), len(schema.labels))
    except ProtobufError as error:
        raise PipelineError(
            f"the model is too large for ONNX, which ends at 2 GB ({error}): let it have fewer or "
            "smaller trees (in conf/model, e.g. n_estimators or min_samples_leaf)"
        ) from error


def count_inputs(featurizer: Featurizer) -> int:
    """Return how many numbers the graph takes for a row."""
    return len(_plain(featurizer.schema)) + sum(count_text_inputs(featurizer))


def graph_input(featurizer: Featurizer, X: Array) -> Array:
    """Return what the graph takes for rows of the encoded matrix: float64 [N, width].

    First the columns that are not text, in their order, then each text column's TF-IDF.
    """
    if not isinstance(featurizer, TextFeaturizer):
        return X
    plain = X[:, [i for i, _ in _plain(featurizer.schema)]].astype(np.float64)
    return np.hstack([plain, *(block.toarray() for block in featurizer.text_blocks(X))])


def add_features(builder: Builder, featurizer: Featurizer) -> Source:
    """Add what the featurizer does: numbers, their missing flags, one-hot, then the texts."""
    parts = [
        *_numbers(builder, featurizer),
        *_one_hot(builder, featurizer.schema),
        *_texts(builder, featurizer),
    ]
    features = builder.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
    is_sparse = featurizer.schema.has_text
    if featurizer.scale:
        return Source(features, is_double=True, is_sparse=is_sparse)
    single = builder.add("Cast", features, to=TensorProto.FLOAT)
    return Source(single, is_double=False, is_sparse=is_sparse)


def _plain(schema: Schema) -> list[tuple[int, Field]]:
    """Return the columns that are not text, with their places in the encoded matrix."""
    return [(i, field) for i, field in enumerate(schema.fields) if field.type != "text"]


def count_text_inputs(featurizer: Featurizer) -> list[int]:
    """Return how many numbers each text column becomes."""
    return featurizer.widths if isinstance(featurizer, TextFeaturizer) else []


def _texts(builder: Builder, featurizer: Featurizer) -> list[str]:
    """Add the TF-IDF, which the input ends with; where there is nothing else it is the input."""
    width = sum(count_text_inputs(featurizer))
    if width in (0, builder.width):
        return [builder.source] if width else []
    bounds = [
        builder.constant(np.array([bound])) for bound in (builder.width - width, builder.width, 1)
    ]
    return [builder.add("Slice", builder.source, *bounds)]


def _numbers(builder: Builder, featurizer: Featurizer) -> list[str]:
    """Add the numbers, missing ones filled, and the columns that say where they were missing."""
    found = _raw_numbers(builder, featurizer.schema)
    if not found:
        return []
    numbers = builder.add("Concat", *found, axis=1) if len(found) > 1 else found[0]
    # NaN compares as false and infinity is larger: both are missing.
    largest = builder.constant(np.finfo(np.float64).max)
    present = builder.add("LessOrEqual", builder.add("Abs", numbers), largest)
    filled = builder.add("Where", present, numbers, builder.constant(featurizer.fill_))
    if featurizer.scale:
        centred = builder.add("Sub", filled, builder.constant(featurizer.mean_))
        filled = builder.add("Div", centred, builder.constant(featurizer.std_))
    return [filled, *_flags(builder, present, featurizer.flagged_.tolist())]


def _raw_numbers(builder: Builder, schema: Schema) -> list[str]:
    """Add the columns that are not categories (together), then each derived one."""
    columns = list(enumerate(field for _, field in _plain(schema)))
    plain = [i for i, field in columns if field.type != "category"]
    return [*([builder.columns(plain)] if plain else []), *_derived(builder, schema)]


def _derived(builder: Builder, schema: Schema) -> list[str]:
    """Add each derived number."""
    index = {field.name: i for i, (_, field) in enumerate(_plain(schema))}
    found = []
    for derived in schema.derived:
        formula = Expression.parse(derived.expression)
        operands = {name: builder.columns([index[name]]) for name in sorted(formula.names)}
        found.append(_formula(builder, formula.tree, operands))
    return found


def _flags(builder: Builder, present: str, flagged: list[int]) -> list[str]:
    if not flagged:
        return []
    chosen = builder.add("Gather", present, builder.constant(np.array(flagged)), axis=1)
    return [builder.add("Where", chosen, builder.constant(0.0), builder.constant(1.0))]


def _one_hot(builder: Builder, schema: Schema) -> list[str]:
    """Add a 0/1 column for each value of each category; missing and unseen match none."""
    cells = [
        (position, code)
        for position, (_, field) in enumerate(_plain(schema))
        if field.type == "category"
        for code in range(len(field.values))
    ]
    if not cells:
        return []
    repeated = builder.columns([position for position, _ in cells])
    codes = builder.constant(np.array([code for _, code in cells], dtype=np.float64))
    return [builder.add("Cast", builder.add("Equal", repeated, codes), to=TensorProto.DOUBLE)]


def _formula(builder: Builder, node: ast.expr, columns: Mapping[str, str]) -> str:
    """Add a derived column (N by 1), operator by operator as ``Expression.evaluate`` goes."""
    name = find_column_name(node)
    if name is not None:
        return columns[name]
    match node:
        case ast.Constant(value=int() | float() as value):
            return builder.constant(float(value))
        case ast.BinOp(left, op, right):
            sides = [_formula(builder, side, columns) for side in (left, right)]
            return builder.add(OPERATORS[type(op)], *sides)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return builder.add("Neg", _formula(builder, operand, columns))
        case ast.Call(func=ast.Name(id=function), args=[argument]):
            return builder.add(FUNCTIONS[function], _formula(builder, argument, columns))
    raise TypeError(f"no arithmetic: {ast.unparse(node)}")
