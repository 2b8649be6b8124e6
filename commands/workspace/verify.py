"""Holds everything DVC tracks against its hash: ``python -m commands verify`` (or ``make verify``).

DVC never checks its cache: a damaged object is handed out as it is. Here a damaged object is set
aside, so that the next ``dvc repro`` makes it anew.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dvc.repo import Repo

from commands.workspace.conflicts import find_conflicts
from commands.workspace.tracked import Tracked, is_intact, list_tracked, locate_object
from serve.runtime.manifest import MANIFEST
from serve.runtime.manifest_file import ManifestError, read_manifest
from stages import compose
from stages.shared.errors import PipelineError
from stages.shared.storage import read_json, sha256

SET_ASIDE = Path(".dvc/tmp/damaged")
REMEDY = "run `make repro` to make them anew, or `make pull` to restore what is only absent"


def find_problems() -> list[str]:
    """Return a line for each thing that is damaged or out of date.

    Raises PipelineError where a file is in conflict: DVC cannot read it.
    """
    if found := find_conflicts():
        files = ", ".join(map(str, found))
        raise PipelineError(f"{files} in conflict after a merge: `python -m commands repair` first")
    repo = Repo()
    return [
        *find_stale_files(),
        *find_damaged_outputs(repo),
        # After the one above: DVC deletes a damaged object that it comes across.
        *find_outdated_stages(repo),
        *find_damaged_exports(Path("models")),
    ]


def find_stale_files() -> Iterator[str]:
    """Yield what is composed from ``conf/`` and ``stages/`` and no longer agrees with them."""
    try:
        compose.check()
    except PipelineError as error:
        yield str(error)


def find_damaged_outputs(repo: Any) -> Iterator[str]:
    """Yield each tracked file whose bytes, here or in the cache, do not have their hash."""
    for entry in list_tracked(repo):
        yield from _check_object(repo, entry)
        path = Path(repo.root_dir, entry.path)
        if path.is_file() and not _is_intact(path, entry.digest):
            yield f"{entry.path}: differs from dvc.lock, which says {entry.digest}"


def find_outdated_stages(repo: Any) -> Iterator[str]:
    """Yield where dvc.lock is of other files, parameters or commands than the workspace has."""
    for stage, changes in repo.status(check_updates=False).items():
        for change in changes:
            for words in _describe_change(change):
                yield f"{stage}: {words}"


def find_damaged_exports(folder: Path) -> Iterator[str]:
    """Yield each manifest that names a file which is not as it says, or was changed itself."""
    for path in sorted(folder.glob(f"*/{MANIFEST}")):
        try:
            read_manifest(path.parent)
        except ManifestError as error:
            yield f"{path.parent}: {error}"
        for entry in _find_named_files(read_json(path)):
            file = path.parent / entry["file"]
            if not file.exists() or sha256(file) != entry["sha256"]:
                yield f"{file} is not what {path} names"


def _describe_change(change: Any) -> Iterator[str]:
    """Put an entry of DVC's status into words; outputs that differ are found by their bytes."""
    if isinstance(change, str):  # such as "changed command"
        yield f"{change} since dvc.lock was written"
        return
    for name, state in change.get("changed deps", {}).items():
        # Of a parameter file DVC says which keys.
        for changed, how in state.items() if isinstance(state, dict) else [(name, state)]:
            yield f"{changed} is {how} since dvc.lock was written"
    for name, state in change.get("changed outs", {}).items():
        if state != "modified" or Path(name).is_dir():
            yield f"{name} is {state}"


def _find_named_files(content: Any) -> Iterator[dict[str, str]]:
    """Yield each part of a manifest, at any depth, that names a file with its SHA-256."""
    if isinstance(content, dict):
        if {"file", "sha256"} <= set(content):
            yield content
        content = list(content.values())
    if isinstance(content, list):
        for part in content:
            yield from _find_named_files(part)


def _check_object(repo: Any, entry: Tracked) -> Iterator[str]:
    path = locate_object(repo, entry.digest)
    if path.exists() and not _is_intact(path, entry.digest):
        where = _set_aside(path)
        digest = entry.digest
        yield f"{entry.path}: its cache object {digest} is damaged; set aside in {where}"


def _is_intact(path: Path, digest: str) -> bool:
    with path.open("rb") as file:
        return is_intact(file, digest)


def _set_aside(cached: Path) -> Path:
    SET_ASIDE.mkdir(parents=True, exist_ok=True)
    target = SET_ASIDE / f"{cached.parent.name}{cached.name}"
    shutil.move(cached, target)
    return target
