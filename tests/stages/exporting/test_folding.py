"""Trees that read columns go the way that they went over features."""

import math
import operator
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline

from stages.exporting.folding import COMPARE, Feature, Split, _split
from stages.exporting.graph import to_onnx
from stages.shared.features import encode, encode_target
from tests.support.export_fixtures import make_frame, make_pipeline

MODES = {
    "BRANCH_LEQ": operator.le,
    "BRANCH_LT": operator.lt,
    "BRANCH_GTE": operator.ge,
    "BRANCH_GT": operator.gt,
    "BRANCH_EQ": operator.eq,
    "BRANCH_NEQ": operator.ne,
}


def goes_on(split: Split, cell: float) -> bool:
    """Answer as the operator's definition in ONNX has it."""
    if math.isnan(cell):
        return bool(split.missing) or MODES[split.mode](cell, split.value)
    return bool(MODES[split.mode](cell, split.value))


def feature_of(cell: float, feature: Feature) -> float:
    """Compute the feature as ``Featurizer`` does, of one cell."""
    if feature.kind == "missing":
        return float(math.isnan(cell))
    if feature.kind == "category":
        return float(cell == feature.value)
    return float(feature.value) if math.isnan(cell) else cell


singles = st.floats(width=32, allow_nan=False, allow_infinity=False)
features = st.builds(
    Feature,
    column=st.just(3),
    kind=st.sampled_from(["number", "missing", "category"]),
    value=st.integers(0, 4).map(np.float32) | singles.map(np.float32),
)
thresholds = st.sampled_from([-1.0, 0.0, 1e-30, 0.5, 1.0, 1.5]) | singles


@given(
    feature=features,
    mode=st.sampled_from(sorted(COMPARE)),
    threshold=thresholds,
    cell=st.just(math.nan) | st.sampled_from([-1.0, 0.0, 1.0, 2.0, math.inf]) | singles,
)
def test_a_column_is_asked_what_its_feature_was(
    feature: Feature, mode: str, threshold: float, cell: float
) -> None:
    found = _split(feature, mode, threshold)
    assert found.column == 3
    assert goes_on(found, cell) == MODES[mode](feature_of(cell, feature), threshold)


def operators(pipeline: Any) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(to_onnx(pipeline)).graph.node]


@pytest.mark.parametrize("family", ["xgboost", "lightgbm", "forest"])
def test_nothing_is_computed_for_trees_but_derived_numbers(family: str) -> None:
    pipeline = make_pipeline(family, "binary", make_frame("binary", 200, seed=1))
    assert not {"Where", "Equal", "LessOrEqual"} & set(operators(pipeline))


def test_an_estimator_that_is_no_tree_still_reads_features() -> None:
    pipeline = make_pipeline("linear", "binary", make_frame("binary", 200, seed=1))
    assert "Where" in operators(pipeline)


def test_a_forest_is_as_it_was_trained_where_nearly_all_is_missing() -> None:
    frame = make_frame("binary", 300, seed=3)
    features = make_pipeline("forest", "binary", frame)["features"]
    forest = RandomForestClassifier(40, random_state=1)
    X, y = encode(frame, features.schema), encode_target(frame, features.schema)
    X[np.random.default_rng(0).random(X.shape) < 0.9] = np.nan
    pipeline = Pipeline([("features", features), ("estimator", forest)]).fit(X, y)
    session = onnxruntime.InferenceSession(to_onnx(pipeline))
    found = session.run(None, {"X": X})[0]
    np.testing.assert_allclose(found, pipeline.predict_proba(X), atol=1e-6)
