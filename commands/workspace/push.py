"""Sends what dvc.lock names, and the run cache, to the remote: ``python -m commands push``.

Stopped at any point, it goes on from there when it is run again (``make push``).
"""

from typing import Any

from dvc.repo import Repo

from commands.workspace.remote import connect, find_missing, report_objects, run_dvc, shorten_lines
from commands.workspace.tracked import list_tracked, locate_object
from stages.shared.errors import PipelineError

# Where DVC keeps one, in the layout that its run cache still has.
RUNS, LAYOUT = "runs", "md5-dos2unix"


def push() -> str:
    """Push, and return what was sent; fail where a fresh clone would then lack something."""
    repo = Repo()
    remote = connect(repo)
    absent = find_missing(remote, list_tracked(repo))
    if absent and not run_dvc("push"):
        raise PipelineError("not everything was sent: run the same command again")
    send_lost(repo, remote)
    runs = send_run_cache(repo)
    lacking = report_objects(
        remote, find_missing(remote, list_tracked(repo)), "is neither in the cache nor at"
    )
    if lacking:
        listing = shorten_lines(lacking)
        raise PipelineError(f"a fresh clone would miss this:\n{listing}\nrun `make repro` first")
    return summarise_push(len({entry.digest for entry in absent}), runs)


def summarise_push(objects: int, runs: int) -> str:
    """Say how much was sent, and where there was nothing to send, say that."""
    if not objects and not runs:
        return "nothing to send: the remote has everything"
    return f"sent {objects:,} files and {runs:,} entries of the run cache"


def send_lost(repo: Any, remote: Any) -> None:
    """Send what the remote had once and lost: DVC takes a folder's list for all of its files."""
    for entry in find_missing(remote, list_tracked(repo)):
        path = locate_object(repo, entry.digest)
        if path.exists():
            remote.add(str(path), repo.cache.local.fs, entry.digest)


def send_run_cache(repo: Any) -> int:
    """Send the entries of the run cache that the remote lacks; return how many.

    `dvc push --run-cache` sends all of them every time. An entry never changes and arrives as a
    whole, so one of the same name is the same.
    """
    from dvc_objects.fs.generic import copy

    here, there = repo.cache.legacy, repo.cloud.get_remote_odb(hash_name=LAYOUT)
    if there.fs.protocol in ("http", "https"):  # they can list nothing
        return 0
    names = sorted(_list_runs(here) - _list_runs(there))
    if names:
        sources, targets = ([_locate_entry(odb, name) for name in names] for odb in (here, there))
        copy(here.fs, sources, there.fs, targets)
    return len(names)


def _list_runs(odb: Any) -> set[str]:
    """Return the path of each entry under the cache or remote."""
    root = odb.fs.join(odb.path, RUNS)
    if not odb.fs.exists(root):
        return set()
    return {odb.fs.as_posix(odb.fs.relpath(path, odb.path)) for path in odb.fs.find(root)}


def _locate_entry(odb: Any, name: str) -> str:
    return str(odb.fs.join(odb.path, *name.split("/")))
