"""Scores every shipped model on the published tables: ``python -m benchmarks.quality``.

Heart (Cleveland): ROC AUC, stratified 5 folds, 5 times over, seed 42. Housing: RMSE and R2, 5
shuffled folds, seed 42, and again with folds that keep 1-degree cells of the map together, because
neighbours on both sides of a random split flatter. In each fold a model is fitted as `train` fits
its final one: trees counted by early stopping on a part of the fold's own rows, then all of them.

Needs the published files: ``DATA_MIRROR`` may name a folder or URL that has them.
"""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import r2_score, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import GroupKFold, KFold, RepeatedStratifiedKFold

from stages.composing import config
from stages.fetch import main as fetch
from stages.prepare import STAGE as PREPARE
from stages.prepare import PrepareParams, build_schema, cast_table, raw_columns
from stages.preparing.parsing import read_raw
from stages.runner import declare
from stages.shared.features import encode, encode_target
from stages.shared.predicting import predict
from stages.train import STAGE as TRAIN
from stages.training.fitting import Recipe, fit, fit_stopping_early, scale_rounds
from stages.training.recipe import build_recipe

Array = np.ndarray[Any, np.dtype[Any]]
Score = Callable[[Array, Array], float]
SEED = 42


def main() -> None:
    """Print one line for each task and model."""
    params_file = config.read_yaml(config.compose_params(["source=published"]))
    declare.read_params = lambda *_: params_file  # type: ignore[assignment]  # what every stage then loads
    for task in sys.argv[1:] or ["heart", "housing"]:
        table, params = published(task)
        for model in params_file["task"][task]["models"]:
            recipe = build_recipe(TRAIN.load(task=task, model=model), build_schema(params), model)
            report(task, model, table, recipe)


def published(task: str) -> tuple[pd.DataFrame, PrepareParams]:
    """Fetch, parse and type a published table; splits play no part here."""
    fetch(task)
    params = PREPARE.load(task=task)
    return cast_table(read_raw(params.origin, raw_columns(params), task), params)[0], params


def report(task: str, model: str, table: pd.DataFrame, recipe: Recipe) -> None:
    X, y = encode(table, recipe.schema), encode_target(table, recipe.schema)
    for protocol, folds, scores in protocols(table, y, recipe):
        found: dict[str, list[float]] = {name: [] for name in scores}
        for fitted, held in folds:
            predicted = predict(final_fit(recipe, X[fitted], y[fitted]), X[held], recipe.schema)
            for name, score in scores.items():
                found[name].append(score(y[held], predicted.reshape(len(held), -1)[:, -1]))
        shown = "  ".join(f"{n} {np.mean(v):,.4f} (sd {np.std(v):,.4f})" for n, v in found.items())
        print(f"{task:8} {model:9} {protocol:28} {shown}", flush=True)


def final_fit(recipe: Recipe, X: Array, y: Array) -> Any:
    """Fit as `train` does for the model that it keeps."""
    pipeline, used = fit_stopping_early(recipe, X, y, SEED)
    stopping = recipe.model.early_stopping
    if used is None or stopping is None:
        return pipeline
    return fit(recipe, X, y, rounds=scale_rounds([used], stopping.fraction))


def protocols(
    table: pd.DataFrame, y: Array, recipe: Recipe
) -> Iterable[tuple[str, Any, dict[str, Score]]]:
    if recipe.schema.problem == "classification":
        folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=5, random_state=SEED)
        return [("5 x 5 stratified", folds.split(table, y), {"ROC AUC": roc_auc_score})]
    scores = {"RMSE": root_mean_squared_error, "R2": r2_score}
    cells = table["latitude"].floordiv(1).astype(str) + table["longitude"].floordiv(1).astype(str)
    random = KFold(5, shuffle=True, random_state=SEED).split(table)
    grouped = GroupKFold(5).split(table, groups=cells)
    return [("5 shuffled", random, scores), ("5, grouped by 1-degree cell", grouped, scores)]


if __name__ == "__main__":
    main()
