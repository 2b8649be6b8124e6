"""The exported graph gives what the trained pipeline gives, row by row and bit by bit."""

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.svm import SVR
from xgboost import XGBClassifier, XGBRegressor

from stages.exporting import graph
from stages.exporting.estimators import round_down
from stages.exporting.graph import add_features, to_onnx
from stages.exporting.onnx_builder import Builder
from stages.exporting.parity import Exported
from stages.shared.errors import PipelineError
from stages.shared.features import Featurizer, encode
from stages.shared.schema import Field, Schema
from tests.support.export_fixtures import FAMILIES, KINDS, make_frame, make_pipeline, make_schema

Array = np.ndarray[Any, Any]
ROOT = Path(__file__).resolve().parents[3]
ONE_NUMBER = Schema(
    problem="classification", fields=(Field(name="x", type="number"),), labels=("no", "yes")
)
ONE_VALUE = ONE_NUMBER.model_copy(update={"problem": "regression", "labels": ()})


@cache
def fitted(family: str, kind: str) -> Pipeline:
    return make_pipeline(family, kind, make_frame(kind, 450, seed=1))


@cache
def hard_rows() -> Array:
    """New rows, then each of some with every column in turn missing, unseen, zero or infinite."""
    X = encode(make_frame("binary", 300, seed=2), make_schema("binary"))
    altered = []
    for column in range(X.shape[1]):
        for value in (np.nan, -1.0, 0.0, np.inf):
            rows = X[:40].copy()
            rows[:, column] = value
            altered.append(rows)
    return np.vstack([X, *altered])


def answers(pipeline: Pipeline, X: Array) -> Array:
    is_classifier = hasattr(pipeline["estimator"], "predict_proba")
    return np.asarray(pipeline.predict_proba(X) if is_classifier else pipeline.predict(X))


def run(model: bytes, X: Array) -> Array:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # as it is served: more threads add trees in another order
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"X": X})[0]


# The whole graph


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_answers_as_it_was_trained(family: str, kind: str) -> None:
    pipeline, X = fitted(family, kind), hard_rows()
    exported, trained = run(to_onnx(pipeline), X), answers(pipeline, X)
    assert exported.dtype == np.float64
    assert exported.shape == trained.shape
    scale = np.maximum(1, np.abs(trained)) if kind == "regression" else 1
    assert np.max(np.abs(exported - trained) / scale) < 5e-7  # XGBoost's softmax is in float32


@pytest.mark.parametrize("family", ["xgboost", "xgboost_stopped"])
def test_xgboost_values_are_the_same_float32_to_the_last_bit(family: str) -> None:
    pipeline, X = fitted(family, "regression"), hard_rows()
    np.testing.assert_array_equal(run(to_onnx(pipeline), X), answers(pipeline, X))


@pytest.mark.parametrize("family", ["xgboost_stopped", "lightgbm_stopped"])
def test_only_the_trees_up_to_the_best_round_are_exported(family: str) -> None:
    estimator = fitted(family, "several")["estimator"]
    best = getattr(estimator, "best_iteration_", None) or estimator.best_iteration + 1
    assert best < 115, "the fixture did not stop early"
    model = onnx.load_from_string(to_onnx(fitted(family, "several")))
    (trees,) = (node for node in model.graph.node if node.op_type.startswith("TreeEnsemble"))
    found = next(
        attribute for attribute in trees.attribute if attribute.name == "nodes_treeids"
    ).ints
    base = 1 if family.startswith("xgboost") else 0
    assert len(set(found)) == 3 * best + base


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_alone_gets_what_it_gets_among_others(kind: str) -> None:
    X = hard_rows()[:20]
    pipeline = fitted("xgboost", kind)
    exported = Exported(to_onnx(pipeline), pipeline["features"])
    alone = np.concatenate([exported.predict(X[[i]]) for i in range(len(X))])
    np.testing.assert_array_equal(alone, exported.predict(X))


# Features


@pytest.mark.parametrize("scale", [True, False])
def test_features_are_those_of_training_to_the_last_bit(scale: bool) -> None:
    X = hard_rows()
    featurizer = Featurizer(make_schema("binary"), scale=scale).fit(X[:300])
    builder = Builder("X", X.shape[1])
    features = add_features(builder, featurizer)
    expected = featurizer.transform(X)
    model = builder.finish(features.double(builder), "features", expected.shape[1])
    np.testing.assert_array_equal(run(model, X), expected.astype(np.float64))


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        ((Field(name="a", type="category", values=("x", "y")),), [1.0]),
        ((Field(name="a", type="number"),), [2.5]),
        ((Field(name="a", type="boolean"), Field(name="b", type="datetime")), [1.0, 1.6e9]),
    ],
    ids=["one category", "one number", "boolean and date"],
)
def test_tables_without_some_kinds_of_column_work(fields: tuple[Field, ...], row: Any) -> None:
    schema = ONE_NUMBER.model_copy(update={"fields": fields})
    X = np.array([row, [0.0] * len(fields)] * 10)
    pipeline = one_estimator(LogisticRegression(), schema, X, np.arange(20) % 2)
    np.testing.assert_allclose(run(to_onnx(pipeline), X), pipeline.predict_proba(X), atol=1e-6)


# Thresholds between neighbouring float32 numbers


def neighbours(start: float, count: int = 400) -> Array:
    """Return consecutive float32 numbers as float64."""
    first = np.array(start, dtype=np.float32).view(np.int32)
    return (first + np.arange(count, dtype=np.int32)).view(np.float32).astype(np.float64)


def one_estimator(estimator: Any, schema: Schema, X: Array, y: Array) -> Pipeline:
    steps = [("features", Featurizer(schema)), ("estimator", estimator)]
    return Pipeline(steps).fit(X, y)


ADVERSARIES: dict[str, Callable[[], Any]] = {
    "xgboost": lambda: XGBClassifier(n_estimators=20, max_bin=1000, min_child_weight=0, n_jobs=1),
    "lightgbm": lambda: LGBMClassifier(
        n_estimators=20, max_bin=1000, min_child_samples=1, num_leaves=63, verbosity=-1, n_jobs=1
    ),
    "forest": lambda: RandomForestClassifier(10, random_state=1),
    "extra_trees": lambda: ExtraTreesClassifier(10, random_state=1),
    "histogram": lambda: HistGradientBoostingClassifier(
        max_iter=20, min_samples_leaf=1, max_leaf_nodes=63
    ),
}


@pytest.mark.parametrize("start", [1.0, -3.0, 1.6e9], ids=str)
@pytest.mark.parametrize("family", ADVERSARIES)
def test_no_neighbouring_float32_falls_on_the_other_side(family: str, start: float) -> None:
    x = neighbours(start)
    y = np.arange(len(x)) // 3 % 2  # a threshold is wanted between every third pair of neighbours
    pipeline = one_estimator(ADVERSARIES[family](), ONE_NUMBER, x[:, None], y)
    between = np.unique([x, (x + np.nextafter(x, np.inf)) / 2, x * (1 + 2e-8), x * (1 - 2e-8)])
    X = between[:, None]
    trained = pipeline.predict_proba(X)
    assert np.count_nonzero(np.diff(trained[:, 1])) > 25, "too few thresholds to prove anything"
    assert np.max(np.abs(run(to_onnx(pipeline), X) - trained)) < 2e-7


@pytest.mark.parametrize(
    "make",
    [
        lambda: LGBMRegressor(n_estimators=40, min_child_samples=1, verbosity=-1, n_jobs=1),
        lambda: HistGradientBoostingRegressor(max_iter=40, min_samples_leaf=1),
        lambda: XGBRegressor(n_estimators=40, min_child_weight=0, n_jobs=1),
    ],
    ids=["lightgbm", "histogram", "xgboost"],
)
def test_large_values_do_not_flip_between_neighbours(make: Callable[[], Any]) -> None:
    x = neighbours(1.6e9)
    pipeline = one_estimator(make(), ONE_VALUE, x[:, None], np.arange(len(x)) // 3 % 2 * 1e6)
    trained = pipeline.predict(x[:, None])
    error = np.abs(run(to_onnx(pipeline), x[:, None]) - trained) / np.maximum(1, np.abs(trained))
    assert error.max() < 2e-7


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)
def test_a_rounded_threshold_sends_every_float32_the_same_way(threshold: float, x: float) -> None:
    rounded = float(round_down(np.array([threshold]))[0])
    with np.errstate(over="ignore"):
        nearest = np.float32(threshold)
    for number in (x, nearest, np.nextafter(nearest, np.float32(np.inf))):
        assert (float(number) <= threshold) == (float(number) <= rounded)


# Base scores


def test_a_constant_xgboost_classifier_gives_the_share_of_the_class() -> None:
    """Where no column tells anything, the first tree is one leaf of 0: the base score counts."""
    X, y = np.zeros((200, 1)), (np.arange(200) < 30).astype(int)
    estimator = XGBClassifier(n_estimators=5, n_jobs=1)
    pipeline = one_estimator(estimator, ONE_NUMBER, X, y)
    np.testing.assert_allclose(run(to_onnx(pipeline), X[:1]), [[0.85, 0.15]], atol=1e-6)


def test_a_constant_xgboost_regressor_gives_the_mean() -> None:
    X, y = np.zeros((100, 1)), np.repeat([1000.0, 3000.0], 50)
    pipeline = one_estimator(XGBRegressor(n_estimators=5, n_jobs=1), ONE_VALUE, X, y)
    np.testing.assert_allclose(run(to_onnx(pipeline), X[:1]), [2000.0], rtol=1e-6)


# Bytes

EXPORT_PICKLED = """
import hashlib, pathlib, pickle, sys
from stages.exporting.graph import to_onnx
for pipeline in pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()):
    print(hashlib.sha256(to_onnx(pipeline)).hexdigest())
"""


def test_the_same_pipeline_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    pipelines = [fitted(family, kind) for family in FAMILIES for kind in ("several", "regression")]
    path = tmp_path / "pipelines.pickle"
    path.write_bytes(pickle.dumps(pipelines))
    here = [hashlib.sha256(to_onnx(pipeline)).hexdigest() for pipeline in pipelines]
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", EXPORT_PICKLED, str(path)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    assert [process.communicate()[0].split() for process in started] == [here, here]


@pytest.mark.parametrize("family", FAMILIES)
def test_names_are_operators_and_numbers(family: str) -> None:
    model = onnx.load_from_string(to_onnx(fitted(family, "binary")))
    names = {name for node in model.graph.node for name in (*node.input, *node.output, node.name)}
    generated = names - {"X", "probabilities"}
    assert all(name.rpartition("_")[2].isdigit() for name in generated), generated
    assert not model.metadata_props
    assert not model.doc_string


# Refusals


class Unconvertible(DummyClassifier):
    """An estimator of a user's own, which no converter knows."""


def test_an_estimator_without_a_converter_is_refused_in_words() -> None:
    pipeline = one_estimator(Unconvertible(), ONE_NUMBER, np.zeros((4, 1)), np.array([0, 1, 0, 1]))
    with pytest.raises(PipelineError, match="Unconvertible cannot be written as ONNX"):
        to_onnx(pipeline)


def test_an_operator_that_the_runtime_lacks_is_told_in_words() -> None:
    x = np.linspace(0, 1, 20)[:, None]
    pipeline = one_estimator(SVR(), ONE_VALUE, x, x[:, 0])
    model = to_onnx(pipeline)
    with pytest.raises(PipelineError, match="ONNX Runtime cannot run the exported model"):
        Exported(model, pipeline["features"])


def test_a_class_that_no_row_had_is_refused_in_words() -> None:
    three = ONE_NUMBER.model_copy(update={"labels": ("a", "b", "c")})
    x = np.arange(20.0)[:, None]
    pipeline = one_estimator(LogisticRegression(), three, x, np.arange(20) // 10)
    with pytest.raises(PipelineError, match=r"knows only a, b of the classes a, b, c"):
        to_onnx(pipeline)


def test_a_model_beyond_two_gigabytes_is_refused_in_words(monkeypatch: Any) -> None:
    def fail(*_: Any) -> str:
        raise DecodeError("Error parsing message")  # what protobuf raises beyond 2 GB

    monkeypatch.setattr(graph, "add_estimator", fail)
    with pytest.raises(PipelineError, match=r"too large for ONNX.*min_samples_leaf"):
        to_onnx(fitted("linear", "binary"))


def test_a_graph_may_give_back_its_input() -> None:
    """The features of a table of texts alone are computed before the graph."""
    content = Builder("row", 2).finish("row", "features", 2)
    session = onnxruntime.InferenceSession(content)
    rows = np.array([[1.5, np.nan], [0.0, -2.0]])
    np.testing.assert_array_equal(session.run(None, {"row": rows})[0], rows)
