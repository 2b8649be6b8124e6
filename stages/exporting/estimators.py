"""Adds a fitted estimator to an ONNX graph, with the thresholds and sums that it predicts with.

The converters are right about structure. What they get wrong is here: where float32 rounds a
threshold, and in which order and precision the trees are added up.
"""

import copy
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper
from sklearn.base import is_classifier
from sklearn.linear_model import ElasticNet, LinearRegression, LogisticRegression, Ridge

from stages.exporting.onnx_builder import OPSETS, Array, Builder
from stages.shared.errors import PipelineError
from stages.shared.schema import Schema

LINEAR = (LogisticRegression, Ridge, LinearRegression, ElasticNet)
FEATURES = "features"
WEIGHTS = {"TreeEnsembleClassifier": "class", "TreeEnsembleRegressor": "target"}


@dataclass(frozen=True)
class Source:
    """The features' name in the graph, and whether they are float64 rather than float32.

    ``is_sparse`` where the model was fitted on a sparse matrix.
    """

    name: str
    is_double: bool
    is_sparse: bool = False

    def double(self, builder: Builder) -> str:
        return (
            self.name if self.is_double else builder.add("Cast", self.name, to=TensorProto.DOUBLE)
        )

    def single(self, builder: Builder) -> str:
        return builder.add("Cast", self.name, to=TensorProto.FLOAT) if self.is_double else self.name


def add_estimator(builder: Builder, estimator: Any, features: Source, schema: Schema) -> str:
    """Add the estimator and return its answer: float64 probabilities [N, labels] or values [N].

    Raises PipelineError for an estimator that no converter knows, or that lacks a class.
    """
    if schema.labels:
        _check_classes(estimator, schema)
    if isinstance(estimator, LINEAR):
        return _add_linear(builder, estimator, features)
    answer = _add_converted(builder, estimator, features)
    answer = builder.add("Cast", answer, to=TensorProto.DOUBLE)
    return answer if schema.labels else _add_flattening(builder, answer)


def _check_classes(estimator: Any, schema: Schema) -> None:
    if list(estimator.classes_) != list(range(len(schema.labels))):
        found = ", ".join(schema.labels[int(i)] for i in estimator.classes_)
        raise PipelineError(
            f"the champion knows only {found} of the classes {', '.join(schema.labels)}: "
            "no row to train on has the others; see target.classes in conf/task"
        )


def _add_linear(builder: Builder, estimator: Any, features: Source) -> str:
    """Add ``x·w + b``, for classes through the logistic function (of two) or softmax."""
    weights = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64)).T
    bias = np.asarray(estimator.intercept_, dtype=np.float64)
    product = builder.add("MatMul", features.double(builder), builder.constant(weights))
    scores = builder.add("Add", product, builder.constant(bias))
    if not is_classifier(estimator):
        return _add_flattening(builder, scores)
    if weights.shape[1] > 1:
        return builder.add("Softmax", scores, axis=1)
    positive = builder.add("Sigmoid", scores)
    negative = builder.add("Sub", builder.constant(1.0), positive)
    return builder.add("Concat", negative, positive, axis=1)


def _add_flattening(builder: Builder, values: str) -> str:
    """Add the step from [N, 1] to [N]."""
    return builder.add("Reshape", values, builder.constant(np.array([-1])))


def _add_converted(builder: Builder, estimator: Any, features: Source) -> str:
    family = type(estimator).__module__.split(".")[0]
    add = {"xgboost": _add_xgboost, "lightgbm": _add_lightgbm}.get(family, _add_sklearn)
    try:
        return add(builder, estimator, features)
    except (RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise PipelineError(
            f"{family}.{type(estimator).__name__} cannot be written as ONNX ({error}): take its "
            "model out of `models` in conf/task, or choose another _target_ in conf/model"
        ) from error


def _add_xgboost(builder: Builder, estimator: Any, features: Source) -> str:
    """Add XGBoost's trees, summed as it does: in float32, from the base score on."""
    from onnxmltools import convert_xgboost

    width = estimator.n_features_in_
    graph = _convert(convert_xgboost, estimator, width)
    learner = json.loads(estimator.get_booster().save_config())["learner"]
    for node in graph.node:
        if node.op_type in WEIGHTS:
            node.CopyFrom(_start_at_base(node, learner))
    return builder.graft(graph, _add_absent_as_missing(builder, features))


def _add_absent_as_missing(builder: Builder, features: Source) -> str:
    """Add NaN for 0 where XGBoost was fitted on a sparse matrix: it takes no entry as missing."""
    single = features.single(builder)
    if not features.is_sparse:
        return single
    is_absent = builder.add("Equal", single, builder.constant(np.array(0, np.float32)))
    return builder.add("Where", is_absent, builder.constant(np.array(np.nan, np.float32)), single)


def _start_at_base(node: NodeProto, learner: dict[str, Any]) -> NodeProto:
    """Move the base score, which ONNX Runtime adds last, into a first tree of one leaf.

    In float32 the order of a sum decides its last bits: over 800 trees that were 6e-6 of a value.
    """
    trees = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    base = list(trees.pop("base_values", []))
    if learner["objective"]["name"] == "binary:logistic":
        base = [compute_logit(json.loads(learner["learner_model_param"]["base_score"])[0])]
    if base:
        trees |= _prepend_leaf(trees, base, WEIGHTS[node.op_type])
    return helper.make_node(
        node.op_type, node.input, node.output, name=node.name, domain=node.domain, **trees
    )


def compute_logit(probability: float) -> float:
    """Return the log odds in float32, by the formula of XGBoost's ``ProbToMargin``."""
    one = np.float32(1)
    return float(-np.log(one / np.float32(probability) - one))


def _prepend_leaf(trees: dict[str, Any], base: Sequence[float], kind: str) -> dict[str, Any]:
    """Return the changed attributes of a tree ensemble with one leaf (a value each class) first."""
    front: dict[str, list[Any]] = {
        "nodes_treeids": [0],
        "nodes_nodeids": [0],
        "nodes_featureids": [0],
        "nodes_modes": ["LEAF"],
        "nodes_values": [0.0],
        "nodes_truenodeids": [0],
        "nodes_falsenodeids": [0],
        "nodes_missing_value_tracks_true": [0],
        f"{kind}_treeids": [0] * len(base),
        f"{kind}_nodeids": [0] * len(base),
        f"{kind}_ids": list(range(len(base))),
        f"{kind}_weights": list(base),
    }
    later = {name: [tree + 1 for tree in trees[name]] for name in trees if name.endswith("treeids")}
    rest = trees | later
    return {name: first + list(rest[name]) for name, first in front.items()}


def _add_lightgbm(builder: Builder, estimator: Any, features: Source) -> str:
    """Add LightGBM's trees, summed in float64 as it does."""
    import lightgbm
    from onnxmltools import convert_lightgbm

    text = estimator.booster_.model_to_string()  # up to the best round, as `predict` goes
    # Without the trees' sizes LightGBM reads a text of any length.
    text = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"(?<=^threshold=).*", _round_line_down, text, flags=re.MULTILINE)
    booster = lightgbm.Booster(model_str=text)
    graph = _convert(convert_lightgbm, booster, estimator.n_features_in_, zipmap=False)
    return builder.graft(graph, features.double(builder))


def _round_line_down(thresholds: re.Match[str]) -> str:
    numbers = round_down(np.array(thresholds[0].split(), dtype=np.float64))
    return " ".join(map(repr, numbers.tolist()))


def round_down(thresholds: Array) -> Array:
    """Return the largest float32 that is not above each float64 threshold, as float64.

    For a float32 x, ``x <= threshold`` and ``x <= at_most(threshold)`` are the same; rounding to
    the nearest float32, as converters do, lets x through where it is the next above.
    """
    with np.errstate(over="ignore"):  # beyond float32: infinite, or the largest number there is
        nearest = thresholds.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest.astype(np.float64) > thresholds, below, nearest).astype(np.float64)


def _add_sklearn(builder: Builder, estimator: Any, features: Source) -> str:
    """Add any other estimator as skl2onnx converts it."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    graph = _convert_sklearn(_round_thresholds(estimator), FloatTensorType)
    readers = {node.op_type for node in graph.node if FEATURES in node.input}
    if readers <= set(WEIGHTS):
        # Trees compare float32, and ONNX Runtime adds them up in the precision of their input.
        values = Source(features.single(builder), is_double=False)
        return builder.graft(graph, values.double(builder))
    return builder.graft(_convert_sklearn(estimator, DoubleTensorType), features.double(builder))


def _convert_sklearn(estimator: Any, kind: Callable[..., Any]) -> GraphProto:
    from skl2onnx import to_onnx

    types = [(FEATURES, kind([None, estimator.n_features_in_]))]
    options = {"zipmap": False} if is_classifier(estimator) else None
    model: ModelProto = to_onnx(
        estimator, initial_types=types, options=options, target_opset=OPSETS
    )
    return model.graph


def _round_thresholds(estimator: Any) -> Any:
    """Return histogram gradient boosting with rounded thresholds: skl2onnx rounds all others."""
    if not hasattr(estimator, "_predictors"):
        return estimator
    rounded = copy.deepcopy(estimator)
    for trees in rounded._predictors:
        for tree in trees:
            tree.nodes["num_threshold"] = round_down(tree.nodes["num_threshold"])
    return rounded


def _convert(convert: Callable[..., Any], model: Any, width: int, **options: Any) -> GraphProto:
    from onnxmltools.convert.common.data_types import FloatTensorType

    types = [(FEATURES, FloatTensorType([None, width]))]
    converted: ModelProto = convert(
        model, name="trees", initial_types=types, target_opset=OPSETS[""], **options
    )
    return converted.graph
