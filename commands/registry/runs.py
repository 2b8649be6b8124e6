"""Logs each candidate of an evaluation as an MLflow run, the champion's with its model."""

import csv
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.registry import artifact, pictures
from commands.registry.audit_log import hash_content
from commands.registry.store import CONTENT, Registry
from commands.workspace.provenance import Workspace
from serve.runtime.manifest import Manifest
from stages.evaluating.content import Candidate, Evaluation
from stages.exporting.publishing import CARD
from stages.runner.declare import lookup, read_params
from stages.shared.errors import PipelineError
from stages.shared.loading import load_pipeline
from stages.shared.storage import sha256

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run
    from mlflow.entities.model_registry import ModelVersion

AT_ONCE = 100  # params that MLflow takes in one request; of metrics it takes more
LONGEST = 500  # characters of a param's value, which every database holds


@dataclass(frozen=True)
class TaskResults:
    """What is to be registered of a task, as the pipeline has left it."""

    task: str
    evaluated: Evaluation
    manifest: Manifest
    content: str
    workspace: Workspace

    @property
    def model(self) -> Path:
        return Path("models", self.task)

    def folder(self, candidate: Candidate) -> Path:
        return Path("data/candidates", self.task, candidate.model)

    def is_champion(self, candidate: Candidate) -> bool:
        return candidate.model == self.evaluated.champion

    def tags(self) -> dict[str, str]:
        """Return what says where all of it came from."""
        splits = self.manifest.hashes.data
        return {
            **self.workspace.tags(),
            "task": self.task,
            **{f"data.{split}.sha256": value for split, value in splits.items()},
        }

    def identity(self, candidate: Candidate) -> str:
        """Return a hash of all that a candidate's run holds: equal content is one run."""
        folder = self.folder(candidate)
        parts = {name: sha256(folder / name) for name in ("candidate.json", "model.joblib")}
        parts["evaluation"] = sha256(Path("data/evaluated", self.task, "evaluation.json"))
        parts["model"] = self.content if self.is_champion(candidate) else ""
        return hash_content(parts)


def log_all(registry: Registry, found: TaskResults) -> "ModelVersion":
    """Log what is not logged yet; return the version of the model, made where there is none.

    A run that was cut off is taken up again, so that nothing is there twice.
    """
    experiment = registry.experiment(found.task)
    for candidate in found.evaluated.candidates:
        _log_run(registry, experiment, found, candidate)
    version = registry.find_version(found.task, found.content)
    if version is None:
        raise PipelineError(
            f"{registry.address} does not show the version that it has just made of {found.task}: "
            "run the same command again"
        )
    return version


def _log_run(registry: Registry, experiment: str, found: TaskResults, candidate: Candidate) -> None:
    import mlflow

    content = found.identity(candidate)
    run = registry.run(experiment, content)
    is_whole = run is not None and run.info.status == "FINISHED"
    if is_whole and (not found.is_champion(candidate) or _is_registered(registry, found)):
        return
    tags = {**found.tags(), CONTENT: content, "model": candidate.model}
    with mlflow.start_run(
        run_id=run.info.run_id if run else None,
        experiment_id=experiment,
        run_name=candidate.model,
        tags=tags,
    ) as started:
        _log_numbers(registry, started, found, candidate)
        _log_files(found, candidate)
        if found.is_champion(candidate) and not _is_registered(registry, found):
            _log_model(registry, started, found)


def _is_registered(registry: Registry, found: TaskResults) -> bool:
    return registry.find_version(found.task, found.content) is not None


def _log_numbers(registry: Registry, run: "Run", found: TaskResults, candidate: Candidate) -> None:
    """Log params and metrics; all have the run's time, so that a second time changes nothing."""
    from mlflow.entities import Param

    params = [Param(key, value) for key, value in read_used_params(found, candidate).items()]
    for start in range(0, len(params), AT_ONCE):
        registry.client.log_batch(run.info.run_id, params=params[start : start + AT_ONCE])
    metrics = [*_metrics(run.info.start_time, found, candidate)]
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


def _metrics(time: int, found: TaskResults, candidate: Candidate) -> Iterator["Metric"]:
    from mlflow.entities import Metric

    for name, step, value in _points(found, candidate):
        if value is not None:
            yield Metric(name, value, time, step)


def _points(found: TaskResults, candidate: Candidate) -> Iterator[tuple[str, int, float | None]]:
    """Yield name, step and value: the cross-validated score, the curves, and of the test all."""
    metric = found.evaluated.metric
    yield f"cv.{metric}", 0, candidate.mean
    yield f"cv.{metric}.standard_error", 0, candidate.standard_error
    for split in ("train", "validation"):
        path = found.folder(candidate) / f"curves/plots/metrics/{split}/loss.tsv"
        with path.open(encoding="utf-8", newline="") as file:
            for point in csv.DictReader(file, delimiter="\t"):
                yield f"{split}.loss", int(point["step"]), float(point["loss"])
    if found.is_champion(candidate):
        for name, score in found.evaluated.test.metrics.items():
            yield f"test.{name}", 0, score.value
            for part in ("low", "high", "baseline"):
                yield f"test.{name}.{part}", 0, getattr(score, part)


def _log_files(found: TaskResults, candidate: Candidate) -> None:
    import mlflow

    folder = found.folder(candidate)
    mlflow.log_artifact(str(folder / "candidate.json"))
    if not found.is_champion(candidate):
        return
    evaluated = Path("data/evaluated", found.task)
    with tempfile.TemporaryDirectory() as made:
        for name in ("evaluation.json", "metrics.json", "results.md"):
            shutil.copyfile(evaluated / name, Path(made, name))
        shutil.copyfile(found.model / CARD, Path(made, "card.md"))
        plots = Path(made, "plots")
        shutil.copytree(evaluated / "plots", plots)
        pictures.draw(evaluated / "plots", plots)
        mlflow.log_artifacts(made)


def _log_model(registry: Registry, run: "Run", found: TaskResults) -> None:
    """Upload the packed model, then make the version: without the one there is not the other."""
    import mlflow

    tags = {CONTENT: found.content, "model.version": found.manifest.version, **found.tags()}
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder, "model")
        artifact.pack(found.model, found.manifest, packed)
        mlflow.log_artifacts(str(packed), "model")
    source = f"{run.info.artifact_uri}/model"
    registry.create_version(found.task, source, run.info.run_id, tags)
