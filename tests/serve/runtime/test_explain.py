"""Explanations: contributions that sum to the score, and are the Shapley values of its trees."""

import itertools
import json
import math
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from fastapi.testclient import TestClient
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeRegressor

from serve.runtime.attribution import Attribution, AttributionError, apply_link
from serve.runtime.load import load_model
from serve.runtime.manifest_file import ManifestError
from stages.exporting import explaining
from stages.exporting.explaining import check_explanation, explain, map_features
from stages.exporting.graph import to_onnx
from stages.exporting.parity import Exported
from stages.exporting.paths import find_paths
from stages.exporting.trees import LEAF, Tree, read_ensemble
from stages.shared.errors import PipelineError
from stages.shared.features import Featurizer, encode
from stages.shared.schema import Derived, Field, Schema
from tests.support.explained_models import MEAN, SCORE, write_explained_heart
from tests.support.export_fixtures import FAMILIES, KINDS, make_frame, make_pipeline, make_schema
from tests.support.serve_models import HEART_ROW, HEART_VECTOR, HOUSING_ROW, write_housing

Array = np.ndarray[Any, Any]
ROWS = 240
NUMBERS = Schema(
    problem="regression", fields=tuple(Field(name=f"x{i}", type="number") for i in range(4))
)


@cache
def fitted(family: str, kind: str) -> Pipeline:
    return make_pipeline(family, kind, make_frame(kind, ROWS, seed=3))


def exported(pipeline: Pipeline) -> Exported:
    return Exported(to_onnx(pipeline), pipeline["features"])


@cache
def table(kind: str) -> Array:
    return encode(make_frame(kind, ROWS, seed=3), make_schema(kind))


def hard_rows(kind: str) -> Array:
    """Return some rows, and each of them with everything missing but one column."""
    X = table(kind)[:5]
    alone = np.full((X.shape[1], X.shape[1]), np.nan)
    np.fill_diagonal(alone, X[0])
    return np.vstack([X, alone])


def contributions(pipeline: Pipeline, X: Array, fitted_on: Array) -> tuple[Array, Array]:
    """Return bases [scores], and what each part adds to each row [rows, scores, parts]."""
    explained = explain(pipeline, fitted_on)
    assert explained is not None
    schema = pipeline["features"].schema
    attribution = Attribution(explained.content, len(schema.fields) + len(schema.derived))
    features = Exported(attribution.graph, pipeline["features"]).predict(X)
    found = [attribution.explain(row) for row in features]
    return found[0][0], np.array([added for _, added in found])


# The sum is the score, for every family


def raw_scores(pipeline: Pipeline, X: Array) -> Array:
    """Return the scores [rows, scores] as the library itself gives them, before the link."""
    estimator, features = pipeline["estimator"], pipeline["features"].transform(X)
    family = type(estimator).__module__.split(".")[0]
    if family == "xgboost":
        found = estimator.predict(features, output_margin=True)
    elif family == "lightgbm":
        found = estimator.predict(features, raw_score=True)
    elif hasattr(estimator, "decision_function"):
        found = estimator.decision_function(features)
    elif hasattr(estimator, "predict_proba"):
        found = estimator.predict_proba(features)
        found = found[:, 1] if found.shape[1] == 2 else found
    else:
        found = estimator.predict(features)
    return np.asarray(found, dtype=np.float64).reshape(len(X), -1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_base_and_contributions_sum_to_the_score(family: str, kind: str) -> None:
    pipeline, X = fitted(family, kind), hard_rows(kind)
    base, added = contributions(pipeline, X, table(kind))
    exact = not family.startswith("xgboost")  # which sums float32
    expected = raw_scores(pipeline, X)
    scale = np.maximum(np.abs(expected), 1)
    assert np.max(np.abs(base + added.sum(axis=2) - expected) / scale) < (1e-9 if exact else 2e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_score_gives_the_exported_models_answer(family: str, kind: str) -> None:
    pipeline = fitted(family, kind)
    explained = explain(pipeline, table(kind))
    assert explained is not None
    check_explanation(explained, exported(pipeline), make_schema(kind), table(kind))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_links_are_those_of_the_scores(family: str) -> None:
    averages = family in ("forest", "extra_trees")
    expected = {
        "binary": "identity" if averages else "logit",
        "several": "identity" if averages else "softmax",
        "regression": "identity",
    }
    found = {kind: explain(fitted(family, kind), table(kind)) for kind in KINDS}
    assert {kind: it.link for kind, it in found.items() if it} == expected


@pytest.mark.parametrize("boosting", ["poisson", "rf", "dart"])
def test_other_ways_of_boosting_sum_as_well(boosting: str) -> None:
    """Counts through a logarithm, LightGBM's forests (an average), and dropped trees."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 4)).astype(np.float32)
    y = rng.poisson(np.exp(X[:, 0])).astype(float)
    way = {"objective": "poisson"} if boosting == "poisson" else {"boosting_type": boosting}
    bagging = {"subsample": 0.5, "subsample_freq": 1, "random_state": 1}
    estimator = lightgbm.LGBMRegressor(n_estimators=9, verbosity=-1, n_jobs=1, **bagging, **way)
    estimator.fit(X, y)
    pipeline = on_numbers(estimator, X)
    base, added = contributions(pipeline, X[:9].astype(float), X.astype(float))
    scores = base + added.sum(axis=2)
    link = "log" if boosting == "poisson" else "identity"
    answers = [apply_link(row, link, is_class=False)[0] for row in scores]
    np.testing.assert_allclose(answers, estimator.predict(X[:9]), rtol=1e-9)


def on_numbers(estimator: Any, X: Array) -> Pipeline:
    features = Featurizer(NUMBERS).fit(X.astype(np.float64))
    return Pipeline([("features", features), ("estimator", estimator)])


def test_a_poisson_xgboost_counts_through_a_logarithm() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 4)).astype(np.float32)
    y = rng.poisson(np.exp(X[:, 0]))
    estimator = xgboost.XGBRegressor(n_estimators=9, objective="count:poisson", n_jobs=1).fit(X, y)
    base, added = contributions(on_numbers(estimator, X), X[:9].astype(float), X.astype(float))
    answers = np.exp(base[0] + added[:, 0].sum(axis=1))
    np.testing.assert_allclose(answers, estimator.predict(X[:9]), rtol=1e-6)


def test_pruned_nodes_of_xgboost_count_for_nothing() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 4)).astype(np.float32)
    y = X[:, 0] + 0.3 * rng.normal(size=300)
    pruning = {"gamma": 3.0, "tree_method": "exact", "max_depth": 6}
    estimator = xgboost.XGBRegressor(n_estimators=20, n_jobs=1, **pruning).fit(X, y)
    model = json.loads(estimator.get_booster().save_raw("json"))["learner"]["gradient_booster"]
    deleted = [tree["tree_param"]["num_deleted"] for tree in model["model"]["trees"]]
    assert any(map(int, deleted)), "the fixture was not pruned"
    base, added = contributions(on_numbers(estimator, X), X[:9].astype(float), X.astype(float))
    scores = base[0] + added[:, 0].sum(axis=1)
    np.testing.assert_allclose(scores, estimator.predict(X[:9]), rtol=1e-5, atol=1e-6)


# They are the Shapley values that others compute


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_are_those_of_xgboost(kind: str) -> None:
    pipeline, X = fitted("xgboost", kind), hard_rows(kind)
    features = xgboost.DMatrix(pipeline["features"].transform(X))
    theirs = pipeline["estimator"].get_booster().predict(features, pred_contribs=True)
    assert_same_contributions(pipeline, kind, theirs, tolerance=2e-5)  # theirs are float32


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_are_those_of_lightgbm(kind: str) -> None:
    pipeline, X = fitted("lightgbm", kind), hard_rows(kind)
    features = pipeline["features"].transform(X)
    theirs = pipeline["estimator"].booster_.predict(features, pred_contrib=True)
    assert_same_contributions(pipeline, kind, theirs, tolerance=1e-9)


def assert_same_contributions(
    pipeline: Pipeline, kind: str, theirs: Array, tolerance: float
) -> None:
    """Compare with the library's contributions of features [rows, scores * (features + 1)]."""
    base, added = contributions(pipeline, hard_rows(kind), table(kind))
    parts = map_features(pipeline["features"])
    theirs = theirs.reshape(len(added), len(base), -1)
    folded = np.zeros(added.shape)
    for feature, part in enumerate(parts):
        folded[:, :, part] += theirs[:, :, feature]
    scale = max(1.0, float(np.abs(theirs).max()))
    assert np.abs(added - folded).max() / scale < tolerance
    assert np.abs(theirs[:, :, -1] - base).max() / scale < tolerance


@pytest.mark.parametrize("classes", [False, True])
def test_a_forests_contributions_are_shapley_values_by_definition(classes: bool) -> None:
    """Every order in which features become known, and the mean change of the expectation."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(120, 4)).astype(np.float32)
    y = X[:, 0] * X[:, 1] + np.where(X[:, 2] > 0, X[:, 3], 0)
    make = RandomForestClassifier if classes else RandomForestRegressor
    forest = make(n_estimators=3, max_depth=4, random_state=1)
    forest.fit(X, (y > 0).astype(int) if classes else y)
    base, added = contributions(on_numbers(forest, X), X[:4].astype(float), X.astype(float))
    for row, found in zip(X[:4], added, strict=True):
        values = [by_definition(it.tree_, row, -1) for it in forest.estimators_]
        np.testing.assert_allclose(found[0], np.mean(values, axis=0), atol=1e-12)
    roots = [it.tree_.value[0].ravel()[-1] for it in forest.estimators_]
    assert base == pytest.approx(np.mean(roots), abs=1e-12)


def by_definition(tree: Any, row: Array, output: int) -> list[float]:
    everyone = range(len(row))
    return [
        sum(
            math.factorial(len(known))
            * math.factorial(len(row) - len(known) - 1)
            / math.factorial(len(row))
            * (
                expected(tree, row, {*known, feature}, output)
                - expected(tree, row, set(known), output)
            )
            for size in everyone
            for known in itertools.combinations([it for it in everyone if it != feature], size)
        )
        for feature in everyone
    ]


def expected(tree: Any, row: Array, known: set[int], output: int, node: int = 0) -> float:
    """Return the tree's mean answer where only some features are known."""
    left, right = tree.children_left[node], tree.children_right[node]
    if left == right:
        return float(tree.value[node].ravel()[output])
    if (feature := tree.feature[node]) in known:
        child = left if row[feature] <= tree.threshold[node] else right
        return expected(tree, row, known, output, child)
    weights = tree.weighted_n_node_samples[[left, right]] / tree.weighted_n_node_samples[node]
    sides = [expected(tree, row, known, output, child) for child in (left, right)]
    return float(weights @ sides)


def test_a_deep_path_is_as_exact_as_a_short_one() -> None:
    """A tree that is one chain of 24 features: the integral's polynomial has degree 23."""
    depth = 24
    rng = np.random.default_rng(2)
    X = (rng.random((4000, depth)) < 0.8).astype(np.float32)
    y = X.cumprod(axis=1).sum(axis=1)
    tree = DecisionTreeRegressor(min_samples_leaf=1).fit(X, y)
    groups, _ = find_paths(read_ensemble(tree).trees)  # type: ignore[union-attr]
    assert max(len(paths.feature) for paths in groups) >= 15
    schema = NUMBERS.model_copy(
        update={"fields": tuple(Field(name=f"x{i}", type="number") for i in range(depth))}
    )
    features = Featurizer(schema).fit(X.astype(np.float64))
    pipeline = Pipeline([("features", features), ("estimator", tree)])
    base, added = contributions(pipeline, X[:50].astype(float), X.astype(float))
    np.testing.assert_allclose(base + added[:, 0].sum(axis=1), tree.predict(X[:50]), atol=1e-12)


# Trees and paths, by hand


def stump(threshold: float = 0.5) -> Tree:
    """Two leaves: 10 for the 3 rows at most the threshold, 50 for the one above it."""
    return Tree(
        left=np.array([1, LEAF, LEAF]),
        right=np.array([2, LEAF, LEAF]),
        feature=np.array([0, LEAF, LEAF]),
        threshold=np.array([threshold, 0, 0], dtype=np.float32),
        cover=np.array([4.0, 3.0, 1.0]),
        value=np.array([[0.0], [10.0], [50.0]]),
    )


def test_a_leafs_path_has_bounds_and_shares() -> None:
    (paths,), single = find_paths([stump()])
    assert paths.low.tolist() == [[-np.inf, 0.5]]
    assert paths.high.tolist() == [[0.5, np.inf]]
    assert paths.share.tolist() == [[0.75, 0.25]]
    assert paths.value.tolist() == [[10.0], [50.0]]
    assert single.tolist() == [0.0]


def test_splits_on_one_feature_become_one_step() -> None:
    """x <= 2, then x <= 1: the middle leaf takes 1 < x <= 2, as 2 of 8 rows did."""
    tree = Tree(
        left=np.array([1, 3, LEAF, LEAF, LEAF]),
        right=np.array([2, 4, LEAF, LEAF, LEAF]),
        feature=np.array([0, 0, LEAF, LEAF, LEAF]),
        threshold=np.array([2, 1, 0, 0, 0], dtype=np.float32),
        cover=np.array([8.0, 5.0, 3.0, 3.0, 2.0]),
        value=np.array([[0.0], [0.0], [1.0], [2.0], [3.0]]),
    )
    (paths,), _ = find_paths([tree])
    assert paths.feature.shape == (1, 3)
    middle = paths.value[:, 0].tolist().index(3.0)
    step = (paths.low[0, middle], paths.high[0, middle], paths.share[0, middle])
    assert step == (1.0, 2.0, pytest.approx(2 / 8))


def test_a_tree_of_one_leaf_belongs_to_the_base() -> None:
    leaf = Tree(*(part[1:2] for part in stump()))
    groups, single = find_paths([leaf, leaf])
    assert (groups, single.tolist()) == ([], [20.0])


# Which column a feature belongs to


def test_one_hot_flags_and_derived_numbers_are_folded() -> None:
    schema = Schema(
        problem="regression",
        fields=(
            Field(name="colour", type="category", values=("red", "blue")),
            Field(name="size", type="number"),
            Field(name="old", type="boolean"),
        ),
        derived=(Derived(name="twice", expression="2 * size"),),
    )
    X = np.array([[0.0, 5.0, 1.0], [1.0, np.nan, 0.0]])
    # numbers: size, old, twice; missing in training: size, twice; then red and blue
    assert map_features(Featurizer(schema).fit(X)).tolist() == [1, 2, 3, 1, 3, 0, 0]


def test_a_linear_contribution_is_weight_times_distance_from_the_mean() -> None:
    schema = NUMBERS.model_copy(update={"fields": NUMBERS.fields[:2]})
    X = np.array([[0.0, 10.0], [2.0, 10.0], [4.0, 40.0]])
    features = Featurizer(schema, scale=True).fit(X)
    estimator = Ridge(alpha=0.1).fit(features.transform(X), [1.0, 2.0, 9.0])
    base, added = contributions(Pipeline([("features", features), ("estimator", estimator)]), X, X)
    deviations = X.std(axis=0)
    np.testing.assert_allclose(added[:, 0], estimator.coef_ / deviations * (X - X.mean(axis=0)))
    assert base == pytest.approx(4.0)  # ridge goes through the means


@pytest.mark.parametrize("family", ["linear", "xgboost"])
def test_the_same_pipeline_gives_the_same_bytes(family: str) -> None:
    made = [explain(fitted(family, "binary"), table("binary")) for _ in range(2)]
    assert made[0] == made[1]


def test_a_model_without_exact_explanations_goes_without(caplog: Any) -> None:
    X = table("binary")
    features = Featurizer(make_schema("binary")).fit(X)
    estimator = GaussianNB().fit(features.transform(X), np.arange(len(X)) % 2)
    pipeline = Pipeline([("features", features), ("estimator", estimator)])
    assert explain(pipeline, X) is None
    assert "GaussianNB has no exact explanations" in caplog.text


def test_trees_too_large_to_explain_go_without(monkeypatch: Any) -> None:
    monkeypatch.setattr(explaining, "MOST_STEPS", 100)
    assert explain(fitted("forest", "binary"), table("binary")) is None


def test_an_explanation_of_another_model_is_refused() -> None:
    explained = explain(fitted("xgboost", "binary"), table("binary"))
    assert explained is not None
    other = exported(fitted("lightgbm", "binary"))
    with pytest.raises(PipelineError, match="the model answers"):
        check_explanation(explained, other, make_schema("binary"), table("binary"))


# Links


@pytest.mark.parametrize(
    ("scores", "link", "is_class", "expected"),
    [
        ([math.log(3)], "logit", True, [0.25, 0.75]),
        ([-800.0], "logit", True, [1.0, 0.0]),
        ([800.0], "logit", True, [0.0, 1.0]),
        ([math.log(1), math.log(3)], "softmax", True, [0.25, 0.75]),
        ([900.0, 900.0, 0.0], "softmax", True, [0.5, 0.5, 0.0]),
        ([math.log(7)], "log", False, [7.0]),
        ([0.2], "identity", True, [0.8, 0.2]),
        ([0.2, 0.3, 0.5], "identity", True, [0.2, 0.3, 0.5]),
        ([-5.0], "identity", False, [-5.0]),
    ],
)
def test_scores_become_answers(
    scores: list[float], link: str, is_class: bool, expected: list[float]
) -> None:
    assert apply_link(np.array(scores), link, is_class) == pytest.approx(expected, abs=1e-15)


# The route


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Heart with an explanation, housing without."""
    folder = tmp_path_factory.mktemp("models")
    write_explained_heart(folder)
    write_housing(folder)
    return folder


def test_an_answer_comes_with_what_each_column_added(client: TestClient) -> None:
    answer = client.post("/explain/heart", json=HEART_ROW).json()
    (explained,) = answer["explanations"]
    (score,) = explained["scores"]
    assert (answer["method"], answer["link"], score["label"]) == ("linear", "logit", "ill")
    expected = SCORE * (np.array(HEART_VECTOR) - MEAN)
    assert [it["name"] for it in score["contributions"]] == list(HEART_ROW)
    assert [it["value"] for it in score["contributions"]] == list(HEART_ROW.values())
    assert [it["contribution"] for it in score["contributions"]] == pytest.approx(expected)
    assert score["base"] == pytest.approx(SCORE @ MEAN)
    assert score["score"] == pytest.approx(SCORE @ HEART_VECTOR, rel=1e-12)
    assert score["answer"] == pytest.approx(explained["prediction"]["probabilities"]["ill"])


def test_the_prediction_within_is_exactly_that_of_predict(client: TestClient) -> None:
    rows = [HEART_ROW, {**HEART_ROW, "age": 20}]
    explained = client.post("/explain/heart", json=rows).json()
    predicted = client.post("/predict/heart", json=rows).json()
    assert [it["prediction"] for it in explained["explanations"]] == predicted["predictions"]
    same = ("task", "model", "version", "sha256")
    assert [explained[key] for key in same] == [predicted[key] for key in same]


def test_a_row_that_does_not_fit_is_refused_as_by_predict(client: TestClient) -> None:
    wrong = {**HEART_ROW, "age": "old"}
    found = [client.post(f"/{verb}/heart", json=wrong) for verb in ("explain", "predict")]
    assert [it.status_code for it in found] == [422, 422]
    assert found[0].json() == found[1].json()


def test_more_than_a_hundred_rows_are_refused(client: TestClient) -> None:
    assert client.post("/explain/heart", json=[HEART_ROW] * 100).status_code == 200
    refused = client.post("/explain/heart", json=[HEART_ROW] * 101)
    assert (refused.status_code, refused.json()["detail"][:8]) == (413, "101 rows")


def test_a_model_without_explanations_says_so(client: TestClient) -> None:
    answer = client.post("/explain/housing", json=HOUSING_ROW)
    assert answer.status_code == 404
    assert answer.json()["detail"] == "housing's model (linear) has no exact additive explanation"


def test_a_changed_file_of_explanations_keeps_the_model_out(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models, tmp_path, dirs_exist_ok=True)
    (file,) = (tmp_path / "heart").glob("explain-*.npz")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(ManifestError, match=r"explain-.*\.npz was changed after its export"):
        load_model(tmp_path / "heart")


def test_content_that_is_no_file_of_arrays_is_told_in_words() -> None:
    with pytest.raises(AttributionError, match="the explanations cannot be read"):
        _ = Attribution(b"PK\x03\x04 and no more", 3).graph
