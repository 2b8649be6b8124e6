"""Makes the exported model an MLflow logged model, linked to its run, its metrics and version."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from commands.registry import artifact
from commands.registry.descriptions import describe_source
from commands.registry.results import TaskResults
from commands.registry.store import CONTENT, Registry

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion

MODEL_VERSIONS = "mlflow.modelVersions"  # which versions a logged model is registered as


def find_model(registry: Registry, experiment: str, found: TaskResults) -> "LoggedModel | None":
    """Return the logged model with this content."""
    known = registry.client.search_logged_models(
        [experiment], f"tags.{CONTENT} = '{found.content}'"
    )
    return known[0] if known else None


def find_or_create_model(registry: Registry, run: "Run", found: TaskResults) -> "LoggedModel":
    """Return the logged model with this content; one that was cut off is taken up again."""
    experiment = run.info.experiment_id
    if known := find_model(registry, experiment, found):
        return known
    return registry.client.create_logged_model(
        experiment,
        name=found.evaluated.champion,
        source_run_id=run.info.run_id,
        tags={
            CONTENT: found.content,
            "model.version": found.manifest.version,
            **found.tags(),
            **describe_source(found),
        },
        params={"estimator": found.manifest.model.estimator, "family": found.manifest.model.family},
        model_type=found.manifest.problem,
    )


def publish_model(registry: Registry, run: "Run", model: "LoggedModel", found: TaskResults) -> None:
    """Upload the packed model, then make the version: without the one there is not the other."""
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder, "model")
        artifact.pack(found.model, found.manifest, packed, model.model_id)
        registry.client.log_model_artifacts(model.model_id, str(packed))
    registry.client.finalize_logged_model(model.model_id, "READY")
    _link_run(registry, run, model)
    tags = {CONTENT: found.content, "model.version": found.manifest.version, **found.tags()}
    registry.create_version(
        found.task, model.artifact_location, run.info.run_id, tags, model.model_id
    )


def _link_run(registry: Registry, run: "Run", model: "LoggedModel") -> None:
    """Say that the run made the model, once: MLflow refuses to be told a second time."""
    from mlflow.entities import LoggedModelOutput

    outputs = registry.client.get_run(run.info.run_id).outputs
    known = outputs.model_outputs if outputs else []
    if model.model_id not in [output.model_id for output in known]:
        link = LoggedModelOutput(model.model_id, step=0)
        registry.client.log_outputs(run.info.run_id, [link])


def link_version(registry: Registry, model: "LoggedModel", version: "ModelVersion") -> None:
    """Say at the logged model which version it is registered as, as MLflow's own client does."""
    link = json.dumps([{"name": version.name, "version": str(version.version)}])
    if model.tags.get(MODEL_VERSIONS) != link:
        registry.client.set_logged_model_tags(model.model_id, {MODEL_VERSIONS: link})
