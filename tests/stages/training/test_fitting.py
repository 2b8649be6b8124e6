"""Fits are honest (no row is predicted by a model that saw it), repeatable, and as declared."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pynvml
import pytest
from ruamel.yaml import YAML
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from stages.contract.cross_validation import CrossValidation
from stages.evaluating.metrics import DecisionRule, find_metric
from stages.shared.curves import write_curve
from stages.shared.errors import PipelineError
from stages.shared.features import Featurizer
from stages.shared.folds import hold_out, make_folds
from stages.shared.model import Model
from stages.shared.predicting import predict
from stages.shared.schema import Derived, Field, Schema
from stages.train import (
    TrainParams,
    build_recipe,
    describe_candidate,
    encode_rows,
    predict_rows_out_of_fold,
)
from stages.training import fitting
from stages.training.crossval import predict_out_of_fold
from stages.training.curves import compute_curve
from stages.training.fitting import (
    Recipe,
    find_best_round,
    fit,
    fit_stopping_early,
    fit_watched,
    read_losses,
    scale_rounds,
    use_cuda,
)
from stages.tuning.objective import Objective
from tests.support.defaults import contract_defaults

FAMILIES = [path.stem for path in sorted(Path("conf/model").glob("*.yaml"))]
BOOSTED = ["lightgbm", "xgboost"]
LABELS: dict[str, tuple[str, ...]] = {
    "binary": ("well", "ill"),
    "three classes": ("a", "b", "c"),
    "regression": (),
}
CV = CrossValidation(folds=3, repeats=2, seed=7)
ROWS = 180
Rows = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def schema(kind: str = "binary") -> Schema:
    return Schema(
        problem="classification" if LABELS[kind] else "regression",
        fields=(
            Field(name="a", type="number"),
            Field(name="b", type="integer"),
            Field(name="c", type="category", values=("x", "y")),
        ),
        derived=(Derived(name="d", expression="a / b"),),
        labels=LABELS[kind],
    )


def table(kind: str = "binary", n: int = ROWS, seed: int = 0) -> Rows:
    """An encoded matrix and a target that depends on it, with gaps and unseen categories."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=n), rng.integers(0, 9, n), rng.integers(-1, 2, n)])
    signal = 2 * X[:, 0] + (X[:, 2] == 1) + rng.normal(0, 0.5, n)
    X[rng.random(X.shape) < 0.05] = np.nan
    if kind == "regression":
        return X, signal
    return X, np.digitize(signal, [0.3] if kind == "binary" else [-0.5, 1.0])


def recipe(name: str, kind: str = "binary", **overrides: Any) -> Recipe:
    """A shipped family with few trees."""
    content = YAML(typ="safe").load(Path(f"conf/model/{name}.yaml"))
    if "n_estimators" in content:
        overrides = {"n_estimators": 40, "n_jobs": 1, **overrides}
    if "_early_stopping_" in content:
        overrides = {"_early_stopping_": {"rounds": 5, "fraction": 0.2}, **overrides}
    made = schema(kind)
    return Recipe(Model.parse(content, name).with_overrides(made.problem, overrides, name), made)


def nearest(kind: str) -> Recipe:
    """One neighbour: a model that knows every row it has seen by heart."""
    target = {
        "classification": "sklearn.neighbors.KNeighborsClassifier",
        "regression": "sklearn.neighbors.KNeighborsRegressor",
    }
    content = {"_target_": target, "_complexity_": 1, "_scale_": True, "n_neighbors": 1}
    return Recipe(Model.parse(content, "nearest"), schema(kind))


# Every family, every problem


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_predicts_every_row_once_a_repeat_and_learns(name: str, kind: str) -> None:
    X, y = table(kind)
    found, rounds = predict_out_of_fold(recipe(name, kind), X, y, CV)
    assert len(found) == CV.repeats * ROWS
    assert len(rounds) == (CV.repeats * CV.folds if name in BOOSTED else 0)
    for repeat in range(CV.repeats):
        part = found[found["repeat"] == repeat]
        assert part["fold"].value_counts().tolist() == [ROWS / CV.folds] * CV.folds
        assert _error(part, y, kind) < 0.8 * _error_of_knowing_nothing(y, kind)


def _error(found: pd.DataFrame, y: np.ndarray[Any, Any], kind: str) -> float:
    if kind == "regression":
        return float(np.mean((found["value"] - y) ** 2))
    probabilities = found[[f"p_{i}" for i in range(len(LABELS[kind]))]].to_numpy()
    sums = probabilities.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(sums, 1, atol=1e-6)
    return float(log_loss(y, probabilities / sums))


def _error_of_knowing_nothing(y: np.ndarray[Any, Any], kind: str) -> float:
    if kind == "regression":
        return float(np.var(y))
    shares = np.bincount(y) / len(y)
    return float(-(shares * np.log(shares)).sum())


@pytest.mark.parametrize("name", FAMILIES)
def test_predictions_are_float64_in_the_order_of_the_labels(name: str) -> None:
    X, y = table("three classes")
    pipeline = fit(recipe(name, "three classes", **_unstopped(name)), X, y)
    found = predict(pipeline, X, schema("three classes"))
    assert found.dtype == np.float64
    assert (found.argmax(axis=1) == y).mean() > 0.7


@pytest.mark.parametrize("name", FAMILIES)
def test_predicted_values_are_float64(name: str) -> None:
    X, y = table("regression")
    pipeline = fit(recipe(name, "regression", **_unstopped(name)), X, y)
    found = predict(pipeline, X, schema("regression"))
    assert found.shape == (ROWS,)
    assert found.dtype == np.float64


def _unstopped(name: str) -> dict[str, Any]:
    return {"_early_stopping_": None} if name in BOOSTED else {}


# Out of fold


def test_no_prediction_comes_from_a_model_that_saw_the_row() -> None:
    """One neighbour repeats the target of a row it saw: which row, and so which fold, is known."""
    X, y = table("regression")
    found, _ = predict_out_of_fold(nearest("regression"), X, y, CV)
    source = {value: row for row, value in enumerate(y)}
    assert len(source) == ROWS
    for _, part in found.groupby("repeat"):
        fold = part["fold"].to_numpy()
        copied_from = [source[value] for value in part["value"]]
        assert (fold[copied_from] != fold).all()


def test_a_memory_does_not_help_where_there_is_nothing_to_learn() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2000, 3)), rng.integers(0, 2, 2000)
    X[:, 2] = 0
    found, _ = predict_out_of_fold(nearest("binary"), X, y, CrossValidation(folds=5, seed=1))
    hits = found["p_1"].to_numpy() == y
    assert abs(hits.mean() - 0.5) < 0.06  # by heart it would be 1


@pytest.mark.parametrize("name", BOOSTED)
def test_neither_features_nor_early_stopping_see_the_fold_they_are_scored_on(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = table()
    X[:, 1] = np.arange(ROWS)  # which row it is
    seen: list[tuple[set[int], set[int]]] = []
    learned: list[set[int]] = []
    watched_fit, learn = fitting.fit_watched, Featurizer.fit

    def spy(recipe: Recipe, fitted: Rows, watched: Rows, *more: Any) -> Any:
        seen.append(({*fitted[0][:, 1].astype(int)}, {*watched[0][:, 1].astype(int)}))
        return watched_fit(recipe, fitted, watched, *more)

    def spy_on_features(self: Featurizer, X: Any, y: Any = None) -> Any:
        learned.append({*X[:, 1].astype(int)})
        return learn(self, X, y)

    monkeypatch.setattr(fitting, "fit_watched", spy)
    monkeypatch.setattr(Featurizer, "fit", spy_on_features)
    found, _ = predict_out_of_fold(recipe(name), X, y, CV)
    assert len(seen) == len(learned) == CV.repeats * CV.folds
    for i, (fitted, watched) in enumerate(seen):
        repeat, fold = divmod(i, CV.folds)
        part = found[found["repeat"] == repeat].reset_index(drop=True)
        scored = {*part.index[part["fold"] == fold]}
        assert fitted | watched == {*range(ROWS)} - scored
        assert not fitted & watched
        assert learned[i] == fitted
        assert len(watched) == round(0.2 * len(fitted | watched))


def test_folds_are_stratified_and_repeats_are_shuffled_anew() -> None:
    X, y = table()
    found, _ = predict_out_of_fold(nearest("binary"), X, y, CV)
    found["y"] = np.tile(y, CV.repeats)
    shares = found.groupby(["repeat", "fold"])["y"].mean()
    assert shares.max() - shares.min() < 0.02
    first, second = (part["fold"].to_numpy() for _, part in found.groupby("repeat"))
    assert (first != second).mean() > 0.5


def test_another_seed_shuffles_otherwise() -> None:
    X, y = table()
    one, same, other = (
        predict_out_of_fold(nearest("binary"), X, y, CrossValidation(folds=3, seed=seed))[0]
        for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(one, same)
    assert (one["fold"] != other["fold"]).any()


def test_the_scored_rows_carry_their_numbers_in_file_order() -> None:
    def frame(numbers: list[int]) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "_row": numbers,
                "a": [0.1 * i for i in numbers],
                "b": pd.array(numbers, dtype="Int64"),
                "c": pd.Series(["x"] * len(numbers), dtype="str"),
                "_target": [1.0 * i for i in numbers],
            }
        )

    train, validation = frame([5, 3, 8, 1, 9]), frame([2, 7])
    found, rounds = predict_rows_out_of_fold(nearest("regression"), train, validation, CV)
    assert found["_row"].tolist() == [5, 3, 8, 1, 9, 2, 7] * 2
    assert list(found.columns) == ["repeat", "fold", "_row", "value"]
    assert rounds is None


def test_a_class_with_too_few_rows_is_refused_by_name() -> None:
    X, y = table()
    y[:] = 0
    y[:2] = 1
    with pytest.raises(PipelineError, match=r"cv.folds is 3, but ill has 2 rows"):
        predict_out_of_fold(nearest("binary"), X, y, CV)


def test_too_few_rows_for_regression_are_refused() -> None:
    X, y = table("regression", n=2)
    with pytest.raises(PipelineError, match=r"cv.folds is 3, but \(all\) has 2 rows"):
        predict_out_of_fold(nearest("regression"), X, y, CV)


# Groups


@pytest.mark.parametrize("kind", LABELS)
def test_a_group_is_never_on_both_sides(kind: str) -> None:
    _, y = table(kind)
    groups = np.random.default_rng(0).integers(0, 25, ROWS).astype(str)
    for repeat in range(CV.repeats):
        found = make_folds(schema(kind), y, CV, repeat, groups)
        assert sorted(np.concatenate([held for _, held in found])) == list(range(ROWS))
        for fitted, held in found:
            assert not set(groups[fitted]) & set(groups[held])
            assert set(fitted) | set(held) == set(range(ROWS))


def test_a_memory_of_groups_does_not_help_where_folds_keep_them_together() -> None:
    """The target is noise of each group: whoever knows a neighbour of the group knows it."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(60), 3)
    X = np.column_stack([groups, np.ones(ROWS), np.zeros(ROWS)]).astype(float)
    y = rng.integers(0, 2, 60)[groups]

    def right(groups: Any) -> float:
        found, _ = predict_out_of_fold(nearest("binary"), X, y, CV, groups)
        return float(((found["p_1"] > 0.5) == np.tile(y, CV.repeats)).mean())

    assert right(None) > 0.8
    assert right(groups) < 0.65


def test_the_group_of_the_prepared_table_decides_the_folds() -> None:
    X, y = table("regression", n=60)
    frame = pd.DataFrame(
        {"_row": range(60), "a": X[:, 0], "b": X[:, 1], "c": "x", "_target": y}
    ).assign(_group=[None if i < 6 else str(i // 6) for i in range(60)])
    found, _ = predict_rows_out_of_fold(nearest("regression"), frame[:40], frame[40:], CV)
    owner = frame["_group"].fillna("none").to_numpy()[found["_row"]]
    assert (found.groupby(["repeat", owner])["fold"].nunique() == 1).all()


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("count", [12, 90])
def test_what_stops_a_fit_is_whole_groups_and_its_share_of_each_class(
    kind: str, count: int
) -> None:
    _, y = table(kind)
    groups = np.random.default_rng(1).integers(0, count, ROWS).astype(str)
    fitted, held = hold_out(y, 0.2, 1, bool(LABELS[kind]), groups)
    assert sorted([*fitted, *held]) == list(range(ROWS))
    assert not set(groups[fitted]) & set(groups[held])
    is_held = np.isin(np.arange(ROWS), held)
    for part in [y == label for label in range(len(LABELS[kind]))] or [y == y]:
        assert is_held[part].mean() == pytest.approx(0.2, abs=0.08)


def test_of_two_groups_one_stops_the_fit() -> None:
    _, y = table()
    groups = np.arange(ROWS) % 2
    fitted, held = hold_out(y, 0.1, 1, True, groups)
    assert {len({*groups[fitted]}), len({*groups[held]})} == {1}


@pytest.mark.parametrize("name", BOOSTED)
def test_groups_are_not_on_both_sides_of_early_stopping(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = table()
    groups = np.random.default_rng(0).integers(0, 30, ROWS)
    X[:, 1] = groups
    seen: list[tuple[set[float], set[float]]] = []
    watched_fit = fitting.fit_watched

    def spy(recipe: Recipe, fitted: Rows, watched: Rows, *more: Any) -> Any:
        seen.append(({*fitted[0][:, 1]}, {*watched[0][:, 1]}))
        return watched_fit(recipe, fitted, watched, *more)

    monkeypatch.setattr(fitting, "fit_watched", spy)
    predict_out_of_fold(recipe(name), X, y, CV, groups.astype(str))
    objective = Objective(
        X,
        y,
        groups.astype(str),
        CV,
        find_metric("roc_auc", "classification", "test"),
        DecisionRule(bins=10),
    )
    list(objective.score_folds(recipe(name)))
    assert len(seen) == 2 * CV.repeats * CV.folds
    assert all(fitted and watched and not fitted & watched for fitted, watched in seen)


def test_one_group_or_a_class_in_one_group_cannot_stop_a_fit() -> None:
    X, y = table()
    with pytest.raises(PipelineError, match=r"_early_stopping_ with 180 rows.*of one group"):
        fit_stopping_early(recipe("xgboost"), X, y, 1, np.zeros(ROWS))
    with pytest.raises(PipelineError, match=r"_early_stopping_ .* few groups have it"):
        fit_stopping_early(recipe("xgboost"), X, y, 1, y)


def test_too_few_groups_are_refused() -> None:
    _, y = table()
    with pytest.raises(PipelineError, match=r"cv.folds is 3, but there are 2 groups"):
        make_folds(schema(), y, CV, 0, np.arange(ROWS) % 2)


def test_a_class_in_one_group_alone_is_refused_by_name() -> None:
    _, y = table()
    groups = np.where(y == 1, 0, np.arange(ROWS))
    with pytest.raises(PipelineError, match="no row of ill to fit on"):
        make_folds(schema(), y, CV, 0, groups)


def test_too_few_rows_to_stop_by_are_refused() -> None:
    X, _ = table("three classes", n=9)
    with pytest.raises(PipelineError, match="_early_stopping_ with 9 rows"):
        fit_stopping_early(recipe("xgboost", "three classes"), X, np.arange(9) % 3, 1)


# Early stopping


@pytest.mark.parametrize("name", BOOSTED)
def test_the_seed_decides_which_rows_stop_the_fit(name: str) -> None:
    X, y = table()
    one, same, other = (
        predict(fit_stopping_early(recipe(name), X, y, seed)[0], X, schema()) for seed in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()


@pytest.mark.parametrize("name", BOOSTED)
def test_the_fit_stops_where_the_watched_loss_is_least(name: str) -> None:
    X, y = table()
    other = table(seed=1)
    made = recipe(name, n_estimators=300, learning_rate=0.3)
    estimator = fit_watched(made, (X, y), other, patience=5)["estimator"]
    (watched,) = read_losses(estimator)
    assert find_best_round(estimator) == int(np.argmin(watched)) + 1
    assert find_best_round(estimator) < 290
    assert len(watched) <= find_best_round(estimator) + 5


@pytest.mark.parametrize("name", BOOSTED)
def test_predictions_use_exactly_the_best_rounds(name: str) -> None:
    X, y = table()
    made = recipe(name, n_estimators=300, learning_rate=0.3)
    stopped = fit_watched(made, (X, y), table(seed=1), patience=5)
    features, estimator = stopped["features"].transform(X), stopped["estimator"]
    count = find_best_round(estimator)
    cut = {"num_iteration": count} if name == "lightgbm" else {"iteration_range": (0, count)}
    expected = estimator.predict_proba(features, **cut)
    np.testing.assert_array_equal(predict(stopped, X, schema()), expected)


@pytest.mark.parametrize("name", BOOSTED)
def test_a_fit_on_all_rows_takes_the_rounds_it_is_given(name: str) -> None:
    X, y = table()
    made = recipe(name)
    pipeline = fit(made, X, y, rounds=7)
    trees = pipeline["estimator"].n_estimators
    assert trees == 7
    assert describe_candidate(made, pipeline, len(X))["rounds"] == 7


@pytest.mark.parametrize("name", FAMILIES)
def test_without_early_stopping_every_row_is_fitted(name: str) -> None:
    X, y = table()
    made = recipe(name, **_unstopped(name))
    pipeline, rounds = fit_stopping_early(made, X, y, seed=1)
    assert rounds is None
    expected = predict(fit(made, X, y), X, schema())
    np.testing.assert_array_equal(predict(pipeline, X, schema()), expected)
    assert describe_candidate(made, pipeline, len(X))["rounds"] is None


@pytest.mark.parametrize(
    ("found", "fraction", "expected"),
    [([10, 20, 30], 0.2, 25), ([10, 20], 0.25, 20), ([7], 0.1, 8), ([1, 1], 0.01, 2)],
)
def test_all_rows_get_proportionally_more_trees(
    found: list[int], fraction: float, expected: int
) -> None:
    """The median of the folds' rounds over the share of rows that they were fitted on, up."""
    assert scale_rounds(found, fraction) == expected


# Class weights


def weighted(name: str, weight: str | None, **overrides: Any) -> Recipe:
    made = recipe(name, **{**_unstopped(name), **overrides})
    return Recipe(made.model, made.schema, class_weight=weight)


def test_balanced_weights_give_every_class_the_same_sum() -> None:
    y = np.array([0] * 30 + [1] * 10)
    found = weighted("linear", "balanced").weights(y)
    assert found is not None
    assert (found[0], found[-1]) == (40 / (2 * 30), 40 / (2 * 10))
    assert weighted("linear", None).weights(y) is None


def test_weighted_logistic_regression_is_that_of_scikit_learn() -> None:
    X, y = table(seed=3)
    y[60:] = 0
    pipeline = fit(weighted("linear", "balanced", tol=1e-10), X, y)
    reference = LogisticRegression(class_weight="balanced", max_iter=1000, tol=1e-10)
    reference.fit(pipeline["features"].transform(X), y)
    np.testing.assert_allclose(pipeline["estimator"].coef_, reference.coef_, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_weights_raise_the_rare_class(name: str) -> None:
    X, y = table(seed=3)
    y[60:] = 0
    pipelines = [fit(weighted(name, weight), X, y) for weight in (None, "balanced")]
    plain, balanced = (predict(pipeline, X, schema())[:, 1].mean() for pipeline in pipelines)
    assert balanced > plain + 0.05


@pytest.mark.parametrize("name", BOOSTED)
def test_weights_are_used_with_early_stopping_too(name: str) -> None:
    X, y = table(seed=3)
    y[60:] = 0
    made = recipe(name)
    recipes = [Recipe(made.model, made.schema, weight) for weight in (None, "balanced")]
    pipelines = [fit_stopping_early(each, X, y, seed=1)[0] for each in recipes]
    plain, balanced = (predict(pipeline, X, schema())[:, 1].mean() for pipeline in pipelines)
    assert balanced > plain


# Same inputs, same bytes

WRITE = """
import sys
from pathlib import Path
import joblib
from tests.stages.training.test_fitting import FAMILIES, LABELS, recipe, table
from stages.training.fitting import fit
from stages.shared.storage import atomic
for name in FAMILIES:
    for kind in LABELS:
        trees = {} if name == "linear" else {"n_estimators": 5, "n_jobs": 2}
        with atomic(Path(sys.argv[1], f"{name} {kind}.joblib")) as file:
            joblib.dump(fit(recipe(name, kind, **trees), *table(kind)), file)
"""


def test_two_processes_write_the_same_bytes_whatever_their_hash_seed(tmp_path: Path) -> None:
    """Python orders sets of text by a seed of its own in every process."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for seed in ("1", "2")
    ]
    assert [process.wait(120) for process in processes] == [0, 0]
    one, other = (
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
        for folder in (tmp_path / "1", tmp_path / "2")
    )
    assert len(one) == len(FAMILIES) * len(LABELS)
    assert one == other


# GPU


def broken_driver() -> None:
    raise pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 1)


def test_without_a_driver_the_cpu_is_used_and_said_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pynvml, "nvmlInit", broken_driver)
    assert not use_cuda("cuda", recipe("xgboost").model)
    assert "no NVIDIA GPU answers" in caplog.text


@pytest.mark.usefixtures("one_gpu")
def test_a_driver_without_a_gpu_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 0)
    assert not use_cuda("cuda", recipe("xgboost").model)


def test_the_cpu_is_used_unless_a_gpu_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pynvml, "nvmlInit", broken_driver)
    assert not use_cuda("cpu", recipe("xgboost").model)
    assert not use_cuda("cuda", recipe("linear").model)  # a family that knows no GPU
    assert caplog.text == ""


@pytest.mark.usefixtures("one_gpu")
def test_a_gpu_that_is_there_and_asked_for_is_used() -> None:
    made = recipe("xgboost")
    assert use_cuda("cuda", made.model)
    for cuda, device in ((True, "cuda"), (False, None)):
        pipeline = Recipe(made.model, made.schema, cuda=cuda).pipeline()
        assert pipeline["estimator"].get_params()["device"] == device


# The stage's own steps


def test_the_task_is_laid_over_the_family_and_named_where_it_fails() -> None:
    content = {
        "model": YAML(typ="safe").load(Path("conf/model/linear.yaml")),
        "overrides": {"C": 0.25},
        "cv": {"folds": 3, "seed": 1},
        "class_weight": "balanced",
        "text": contract_defaults()["text"],
        "device": "cpu",
    }
    made = build_recipe(
        TrainParams.parse(content, "x"), schema(), "conf/task/t.yaml: models.linear"
    )
    assert made.model.arguments["C"] == 0.25
    assert (made.class_weight, made.cuda) == ("balanced", False)
    wrong = TrainParams.parse({**content, "overrides": {"Q": 1}}, "x")
    with pytest.raises(PipelineError, match=r"conf/task/t.yaml: models.linear: Q = 1"):
        build_recipe(wrong, schema(), "conf/task/t.yaml: models.linear")


def test_a_candidate_names_the_libraries_it_was_made_with() -> None:
    made = recipe("xgboost")
    pipeline = fit(made, *table(), rounds=3)
    found = describe_candidate(made, pipeline, 240)
    assert {"scikit-learn", "xgboost", "numpy", "pandas"} <= set(found["libraries"])
    assert "lightgbm" not in found["libraries"]
    assert found["target"] == "xgboost.XGBClassifier"
    assert found["rows"] == 240
    assert found["features"] == pipeline["features"].transform(table()[0]).shape[1]


# Curves


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("name", BOOSTED)
def test_a_boosted_curve_goes_over_the_trees(name: str, kind: str) -> None:
    points = compute_curve(recipe(name, kind), table(kind), table(kind, seed=1), rounds=250)
    steps = [step for step, _, _ in points]
    assert steps == list(range(2, 251, 2))
    assert points[-1][1] < points[0][1]


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize(
    ("name", "objective"),
    [("xgboost", None), ("lightgbm", None), ("xgboost", "reg:absoluteerror"), ("lightgbm", "l1")],
)
def test_every_boosted_curve_has_the_same_loss(name: str, objective: str | None, kind: str) -> None:
    """RMSE or log loss of the trees so far, whatever the fit minimises; computed here anew."""
    changes = {"objective": objective} if objective and kind == "regression" else {}
    made, train, validation = recipe(name, kind, **changes), table(kind), table(kind, seed=1)
    *_, (_, fitted, watched) = compute_curve(made, train, validation, rounds=30)
    pipeline = fit(made, *train, rounds=30)
    for loss, (X, truth) in ((fitted, train), (watched, validation)):
        assert loss == pytest.approx(plain_loss(predict(pipeline, X, schema(kind)), truth), 1e-3)


def plain_loss(predicted: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> float:
    """Return the root of the mean squared error, of classes the log loss."""
    if predicted.ndim == 1:
        return float(np.sqrt(np.mean((predicted - truth) ** 2)))
    return float(-np.mean(np.log(predicted[np.arange(len(truth)), truth])))


@pytest.mark.parametrize("kind", LABELS)
def test_another_curve_goes_over_shares_of_the_rows(kind: str) -> None:
    train, validation = table(kind), table(kind, seed=1)
    made = recipe("linear", kind)
    points = compute_curve(made, train, validation, None)
    assert [step for step, _, _ in points] == [20, 40, 60, 80, 100]
    predicted = predict(fit(made, *train), validation[0], schema(kind))
    assert points[-1][2] == pytest.approx(plain_loss(predicted, validation[1]))


def test_a_share_that_lacks_a_class_is_left_out_of_the_curve() -> None:
    X, y = table()
    y[:] = 0
    y[1:4] = 1
    points = compute_curve(recipe("linear"), (X, y), table(seed=1), None)
    assert points[-1][0] == 100
    assert 20 not in [step for step, _, _ in points]


@pytest.mark.parametrize("name", FAMILIES)
def test_validation_may_lack_a_class(name: str) -> None:
    X, y = table("three classes")
    some = y != 2
    points = compute_curve(recipe(name, "three classes"), (X, y), (X[some], y[some]), 10)
    assert np.isfinite([loss for _, *pair in points for loss in pair]).all()


def test_a_curve_is_written_as_one_table_for_each_part(tmp_path: Path) -> None:
    write_curve(tmp_path, [(1, 0.9, 1.0), (5, 0.5, 0.75)])
    for part, expected in (("train", [0.9, 0.5]), ("validation", [1.0, 0.75])):
        written = pd.read_csv(tmp_path / f"plots/metrics/{part}/loss.tsv", sep="\t")
        assert written["step"].tolist() == [1, 5]
        assert written["loss"].tolist() == expected


def test_a_curve_is_written_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    contents = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        write_curve(folder, [(1, 0.9, 1.0), (5, 0.5, 0.75)])
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        contents.append({path.relative_to(folder): path.read_bytes() for path in files})
    assert contents[0] == contents[1]


def test_no_repository_is_opened_to_write_a_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dvclive.live.get_dvc_repo", lambda: pytest.fail("it was opened"))
    write_curve(tmp_path, [(1, 0.9, 1.0)])
    assert (tmp_path / "metrics.json").exists()


def test_rows_are_the_encoded_matrix_and_target() -> None:
    frame = pd.DataFrame(
        {
            "a": [0.5], "b": pd.array([3], dtype="Int64"), "c": pd.Series(["y"], dtype="str"),
            "_target": pd.Series(["ill"], dtype="str"),
        }
    )  # fmt: skip
    X, y = encode_rows(frame, schema())
    assert (X.tolist(), y.tolist()) == ([[0.5, 3.0, 1.0]], [1])


def test_a_forest_fitted_with_threads_predicts_the_same_bits_each_time() -> None:
    """Threads add trees in the order in which they finish, and floating point minds the order."""
    X, y = table("regression")
    pipeline = fit(recipe("forest", "regression", n_estimators=200, n_jobs=4), X, y)
    answers = [predict(pipeline, X, schema("regression")).tobytes() for _ in range(20)]
    assert len(set(answers)) == 1
