"""Every family is trained, stopped early, weighed and drawn on texts as on numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from sklearn.metrics import roc_auc_score

from stages.contract.cross_validation import CrossValidation
from stages.shared.errors import PipelineError
from stages.shared.model import Model
from stages.shared.predicting import predict
from stages.training.crossval import predict_out_of_fold
from stages.training.curves import compute_curve
from stages.training.fitting import Recipe, fit, fit_stopping_early
from tests.support.text_fixtures import FEATURES, ONE_TEXT, SCHEMA, matrix

FAMILIES = [path.stem for path in sorted(Path("conf/model").glob("*.yaml"))]
BOOSTED = ["lightgbm", "xgboost"]
CV = CrossValidation(folds=3, repeats=1, seed=7)
COLUMNS = {"mixed": [0, 1, 2, 3], "text alone": [1]}


def recipe(name: str, columns: str = "mixed", weight: str | None = None) -> Recipe:
    content = YAML(typ="safe").load(Path(f"conf/model/{name}.yaml"))
    small: dict[str, Any] = {} if name == "linear" else {"n_estimators": 30, "n_jobs": 1}
    if name in BOOSTED:
        small |= {"learning_rate": 0.3, "_early_stopping_": {"rounds": 10, "fraction": 0.2}}
    schema = SCHEMA if columns == "mixed" else ONE_TEXT
    model = Model.parse(content, name).with_overrides("classification", small, name)
    return Recipe(model, schema, weight, text=FEATURES)


def table(columns: str = "mixed", rows: int = 150, seed: int = 0) -> tuple[Any, Any]:
    X, y = matrix(rows, seed)
    return X[:, COLUMNS[columns]], y


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_learns_from_texts(name: str, columns: str) -> None:
    X, y = table(columns, rows=300)
    found, rounds = predict_out_of_fold(recipe(name, columns), X, y, CV)
    assert roc_auc_score(y, found["p_1"]) > 0.75
    assert len(rounds) == (CV.folds if name in BOOSTED else 0)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_a_curve(name: str) -> None:
    made = recipe(name)
    points = compute_curve(made, table(seed=1), table(rows=60, seed=2), rounds=12)
    assert points[-1][0] == (12 if name in BOOSTED else 100)
    assert points[-1][1] < points[0][1] or points[-1][2] < points[0][2]


@pytest.mark.parametrize("name", FAMILIES)
def test_weights_raise_the_rare_class(name: str) -> None:
    X, y = table(rows=200)
    kept = np.flatnonzero((y == 0) | (np.arange(len(y)) % 5 == 0))
    plain, balanced = (
        fit_stopping_early(recipe(name, weight=weight), X[kept], y[kept], seed=1)[0]
        for weight in (None, "balanced")
    )
    new, _ = table(rows=100, seed=5)
    raised = predict(balanced, new, SCHEMA)[:, 1].mean()
    assert raised > predict(plain, new, SCHEMA)[:, 1].mean()


def test_a_family_takes_as_many_features_as_it_says() -> None:
    content = YAML(typ="safe").load(Path("conf/model/linear.yaml"))
    model = Model.parse(content, "x").with_overrides("classification", {"_text_features_": 50}, "x")
    pipeline = fit(Recipe(model, ONE_TEXT, text=FEATURES), *table("text alone"))
    words, characters = pipeline["features"].vectorizers_[0]
    assert len(words.vocabulary_) == len(characters.vocabulary_) == 50


def test_texts_without_a_word_on_features_are_refused() -> None:
    made = recipe("linear")
    with pytest.raises(PipelineError, match="`text` in conf/task is empty"):
        Recipe(made.model, made.schema).featurizer()
