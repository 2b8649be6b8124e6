"""The cross-validated score that a search improves: the one by which `evaluate` compares models."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.contract.cross_validation import CrossValidation
from stages.evaluating.metrics import DecisionRule, Metric, Rows
from stages.shared.folds import make_folds, take_groups
from stages.shared.predicting import predict
from stages.training.fitting import Recipe, fit_stopping_early

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Objective:
    """The rows to learn from (``X`` encoded, n x columns; ``y``, n), and how they are scored."""

    X: Array
    y: Array
    groups: Array | None
    cv: CrossValidation
    metric: Metric
    rule: DecisionRule

    def score_folds(self, recipe: Recipe) -> Iterator[float]:
        """Yield the metric on each fold of each repeat, as soon as it is known."""
        for repeat in range(self.cv.repeats):
            dealt = make_folds(recipe.schema, self.y, self.cv, repeat, self.groups)
            for fitted, held in dealt:
                known = self.X[fitted], self.y[fitted], self.cv.seed + repeat
                pipeline, _ = fit_stopping_early(recipe, *known, take_groups(self.groups, fitted))
                answers = predict(pipeline, self.X[held], recipe.schema)
                yield self.metric.of(Rows(self.y[held], answers, self.rule))
