"""Writes what people read in MLflow: of an experiment, a run, a registered model, a version."""

from typing import TYPE_CHECKING

from commands.registry.results import TaskResults
from commands.registry.store import Registry
from stages.evaluating.content import Candidate
from stages.evaluating.formatting import format_number

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

NOTE = "mlflow.note.content"
KIND, TRAINING = "mlflow.experimentKind", "custom_model_development"  # else MLflow shows traces
LONGEST = 5_000  # characters that MLflow's database holds
OF_THE_MODEL = ("What it predicts", "Intended use and limits", "Columns")
OF_THE_VERSION = ("The champion", "On the test rows")


def describe_experiment(registry: Registry, experiment: str, found: TaskResults) -> None:
    """Say what kind of experiment it is, and what it is about."""
    known = registry.client.get_experiment(experiment).tags
    wanted = {KIND: TRAINING, NOTE: pick_sections(found.card, OF_THE_MODEL[:2])}
    for key, value in wanted.items():
        if known.get(key) != value:
            registry.client.set_experiment_tag(experiment, key, value)


def describe_run(found: TaskResults, candidate: Candidate) -> dict[str, str]:
    """Return the tags that say what the run is: where it comes from, and what became of it."""
    metric = found.evaluated.metric
    score = f"{format_number(candidate.mean)} ± {format_number(candidate.standard_error)}"
    became = (
        f"Champion. {found.evaluated.explanation}"
        if found.is_champion(candidate)
        else f"Candidate; {found.evaluated.champion} was chosen."
    )
    return {
        NOTE: f"{became}\n\nCross-validated {metric}: {score}.",
        **describe_source(found),
    }


def describe_source(found: TaskResults) -> dict[str, str]:
    """Return the tags by which MLflow says what made a run or model."""
    return {
        "mlflow.source.name": f"dvc repro evaluate-{found.task}",
        "mlflow.source.type": "JOB",
    }


def describe_version(registry: Registry, version: "ModelVersion", found: TaskResults) -> None:
    """Describe the registered model and its version from the card."""
    client, name, number = registry.client, str(version.name), str(version.version)
    about = pick_sections(found.card, OF_THE_MODEL)
    if client.get_registered_model(name).description != about:
        client.update_registered_model(name, about)
    text = pick_sections(found.card, OF_THE_VERSION)
    if version.description != text:
        client.update_model_version(name, number, text)


def pick_sections(card: str, titles: tuple[str, ...]) -> str:
    """Return the card's title and the sections whose headings begin so, as far as they fit."""
    title, *sections = card.split("\n## ")
    kept = [title.splitlines()[0]]
    kept += [f"## {section}".strip() for section in sections if section.startswith(titles)]
    return cut("\n\n".join(kept))


def cut(text: str) -> str:
    """Cut a text between lines to what MLflow holds."""
    if len(text) <= LONGEST:
        return text
    return text[: LONGEST - 2].rpartition("\n")[0] + "\n…"
