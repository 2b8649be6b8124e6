"""Sends what dvc.lock names, and the run cache, to the remote: ``python -m commands push``.

Stopped at any point, it goes on from there when it is run again (``make push``).
"""

from typing import Any

from dvc.repo import Repo

from commands.workspace.remote import connect, described, dvc, missing, shortened
from commands.workspace.tracked import cached, tracked
from stages.shared.errors import PipelineError


def push() -> None:
    """Push; fail where the remote then lacks something that a fresh clone would need."""
    repo = Repo()
    remote = connect(repo)
    if not dvc("push", "--run-cache"):
        raise PipelineError("not everything was sent: run it again, it goes on from there")
    send_lost(repo, remote)
    lacking = described(remote, missing(remote, tracked(repo)), "is neither in the cache nor at")
    if lacking:
        listing = shortened(lacking)
        raise PipelineError(f"a fresh clone would miss this:\n{listing}\nrun `make repro` first")


def send_lost(repo: Any, remote: Any) -> None:
    """Send what the remote had once and lost: DVC takes a folder's list for all of its files."""
    for it in missing(remote, tracked(repo)):
        path = cached(repo, it.digest)
        if path.exists():
            remote.add(str(path), repo.cache.local.fs, it.digest)
