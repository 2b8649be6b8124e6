"""Builds a pipeline from a model's YAML and fits it, with early stopping where that is declared."""

import inspect
import logging
import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight

from stages.contract.text_features import TextFeatures
from stages.shared.errors import PipelineError
from stages.shared.features import Featurizer
from stages.shared.folds import hold_out
from stages.shared.model import Model, records_losses
from stages.shared.schema import Schema
from stages.shared.text_features import TextFeaturizer

Array = np.ndarray[Any, np.dtype[Any]]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """All that decides what is fitted, but for the rows."""

    model: Model
    schema: Schema
    class_weight: str | None = None
    cuda: bool = False
    text: TextFeatures | None = None  # needed where the schema has texts

    def pipeline(self, rounds: int | None = None) -> Pipeline:
        """Return an unfitted pipeline over the encoded matrix, with ``rounds`` trees if given."""
        arguments = {**self.model.arguments, **self.model.extra}
        if self.cuda:
            arguments |= self.model.cuda
        if rounds:
            arguments["n_estimators"] = rounds
        # A pickle shows which equal strings are one object: make that no matter of chance.
        named = {sys.intern(name): value for name, value in arguments.items()}
        estimator = self.model.estimator_class(self.schema.problem)(**named)
        return Pipeline([("features", self.featurizer()), ("estimator", estimator)])

    def featurizer(self) -> Featurizer:
        """Return what makes features of the schema's columns, unfitted."""
        if not self.schema.has_text:
            return Featurizer(self.schema, scale=self.model.scale)
        if self.text is None:
            raise PipelineError("there is a text column, but `text` in conf/task is empty")
        most = self.model.text_features
        return TextFeaturizer(self.schema, self.text, scale=self.model.scale, most=most)

    def weights(self, y: Array) -> Array | None:
        """Return the weight of each row of ``y`` (n), or None where all count the same.

        Balanced ones are n / (classes x rows of the class), as scikit-learn has them (King and
        Zeng 2001).
        """
        return compute_sample_weight(self.class_weight, y) if self.class_weight else None


def fit(recipe: Recipe, X: Array, y: Array, rounds: int | None = None) -> Pipeline:
    """Return the pipeline fitted on the encoded matrix ``X`` (rows by columns) and target ``y``."""
    pipeline = recipe.pipeline(rounds)
    weights = recipe.weights(y)
    pipeline.fit(X, y, **({} if weights is None else {"estimator__sample_weight": weights}))
    _predict_in_order(pipeline["estimator"])
    return pipeline


def _predict_in_order(estimator: Any) -> None:
    """Let scikit-learn's ensembles predict with one thread, whatever number they were fitted with.

    Their threads add the trees' answers as they finish: the last bits would differ between runs.
    """
    if estimator.get_params().get("n_jobs") and not is_boosted(estimator):
        estimator.set_params(n_jobs=1)


def fit_stopping_early(
    recipe: Recipe, X: Array, y: Array, seed: int, groups: Array | None = None
) -> tuple[Pipeline, int | None]:
    """Fit on most rows, stop by the others; return the pipeline and how many trees it uses.

    The rows that stop the fit are held out of ``X`` itself, so that a cross-validated score never
    sees the fold it is computed on; rows of one of the ``groups`` are not in both parts. Without
    early stopping all rows are fitted and None returned.
    """
    stopping = recipe.model.early_stopping
    if stopping is None:
        return fit(recipe, X, y), None
    is_classification = recipe.schema.problem == "classification"
    try:
        fitted, held = hold_out(y, stopping.fraction, seed, is_classification, groups)
    except ValueError as error:
        raise PipelineError(f"_early_stopping_ with {len(y)} rows to fit: {error}") from error
    pipeline = fit_watched(recipe, (X[fitted], y[fitted]), (X[held], y[held]), stopping.rounds)
    return pipeline, find_best_round(pipeline["estimator"])


def fit_watched(
    recipe: Recipe,
    fitted: tuple[Array, Array],
    watched: tuple[Array, Array],
    patience: int | None = None,
    rounds: int | None = None,
) -> Pipeline:
    """Fit while recording the loss on ``fitted`` and ``watched`` after each round."""
    pipeline = recipe.pipeline(rounds)
    features, estimator = pipeline["features"].fit(*fitted), pipeline["estimator"]
    if patience:
        estimator.set_params(early_stopping_rounds=patience)
    pairs = [(features.transform(X), y) for X, y in (fitted, watched)]
    watch = _build_watch_arguments(estimator, pairs[1:] if patience else pairs)
    estimator.fit(*pairs[0], sample_weight=recipe.weights(fitted[1]), **watch)
    return pipeline


def _build_watch_arguments(estimator: Any, pairs: list[tuple[Array, Array]]) -> dict[str, Any]:
    """Return ``fit``'s arguments for rows to watch, which XGBoost and LightGBM name differently."""
    known = inspect.signature(estimator.fit).parameters
    if "eval_X" in known:
        return {"eval_X": tuple(X for X, _ in pairs), "eval_y": tuple(y for _, y in pairs)}
    return {"eval_set": pairs, **({"verbose": False} if "verbose" in known else {})}


def find_best_round(estimator: Any) -> int:
    """Return how many trees predict best (XGBoost counts from zero, LightGBM from one)."""
    if hasattr(estimator, "best_iteration_"):
        return int(estimator.best_iteration_)
    return int(estimator.best_iteration) + 1


def is_boosted(estimator: Any) -> bool:
    """Whether the estimator records a loss after each round."""
    return records_losses(type(estimator))


def read_losses(estimator: Any) -> list[list[float]]:
    """Return the loss after each round, one list per watched set."""
    found = getattr(estimator, "evals_result_", None) or estimator.evals_result()
    return [next(iter(metrics.values())) for metrics in found.values()]


def scale_rounds(found: list[int], fraction: float) -> int:
    """Return the trees for a fit on all rows: more rows carry proportionally more trees."""
    return max(1, math.ceil(float(np.median(found)) / (1 - fraction)))


def has_cuda() -> bool:
    """Whether an NVIDIA driver answers and shows a GPU."""
    import pynvml

    try:
        pynvml.nvmlInit()
        return bool(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return False


def use_cuda(device: str, model: Model) -> bool:
    """Whether to fit on a GPU: asked for, known to the family, and present."""
    if device != "cuda" or not model.cuda:
        return False
    present = has_cuda()
    if not present:
        log.warning("device is cuda, but no NVIDIA GPU answers: fitting on the CPU")
    return present
