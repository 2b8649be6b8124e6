"""Fits one model family on one task: ``python -m stages.train heart linear``."""

import stages.shared.threads  # noqa: F401 - before the libraries that start threads

# isort: split
from pathlib import Path
from typing import Annotated, Any

import joblib
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from stages.contract.cross_validation import CrossValidation
from stages.runner import imports
from stages.runner.declare import At, Stage
from stages.shared.curves import write_curve
from stages.shared.features import encode, encode_target
from stages.shared.folds import read_groups
from stages.shared.model import Model
from stages.shared.schema import ROW, Schema, read_schema
from stages.shared.storage import atomic, read_frame, write_frame, write_json
from stages.training.crossval import predict_out_of_fold
from stages.training.curves import compute_curve
from stages.training.fitting import Recipe, fit, scale_rounds
from stages.training.recipe import RecipeParams, build_recipe


class TrainParams(RecipeParams):
    """A model family, what the task changes in it, and how it is scored."""

    model: Annotated[Model, At("model.{model}")]
    overrides: Annotated[dict[str, Any] | None, At("task.{task}.models.{model}")]
    cv: Annotated[CrossValidation, At("task.{task}.cv")]


CURVES = "data/candidates/{task}/{model}/curves"
WATCHED = ("train", "validation")
STAGE = Stage(
    verb="train",
    desc="Fit {model} on {task} and predict every row out of fold",
    params=TrainParams,
    over=("task", "model"),
    deps=(
        "data/prepared/{task}/train.parquet",
        "data/prepared/{task}/validation.parquet",
        "data/prepared/{task}/schema.json",
        "data/validated/{task}/verdict",
    ),
    outs=(
        "data/candidates/{task}/{model}/model.joblib",
        "data/candidates/{task}/{model}/out_of_fold.parquet",
        "data/candidates/{task}/{model}/candidate.json",
        CURVES,
    ),
)


def main(task: str, model: str) -> None:
    """Write the fitted pipeline, its out-of-fold predictions, its curves and what it is."""
    params = STAGE.load(task=task, model=model)
    prepared, folder = Path("data/prepared", task), Path("data/candidates", task, model)
    schema = read_schema(prepared)
    train, validation = (read_frame(prepared / f"{part}.parquet") for part in WATCHED)
    recipe = build_recipe(params, schema, f"conf/task/{task}.yaml: models.{model}")
    scored, rounds = predict_rows_out_of_fold(recipe, train, validation, params.cv)
    pipeline = fit(recipe, *encode_rows(pd.concat([train, validation]), schema), rounds=rounds)
    points = compute_curve(
        recipe, encode_rows(train, schema), encode_rows(validation, schema), rounds
    )
    write_frame(folder / "out_of_fold.parquet", scored)
    with atomic(folder / "model.joblib") as file:
        joblib.dump(pipeline, file)
    write_curve(folder / "curves", points)
    facts = {
        "code": imports.hash_code("train"),
        "params": STAGE.fingerprint(task=task, model=model),
    }
    content = {
        "model": model,
        **describe_candidate(recipe, pipeline, len(train) + len(validation)),
        **facts,
    }
    write_json(folder / "candidate.json", content)


def encode_rows(
    frame: pd.DataFrame, schema: Schema
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return encode(frame, schema), encode_target(frame, schema)


def predict_rows_out_of_fold(
    recipe: Recipe, train: pd.DataFrame, validation: pd.DataFrame, cv: CrossValidation
) -> tuple[pd.DataFrame, int | None]:
    """Return out-of-fold predictions with row numbers, and the trees for a fit on all rows."""
    together = pd.concat([train, validation])
    table, found = predict_out_of_fold(
        recipe, *encode_rows(together, recipe.schema), cv, read_groups(together, recipe.schema)
    )
    table.insert(2, ROW, np.tile(together[ROW].to_numpy(), cv.repeats))
    stopping = recipe.model.early_stopping
    return table, scale_rounds(found, stopping.fraction) if stopping else None


def describe_candidate(recipe: Recipe, pipeline: Pipeline, rows: int) -> dict[str, Any]:
    """Return what the candidate is, and on how many ``rows`` it was fitted."""
    model, estimator = recipe.model, pipeline["estimator"]
    return {
        "complexity": model.complexity,
        "target": model.target[recipe.schema.problem],
        "rounds": estimator.n_estimators if model.early_stopping else None,
        "rows": rows,
        "features": int(estimator.n_features_in_),
        "libraries": imports.list_versions(STAGE.verb, model.package),
    }


if __name__ == "__main__":
    STAGE.run(main)
