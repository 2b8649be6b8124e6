"""What the working tree is: its commit, whether it was changed since, and what DVC holds of it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from commands.workspace.lockfile import LOCK
from stages.shared.errors import PipelineError
from stages.shared.storage import sha256

OUR_OWN = ":!data/registry"  # the log of moves changes with every move, and is no input of a model


@dataclass(frozen=True)
class Workspace:
    """The commit, whether tracked files differ from it, and hashes of ``dvc.lock`` and output.

    ``out`` is the hash by which DVC's cache and remotes know the folder ``models/<task>``.
    """

    commit: str
    is_changed: bool
    lock: str
    out: str

    def tags(self) -> dict[str, str]:
        return {
            "mlflow.source.git.commit": self.commit,
            "git.changed": str(self.is_changed).lower(),
            "dvc.lock.sha256": self.lock,
            "dvc.out.md5": self.out,
        }


def read_workspace(task: str) -> Workspace:
    """Return the state that made the task's model; raises PipelineError where it did not."""
    check_up_to_date(task)
    return Workspace(
        commit=git("rev-parse", "HEAD"),
        is_changed=bool(git("status", "--porcelain", "--untracked-files=no", "--", ".", OUR_OWN)),
        lock=sha256(LOCK),
        out=out_hash(task),
    )


def check_up_to_date(task: str) -> None:
    """Raise PipelineError where the exported model is not what code, data and params give."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        changed = Repo().status(targets=[f"export@{task}"], with_deps=True)
    except DvcException as error:
        raise PipelineError(f"DVC cannot tell how models/{task} was made: {error}") from error
    if changed:
        stages = ", ".join(changed)
        raise PipelineError(f"models/{task} is out of date ({stages} changed): `make repro` first")


def out_hash(task: str) -> str:
    """Return the MD5 under which DVC keeps the exported folder."""
    with LOCK.open(encoding="utf-8") as file:
        stages = YAML(typ="safe").load(file)["stages"]
    outs = stages.get(f"export@{task}", {}).get("outs", [])
    found = [out["md5"] for out in outs if out["path"] == f"models/{task}"]
    if not found:
        raise PipelineError(f"{LOCK} has no models/{task}: run `dvc repro export@{task}` first")
    return str(found[0])


def git(*words: str, folder: Path = Path()) -> str:
    """Return what git says; raises PipelineError with its own message where it fails."""
    command = ["git", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PipelineError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


def ask_git(*words: str) -> str:
    """Return what git says, or "" where it says no."""
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return "" if done.returncode else done.stdout.strip()


def read_archive(commit: str, folder: Path) -> bytes:
    """Return a folder of a commit as a tar; raises PipelineError where the commit has none."""
    command = ["git", "archive", "--format=tar", commit, folder.as_posix()]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise PipelineError(f"`{' '.join(command)}` failed: {done.stderr.decode().strip()}")
    return done.stdout
