"""Registers what the pipeline has made: ``python -m commands register heart``.

Each candidate becomes an MLflow run, the exported model a version with the alias ``challenger``.
This is no stage in ``dvc.yaml``, and `make repro` never runs it: what a server holds is outside
DVC's sight, so DVC could tell neither that it is up to date nor that it is not. It looks for itself
what the registry has, and a second time changes nothing.
"""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from commands.registry.artifact import read_export
from commands.registry.results import TaskResults
from commands.registry.runs import log_all
from commands.registry.store import CHALLENGER, registry
from commands.workspace.provenance import read_workspace
from stages.evaluating.content import read_evaluation

UNCOMMITTED = (
    "files in git have changes that are not committed: `promote` and `rebuild` refuse this version "
    "until you commit and register again"
)


@dataclass(frozen=True)
class Registered:
    """What the registry now has of a task."""

    task: str
    model: str  # the manifest's own version
    version: str
    runs: int
    registry: str
    page: str | None  # the experiment's in MLflow, where a server shows it
    alias: str = CHALLENGER

    def lines(self) -> list[str]:
        """Return what a person reads."""
        return [
            f"{self.task}: {self.runs} runs, model {self.model} is version {self.version}",
            f"  in {self.registry}, alias {self.alias}; next: make promote TASK={self.task} WHY=…",
            *([f"  see {self.page}"] if self.page else []),
        ]

    def content(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def register(task: str) -> Registered:
    """Log, register and point ``challenger`` at the version; return which it is.

    Raises PipelineError, and changes nothing here, where the model is stale or damaged.
    """
    found = read_results(task)
    if found.workspace.is_changed:
        print(UNCOMMITTED, file=sys.stderr)
    with registry() as store:
        version = str(log_all(store, found).version)
        store.set_alias(task, CHALLENGER, version)
        runs = len(found.evaluated.candidates)
        page = store.page(task)
        return Registered(task, found.manifest.version, version, runs, store.address, page)


def read_results(task: str) -> TaskResults:
    """Read what is to be registered; raises PipelineError where it is stale or damaged."""
    workspace = read_workspace(task)
    manifest, content = read_export(Path("models", task))
    evaluated = read_evaluation(Path("data/evaluated", task))
    return TaskResults(task, evaluated, manifest, content, workspace)
