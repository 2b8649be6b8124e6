"""Training curves for ``dvc plots``: the loss after each round, or with each share of the rows."""

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.metrics import log_loss, root_mean_squared_error

from stages.shared.curves import Curve
from stages.shared.predicting import predict
from stages.training.fitting import Recipe, fit, fit_watched, is_boosted, read_losses

Array = np.ndarray[Any, np.dtype[Any]]
Rows = tuple[Array, Array]
POINTS = 100  # at most so many points: a curve needs no more, and each is a write
SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)
# The argument that says what is recorded, and its name for RMSE, log loss of two classes, of more.
RECORDED = {
    "xgboost": ("eval_metric", ("rmse", "logloss", "mlogloss")),
    "lightgbm": ("metric", ("rmse", "binary_logloss", "multi_logloss")),
}


def compute_curve(recipe: Recipe, train: Rows, validation: Rows, rounds: int | None) -> Curve:
    """Return the losses of a fit on ``train`` alone: over its trees, or over shares of its rows.

    The loss is log loss for classes and the root of the mean squared error for numbers. A step is
    a number of trees for boosted models, else a percentage of the training rows.
    """
    if is_boosted(recipe.pipeline()["estimator"]):
        return _compute_over_rounds(recipe, train, validation, rounds)
    parts = [(share, _take_share(train, share)) for share in SHARES]
    complete = [(share, part) for share, part in parts if _has_every_class(recipe, part[1])]
    return [
        (round(100 * share), *_fit_and_score(recipe, part, validation)) for share, part in complete
    ]


def _compute_over_rounds(
    recipe: Recipe, train: Rows, validation: Rows, rounds: int | None
) -> Curve:
    pipeline = fit_watched(_record_loss(recipe), train, validation, rounds=rounds)
    found = list(zip(*read_losses(pipeline["estimator"]), strict=True))
    every = max(1, len(found) // POINTS)
    return [(step + 1, *found[step]) for step in range(every - 1, len(found), every)]


def _record_loss(recipe: Recipe) -> Recipe:
    """Let a boosted model record RMSE or log loss, whatever its objective and its library's habit.

    LightGBM would record squared errors, and a model fitted by absolute errors those. The fit
    itself does not depend on what is recorded, as long as nothing stops it early.
    """
    if recipe.model.package not in RECORDED:
        return recipe
    argument, names = RECORDED[recipe.model.package]
    classes = len(recipe.schema.labels)  # none for values
    extra = {**recipe.model.extra, argument: names[(classes > 0) + (classes > 2)]}
    return replace(recipe, model=recipe.model.model_copy(update={"extra": extra}))


def _take_share(rows: Rows, share: float) -> Rows:
    """Take rows evenly: they stand in the order of the raw table, which may be sorted."""
    count = max(2, round(share * len(rows[1])))
    kept = np.linspace(0, len(rows[1]) - 1, count).astype(np.int64)
    return rows[0][kept], rows[1][kept]


def _has_every_class(recipe: Recipe, y: Array) -> bool:
    return not set(range(len(recipe.schema.labels))) - set(y)


def _fit_and_score(recipe: Recipe, train: Rows, validation: Rows) -> tuple[float, float]:
    pipeline = fit(recipe, *train)
    return _compute_loss(recipe, pipeline, train), _compute_loss(recipe, pipeline, validation)


def _compute_loss(recipe: Recipe, pipeline: Any, rows: Rows) -> float:
    predicted = predict(pipeline, rows[0], recipe.schema)
    if recipe.schema.problem == "regression":
        return float(root_mean_squared_error(rows[1], predicted))
    return float(log_loss(rows[1], predicted, labels=range(len(recipe.schema.labels))))
