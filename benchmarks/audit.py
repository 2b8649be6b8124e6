"""What a clone holds of a task, after all of it was verified: for `benchmarks.kills`.

Two clones that hold the same give the same.
"""

import os
from contextlib import redirect_stdout
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import mlflow  # noqa: F401 - once, and not in each audit
from dvc.exceptions import DvcException

from commands.registry import history
from commands.registry.audit_log import AuditLog
from commands.registry.store import CHALLENGER, CHAMPION, CONTENT, DATABASE, Registry, registry
from commands.workspace import verify
from commands.workspace.lockfile import read_lock
from serve.runtime.load import load_model
from serve.runtime.manifest_file import ManifestError
from stages.shared.errors import PipelineError
from stages.shared.storage import sha256

Audit = tuple[dict[str, Any], list[str]]  # what is there, and what is wrong


def audit(folder: Path, task: str) -> Audit:
    """Verify the clone in ``folder`` in a process of its own, which ends with the audit."""
    with get_context("fork").Pool(1) as pool:
        return pool.apply(_audit, (folder, task))


def _audit(folder: Path, task: str) -> Audit:
    os.chdir(folder)
    try:
        with redirect_stdout(StringIO()):
            if problems := verify.find_problems():
                return {}, problems
            load_model(Path("models", task))  # it gives its golden predictions again
            return {"dvc.lock": read_lock(), "model": files(Path("models", task))} | held(task), []
    except (PipelineError, ManifestError, DvcException, OSError, SystemExit) as error:
        return {}, [str(error)]


def files(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in sorted(folder.iterdir())}


def held(task: str) -> dict[str, Any]:
    """Return moves, aliases, versions and runs; nothing where there is no registry."""
    if not DATABASE.exists():
        return {}
    log = AuditLog(task)
    history.verify(log)
    with registry() as store:
        return {
            "moves": [(it.kind, it.before, it.version, it.content) for it in log.transitions()],
            "aliases": {name: pointed(store, task, name) for name in (CHAMPION, CHALLENGER)},
            "versions": versions(store, task),
            "runs": runs(store, task),
        }


def pointed(store: Registry, task: str, alias: str) -> str | None:
    found = store.version_at_alias(task, alias)
    return str(found.version) if found else None


def versions(store: Registry, task: str) -> list[tuple[str, str]]:
    """Return number and content of each version."""
    found = store.client.search_model_versions(f"name = '{task}'")
    return sorted((str(it.version), it.tags[CONTENT]) for it in found)


def runs(store: Registry, task: str) -> list[tuple[str, str, int, int]]:
    """Return of each run its content, its state, and how many params and metrics it has."""
    found = store.client.search_runs([store.experiment(task)])
    return sorted(
        (it.data.tags[CONTENT], it.info.status, len(it.data.params), len(it.data.metrics))
        for it in found
    )
