"""Keeps what a version says of its origin true: the commit whose parameters made the model.

A model is found again by its content. Registered from a tree with uncommitted changes, its commit
is not what made it; registered again once that is committed, it gets the commit that did.
"""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from commands.registry.logged_models import find_model
from commands.registry.results import TaskResults
from commands.registry.store import Registry
from stages.shared.errors import PipelineError

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHANGED = "git.changed"
HISTORY = "registered"  # every state of the workspace that a version was registered from
MOST = 20  # states that are kept, the latest ones


def is_committed(version: "ModelVersion") -> bool:
    """Say whether the version's commit holds all that made the model."""
    return version.tags.get(CHANGED) == "false"


def check_committed(version: "ModelVersion") -> None:
    """Raise PipelineError where no commit is known that made the version's model."""
    if not is_committed(version):
        raise PipelineError(
            f"version {version.version} of {version.name} was registered with changes that no "
            f"commit has: commit them, then `make register TASK={version.name}` again"
        )


def update_provenance(
    registry: Registry, experiment: str, version: "ModelVersion", found: TaskResults
) -> None:
    """Bring the tags of version, logged model and runs up to date; keep what they were before.

    A version that was registered from a commit keeps it: that commit gives the model already.
    """
    tags = found.workspace.tags()
    if is_committed(version) or all(version.tags.get(key) == tags[key] for key in tags):
        return
    history = [*_read_history(version, tags), {**tags, "known": _now()}]
    for candidate in found.evaluated.candidates:
        if run := registry.run(experiment, found.identity(candidate)):
            for key, value in tags.items():
                registry.client.set_tag(run.info.run_id, key, value)
    if model := find_model(registry, experiment, found):
        registry.client.set_logged_model_tags(model.model_id, tags)
    for key, value in {HISTORY: json.dumps(history[-MOST:]), **_order(tags)}.items():
        registry.client.set_model_version_tag(str(version.name), str(version.version), key, value)


def _read_history(version: "ModelVersion", tags: dict[str, str]) -> list[dict[str, Any]]:
    """Return the states so far, without the one that ``tags`` describe.

    Without a history there is one state: that of the version's tags.
    """
    known = json.loads(version.tags.get(HISTORY, "[]"))
    first = {key: version.tags.get(key) for key in tags}
    return [state for state in known or [first] if any(state.get(key) != tags[key] for key in tags)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _order(tags: dict[str, str]) -> dict[str, str]:
    """Order the tags so that a kill leaves a version that still counts as uncommitted."""
    return {**{key: tags[key] for key in tags if key != CHANGED}, CHANGED: tags[CHANGED]}
