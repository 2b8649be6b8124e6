"""Writes what the server needs to say how much each column added to an answer.

For linear models and ensembles of trees that is exact; any other model goes without.
"""

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from serve.runtime.attribution import Attribution, apply_link
from serve.runtime.manifest import Link, Method
from stages.exporting.estimators import LINEAR
from stages.exporting.graph import INPUT, add_features, count_inputs, count_text_inputs
from stages.exporting.onnx_builder import Array, Builder
from stages.exporting.parity import Exported, list_alterations
from stages.exporting.paths import find_paths
from stages.exporting.trees import Ensemble, read_ensemble
from stages.shared.errors import PipelineError
from stages.shared.features import Featurizer
from stages.shared.schema import Schema

log = logging.getLogger(__name__)
FEATURES = "features"
MOST_STEPS = 8_000_000  # on the paths of all trees: more take seconds a row and 200 MB to explain
CHECKED = 10  # rows of each alteration
TOLERANCE = 1e-5  # relative, of a value: XGBoost adds up to thousands of float32


@dataclass(frozen=True)
class Explained:
    """The content of the file, and how its scores become the answer."""

    content: bytes
    method: Method
    link: Link


def explain(pipeline: Pipeline, X: Array) -> Explained | None:
    """Return the explanations of a fitted pipeline; ``X`` is the encoded table it was fitted on.

    None for a model that has no exact ones, which is logged. The same pipeline gives the same
    bytes.
    """
    featurizer, estimator = pipeline["features"], pipeline["estimator"]
    arrays, link = None, find_linear_link(estimator)
    if link:
        arrays = _collect_linear(estimator, featurizer.transform(X))
    elif ensemble := _read_ensemble(estimator, featurizer.schema):
        arrays, link = _collect_trees(ensemble), ensemble.link
    if arrays is None or link is None:
        log.warning("%s has no exact explanations: it goes without", type(estimator).__name__)
        return None
    method: Method = "linear" if "weights" in arrays else "trees"
    return Explained(_serialise({**arrays, **_collect_features(featurizer)}), method, link)


def find_linear_link(estimator: Any) -> Link | None:
    if not isinstance(estimator, LINEAR):
        return None
    if not hasattr(estimator, "classes_"):
        return "identity"
    return "logit" if len(estimator.coef_) == 1 else "softmax"


def _read_ensemble(estimator: Any, schema: Schema) -> Ensemble | None:
    """Return the trees, if they can be told apart by thresholds alone."""
    # Beside texts XGBoost takes 0 as missing, and sends it to either side of a threshold.
    sends_zero_anywhere = schema.has_text and type(estimator).__module__.startswith("xgboost")
    return None if sends_zero_anywhere else read_ensemble(estimator)


def _collect_linear(estimator: Any, features: Any) -> Mapping[str, Array]:
    """Return weights and the mean row; the base is the score of that row."""
    weights = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    mean = np.asarray(features.mean(axis=0, dtype=np.float64)).ravel()
    return {"weights": weights, "mean": mean, "base": weights @ mean + estimator.intercept_}


def _collect_trees(ensemble: Ensemble) -> Mapping[str, Array] | None:
    """Return the paths to all leaves; the base is the score where no feature is known."""
    groups, single = find_paths(ensemble.trees)
    if sum(paths.feature.size for paths in groups) > MOST_STEPS:
        return None
    base = ensemble.start + single
    arrays = {"lengths": np.array([len(paths.feature) for paths in groups], dtype=np.int32)}
    for length, paths in zip(arrays["lengths"], groups, strict=True):
        base = base + paths.share.prod(axis=0) @ paths.value
        arrays |= {f"{name}_{length}": part for name, part in vars(paths).items()}
    return {**arrays, "base": base}


def _collect_features(featurizer: Featurizer) -> Mapping[str, Array]:
    """Return the graph from an encoded row to the features, and the part each feature is of."""
    builder = Builder(INPUT, count_inputs(featurizer))
    parts = map_features(featurizer)
    features = add_features(builder, featurizer).double(builder)
    graph = builder.finish(features, FEATURES, len(parts))
    return {"graph": np.frombuffer(graph, dtype=np.uint8), "part": parts}


def map_features(featurizer: Featurizer) -> Array:
    """Return for each feature the column that it was made of, or after those the derived number."""
    schema = featurizer.schema
    columns = list(enumerate(schema.fields))
    numbers = [i for i, field in columns if field.type not in ("category", "text")]
    numbers += range(len(columns), len(columns) + len(schema.derived))
    flags = [numbers[i] for i in featurizer.flagged_]
    one_hot = [i for i, field in columns if field.type == "category" for _ in field.values]
    texts = [i for i, field in columns if field.type == "text"]
    n_grams = np.repeat(texts, count_text_inputs(featurizer)).astype(np.int32)
    return np.array([*numbers, *flags, *one_hot, *n_grams], dtype=np.int32)


def _serialise(arrays: Mapping[str, Array]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def check_explanation(explained: Explained, exported: Exported, schema: Schema, X: Array) -> None:
    """Raise PipelineError unless the explained scores of rows of ``X`` give the model's answers.

    Rows are taken from all over the table, as they are and with each column missing or unseen.
    """
    attribution = Attribution(explained.content, len(schema.fields) + len(schema.derived))
    graph = Exported(attribution.graph, exported.featurizer)
    for alteration in list_alterations(X, schema.fields):
        spread = np.unique(np.linspace(0, len(alteration.rows) - 1, CHECKED).astype(int))
        for row in alteration.apply(X, alteration.rows[spread]):
            base, added = attribution.explain(graph.predict(row[None])[0])
            found = apply_link(base + added.sum(axis=1), explained.link, bool(schema.labels))
            _compare(np.array(found), exported.predict(row[None]).ravel(), alteration.text)


def _compare(explained: Array, answered: Array, text: str) -> None:
    if not np.allclose(explained, answered, rtol=TOLERANCE, atol=TOLERANCE / 10):
        raise PipelineError(
            f"the explanation of a row{text} sums to {explained.tolist()}, the model answers "
            f"{answered.tolist()}: take its family out of `models` in conf/task"
        )
