"""Makes a registered model again from nothing: ``python -m commands rebuild heart@champion``.

Its commit is checked out beside the workspace, its data restored by hash, every stage run without
a cache, and every output held against the ``dvc.lock`` of then.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from commands.registry.artifact import read_export
from commands.registry.provenance import check_committed
from commands.registry.restoring import COMMIT
from commands.registry.store import CONTENT, registry
from commands.workspace.git import run_git
from commands.workspace.lockfile import LOCK, list_output_hashes, read_stages, read_text
from stages.shared.errors import PipelineError

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

Hashes = dict[str, str]  # of each output, by stage and path
RUNNING = re.compile(r"^Running stage '([^']+)'", re.M)


def rebuild(task: str, name: str) -> str:
    """Say that all is equal, or raise PipelineError that lists what differs."""
    with registry() as store:
        version = store.version(task, name)
    with tempfile.TemporaryDirectory() as folder:
        return rebuild_version(version, Path(folder, "repository"))


def rebuild_version(version: "ModelVersion", copy: Path) -> str:
    """Run the version's pipeline in ``copy``, which does not exist yet; return what was found."""
    task = str(version.name)
    check_out(version, copy)
    then = read_output_hashes(copy)
    ran = run_stages(copy, task)
    now = read_output_hashes(copy)
    differing = sorted(key for key in then if then[key] != now.get(key))
    if differing:
        raise PipelineError(
            f"version {version.version} of {task} is not the same again; these outputs differ:\n"
            + "\n".join(
                f"  {key}: {then[key]}, now {now.get(key, 'not there')}" for key in differing
            )
        )
    _, content = read_export(copy / "models" / task)
    if content != version.tags[CONTENT]:
        raise PipelineError(f"all is as in {LOCK}, but another model than this was registered")
    count = sum(key.split(": ")[0] in ran for key in then)
    return f"version {version.version} of {task}: {len(ran)} stages, {count} outputs, all equal"


def check_out(version: "ModelVersion", copy: Path) -> None:
    """Clone this repository at the version's commit; raises PipelineError if that says too little.

    The clone uses this workspace's cache for the data that ``dvc add`` keeps.
    """
    check_committed(version)
    run_git("clone", "--quiet", "--shared", "--no-checkout", str(Path().resolve()), str(copy))
    run_git("checkout", "--quiet", "--detach", version.tags[COMMIT], folder=copy)
    run_dvc(copy, "config", "--local", "cache.dir", str(Path(".dvc/cache").resolve()))
    if pointers := sorted(str(path.relative_to(copy)) for path in copy.glob("data/raw/**/*.dvc")):
        run_dvc(copy, "pull" if has_remote(copy) else "checkout", *pointers)


def has_remote(copy: Path) -> bool:
    return bool(run_dvc(copy, "remote", "list").strip())


def run_stages(copy: Path, task: str) -> set[str]:
    """Run every stage that the task's model needs, whatever was run before; return their names."""
    output = run_dvc(copy, "repro", "--force", "--no-run-cache", "--no-commit", f"export@{task}")
    return set(RUNNING.findall(output))


def run_dvc(copy: Path, *words: str) -> str:
    """Return what DVC says; raises PipelineError with the end of it where it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
    command = ["dvc", *words]
    done = subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        output = (done.stdout + done.stderr).strip()[-2_000:]
        raise PipelineError(f"`{' '.join(command)}` failed at that commit:\n{output}")
    return done.stdout


def read_output_hashes(folder: Path) -> Hashes:
    """Return the hash of every output in the ``dvc.lock`` of a clone."""
    stages = read_stages(lambda path: read_text(folder / path))
    return {
        f"{name}: {path}": digest
        for name, entry in stages.items()
        for path, digest in list_output_hashes(entry).items()
    }
