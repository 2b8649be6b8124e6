"""Logs each candidate of an evaluation as an MLflow run, the champion's with its model."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from commands.registry import pictures
from commands.registry.datasets import Table, log_datasets
from commands.registry.descriptions import describe_experiment, describe_run, describe_version
from commands.registry.logged_models import (
    find_model,
    find_or_create_model,
    link_version,
    publish_model,
)
from commands.registry.numbers import log_numbers
from commands.registry.provenance import update_provenance
from commands.registry.results import TaskResults
from commands.registry.store import CONTENT, Registry
from stages.evaluating.content import Candidate
from stages.exporting.publishing import CARD
from stages.shared.errors import PipelineError

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion


def log_all(registry: Registry, found: TaskResults) -> "ModelVersion":
    """Log what is not logged yet; return the version of the model, made where there is none.

    A run that was cut off is taken up again, so that nothing is there twice.
    """
    experiment = registry.experiment(found.task)
    describe_experiment(registry, experiment, found)
    for candidate in found.evaluated.candidates:
        _log_run(registry, experiment, found, candidate)
    version = registry.find_version(found.task, found.content)
    if version is None:
        raise PipelineError(
            f"{registry.address} does not show the version that it has just made of {found.task}: "
            "run the same command again"
        )
    describe_version(registry, version, found)
    if model := find_model(registry, experiment, found):
        link_version(registry, model, version)
    update_provenance(registry, experiment, version, found)
    return version


def _log_run(registry: Registry, experiment: str, found: TaskResults, candidate: Candidate) -> None:
    import mlflow

    content = found.identity(candidate)
    run = registry.run(experiment, content)
    if run is not None and _is_whole(registry, run, found, candidate):
        return
    tags = {
        **found.tags(),
        **describe_run(found, candidate),
        CONTENT: content,
        "model": candidate.model,
    }
    with mlflow.start_run(
        run_id=run.info.run_id if run else None,
        experiment_id=experiment,
        run_name=candidate.model,
        tags=tags,
    ) as started:
        tables = log_datasets(registry, started, found, candidate)
        if found.is_champion(candidate):
            _log_champion(registry, started, found, candidate, tables)
        else:
            log_numbers(registry, started, found, candidate, tables, None)
            _log_candidate_file(found, candidate)


def _is_whole(registry: Registry, run: "Run", found: TaskResults, candidate: Candidate) -> bool:
    """Say whether nothing is left to log of a run."""
    is_registered = registry.find_version(found.task, found.content) is not None
    return run.info.status == "FINISHED" and (is_registered or not found.is_champion(candidate))


def _log_champion(
    registry: Registry,
    run: "Run",
    found: TaskResults,
    candidate: Candidate,
    tables: dict[str, Table],
) -> None:
    """Log the run with everything that is known of its model, then make the version."""
    model = find_or_create_model(registry, run, found)
    log_numbers(registry, run, found, candidate, tables, model.model_id)
    _log_candidate_file(found, candidate)
    _log_evaluation(found)
    if registry.find_version(found.task, found.content) is None:
        publish_model(registry, run, model, found)


def _log_candidate_file(found: TaskResults, candidate: Candidate) -> None:
    import mlflow

    mlflow.log_artifact(str(found.folder(candidate) / "candidate.json"))


def _log_evaluation(found: TaskResults) -> None:
    import mlflow

    evaluated = Path("data/evaluated", found.task)
    with tempfile.TemporaryDirectory() as made:
        for name in ("evaluation.json", "metrics.json", "results.md"):
            shutil.copyfile(evaluated / name, Path(made, name))
        shutil.copyfile(found.model / CARD, Path(made, "card.md"))
        plots = Path(made, "plots")
        shutil.copytree(evaluated / "plots", plots)
        pictures.draw(evaluated / "plots", plots)
        mlflow.log_artifacts(made)
