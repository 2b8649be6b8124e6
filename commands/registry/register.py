"""Registers what the pipeline has made: ``python -m commands register heart``.

Each candidate becomes an MLflow run, the exported model a version with the alias ``challenger``.
This is no stage in ``dvc.yaml``, and `make repro` never runs it: what a server holds is outside
DVC's sight, so DVC could tell neither that it is up to date nor that it is not. It looks for itself
what the registry has, and a second time changes nothing.
"""

import sys
from pathlib import Path

from commands.registry.artifact import read_export
from commands.registry.runs import TaskResults, log_all
from commands.registry.store import CHALLENGER, registry
from commands.workspace.git import read_workspace
from stages.exporting.evaluated import read_evaluated
from stages.runner.declare import run_plainly

USAGE = "python -m commands register TASK"


def main() -> None:
    """Register one task's candidates and model; raises PipelineError and changes nothing here."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {USAGE}")
    register(sys.argv[1])


def register(task: str) -> None:
    """Log, register and point ``challenger`` at the version; tell which it is."""
    found = read_results(task)
    if found.workspace.is_changed:
        print("files in git have changes that are not committed: `reproduce` will refuse this one")
    with registry() as store:
        version = log_all(store, found)
        store.set_alias(task, CHALLENGER, str(version.version))
        count = len(found.evaluated.candidates)
        print(f"{task}: {count} runs, model {found.manifest.version} is version {version.version}")
        print(f"  in {store.address}, alias {CHALLENGER}; next: make promote TASK={task} WHY=…")


def read_results(task: str) -> TaskResults:
    """Read what is to be registered; raises PipelineError where it is stale or damaged."""
    workspace = read_workspace(task)
    manifest, content = read_export(Path("models", task))
    evaluated = read_evaluated(Path("data/evaluated", task))
    return TaskResults(task, evaluated, manifest, content, workspace)


if __name__ == "__main__":
    run_plainly("register", main)
