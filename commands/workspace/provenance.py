"""What the working tree is: its commit, whether it was changed since, and what DVC holds of it."""

from dataclasses import dataclass

from commands.workspace.git import run_git
from commands.workspace.lockfile import LOCK, list_output_hashes, read_stages
from stages.shared.errors import PipelineError
from stages.shared.storage import sha256

OUR_OWN = ":!data/registry"  # the audit log grows with every transition, and is no input


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
        commit=run_git("rev-parse", "HEAD"),
        is_changed=bool(
            run_git("status", "--porcelain", "--untracked-files=no", "--", ".", OUR_OWN)
        ),
        lock=sha256(LOCK),
        out=read_out_hash(task),
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


def read_out_hash(task: str) -> str:
    """Return the MD5 under which DVC keeps the exported folder."""
    entry = read_stages().get(f"export@{task}", {})
    found = list_output_hashes(entry).get(f"models/{task}")
    if not found:
        raise PipelineError(f"{LOCK} has no models/{task}: run `dvc repro export@{task}` first")
    return found
