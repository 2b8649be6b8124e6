"""Writes a fitted pipeline as one ONNX graph that gives what the pipeline gives.

Features are computed by plain operators in float64, step by step as ``Featurizer`` does, so that
no value lands on the other side of a threshold; only the estimator comes from a converter.
"""

import ast
from collections.abc import Mapping
from typing import Literal

import numpy as np
from google.protobuf.message import Error as ProtobufError  # type: ignore[import-untyped]
from onnx import TensorProto
from sklearn.pipeline import Pipeline

from stages.exporting.estimators import Source, add_estimator
from stages.exporting.folding import add_columns, fold
from stages.exporting.onnx_builder import Builder
from stages.shared.errors import PipelineError
from stages.shared.expressions import Expression, column_name
from stages.shared.features import Featurizer
from stages.shared.schema import Schema

INPUT = "X"
OPERATORS: Mapping[type[ast.operator], str] = {
    ast.Add: "Add",
    ast.Sub: "Sub",
    ast.Mult: "Mul",
    ast.Div: "Div",
}
FUNCTIONS = {"abs": "Abs", "sqrt": "Sqrt"}


def output_name(schema: Schema) -> Literal["probabilities", "value"]:
    return "probabilities" if schema.labels else "value"


def to_onnx(pipeline: Pipeline) -> bytes:
    """Return the ONNX model of a pipeline of a ``Featurizer`` and an estimator, both fitted.

    It takes ``X``, float64 [N, columns] as ``encode`` gives it, and returns ``probabilities``,
    float64 [N, labels], or for regression ``value``, float64 [N]. The same pipeline gives the same
    bytes in every process. Raises PipelineError for an estimator that no converter knows, and for
    one too large for ONNX.
    """
    schema: Schema = pipeline["features"].schema
    builder, featurizer = Builder(INPUT, len(schema.fields)), pipeline["features"]
    try:
        columns = add_columns(builder, _derived(builder, schema))
        features = add_features(builder, featurizer)
        answer = add_estimator(builder, pipeline["estimator"], features, schema)
        if not featurizer.scale:
            fold(builder, columns, features.name, featurizer)
        return builder.finished(answer, output_name(schema), len(schema.labels))
    except ProtobufError as error:
        raise PipelineError(
            f"the model is too large for ONNX, which ends at 2 GB ({error}): let it have fewer or "
            "smaller trees (in conf/model, e.g. n_estimators or min_samples_leaf)"
        ) from error


def add_features(builder: Builder, featurizer: Featurizer) -> Source:
    """Add what ``Featurizer.transform`` does: numbers, their missing flags, then one-hot."""
    parts = [*_numbers(builder, featurizer), *_one_hot(builder, featurizer.schema)]
    features = builder.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
    if featurizer.scale:
        return Source(features, is_double=True)
    return Source(builder.add("Cast", features, to=TensorProto.FLOAT), is_double=False)


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
    plain = [i for i, field in enumerate(schema.fields) if field.type != "category"]
    return [*([builder.columns(plain)] if plain else []), *_derived(builder, schema)]


def _derived(builder: Builder, schema: Schema) -> list[str]:
    """Add each derived number."""
    index = {field.name: i for i, field in enumerate(schema.fields)}
    found = []
    for derived in schema.derived:
        formula = Expression.parse(derived.expression)
        columns = {name: builder.columns([index[name]]) for name in sorted(formula.names)}
        found.append(_formula(builder, formula.tree, columns))
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
        for position, field in enumerate(schema.fields)
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
    name = column_name(node)
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
