"""Logs what a run was set by and what it scored: params, curves by step, metrics by dataset."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from commands.registry.datasets import Table
from commands.registry.results import TaskResults
from commands.registry.store import Registry
from stages.evaluating.content import Candidate
from stages.runner.declare import lookup, read_params
from stages.shared.loading import load_pipeline

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run

AT_ONCE = 100  # params that MLflow takes in one request; of metrics it takes more
LONGEST = 500  # characters of a param's value, which every database holds


@dataclass(frozen=True)
class Point:
    """A metric's value at a step, and the table that it was measured on."""

    name: str
    step: int
    value: float
    table: Table


def log_numbers(
    registry: Registry,
    run: "Run",
    found: TaskResults,
    candidate: Candidate,
    tables: Mapping[str, Table],
    model_id: str | None,
) -> None:
    """Log params and metrics; all have the run's time, so that a second time changes nothing.

    ``tables`` are the run's datasets by split; ``model_id`` is the logged model that the metrics
    are about, where there is one.
    """
    from mlflow.entities import Param

    params = [Param(key, value) for key, value in read_used_params(found, candidate).items()]
    for start in range(0, len(params), AT_ONCE):
        registry.client.log_batch(run.info.run_id, params=params[start : start + AT_ONCE])
    metrics = [_to_metric(point, run, model_id) for point in _points(found, candidate, tables)]
    registry.client.log_batch(run.info.run_id, metrics=metrics)


def read_used_params(found: TaskResults, candidate: Candidate) -> dict[str, str]:
    """Return the fitted estimator's own parameters, and what else the fit was set by.

    The estimator's are read from the fitted object: they are those used, defaults included.
    """
    content, task = read_params(), f"task.{found.task}"
    keys = (f"{task}.source", f"{task}.class_weight", f"{task}.split", f"{task}.cv", "device")
    declared = {key.removeprefix(f"{task}."): lookup(content, key) for key in keys}
    pipeline = load_pipeline(found.folder(candidate) / "model.joblib")
    if hasattr(pipeline, "named_steps"):
        declared["estimator"] = pipeline["estimator"].get_params()
    else:  # a fine-tuned encoder is no estimator of scikit-learn's
        declared["encoder"] = lookup(content, f"encoder.{candidate.model}")
        declared["overrides"] = lookup(content, f"{task}.encoders.{candidate.model}")
    trained = candidate.trained
    declared |= {"class": trained.target, "rounds": trained.rounds, "features": trained.features}
    return {key: str(value)[:LONGEST] for key, value in flatten(declared)}


def flatten(content: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield nested values with dotted keys."""
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _to_metric(point: Point, run: "Run", model_id: str | None) -> "Metric":
    from mlflow.entities import Metric

    return Metric(
        point.name,
        point.value,
        run.info.start_time,
        point.step,
        model_id=model_id,
        dataset_name=point.table.name,
        dataset_digest=point.table.digest,
        run_id=run.info.run_id,
    )


def _points(
    found: TaskResults, candidate: Candidate, tables: Mapping[str, Table]
) -> Iterator[Point]:
    """Yield every score that is defined, and the curves by step."""
    for name, value in _scores(found, candidate):
        table = tables["test" if name.startswith("test.") else "train"]
        if value is not None:  # a metric may be undefined
            yield Point(name, 0, value, table)
    for split in ("train", "validation"):
        path = found.folder(candidate) / f"curves/plots/metrics/{split}/loss.tsv"
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                yield Point(f"{split}.loss", int(row["step"]), float(row["loss"]), tables[split])


def _scores(found: TaskResults, candidate: Candidate) -> Iterator[tuple[str, float | None]]:
    metric = found.evaluated.metric
    yield f"cv.{metric}", candidate.mean
    yield f"cv.{metric}.standard_error", candidate.standard_error
    if found.is_champion(candidate):
        for name, score in found.evaluated.test.metrics.items():
            yield f"test.{name}", score.value
            for part in ("low", "high", "baseline"):
                yield f"test.{name}.{part}", getattr(score, part)
