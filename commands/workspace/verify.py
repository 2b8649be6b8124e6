"""Holds everything DVC tracks against its hash: ``python -m commands verify`` (or ``make verify``).

DVC never checks its cache: a damaged object is handed out as it is. Here a damaged object is set
aside, so that the next ``dvc repro`` makes it anew.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dvc.repo import Repo

from commands.workspace.tracked import Tracked, cached, is_intact, tracked
from serve.runtime.manifest import MANIFEST
from serve.runtime.manifest_file import ManifestError, read_manifest
from stages import compose
from stages.shared.errors import PipelineError
from stages.shared.storage import read_json, sha256

SET_ASIDE = Path(".dvc/tmp/damaged")
REMEDY = "run `make repro` to make them anew, or `make pull` to restore what is only absent"


def find_problems() -> list[str]:
    """Return a line for each thing that is damaged or out of date."""
    repo = Repo()
    return [
        *out_of_date(),
        *damaged_outputs(repo),
        *outdated_stages(repo),  # after it, for DVC deletes a damaged object that it comes across
        *damaged_exports(Path("models")),
    ]


def out_of_date() -> Iterator[str]:
    """Yield what is composed from ``conf/`` and ``stages/`` and no longer agrees with them."""
    try:
        compose.check()
    except PipelineError as error:
        yield str(error)


def damaged_outputs(repo: Any) -> Iterator[str]:
    """Yield each tracked file whose bytes, here or in the cache, do not have their hash."""
    for it in tracked(repo):
        yield from _damaged_object(repo, it)
        path = Path(repo.root_dir, it.path)
        if path.is_file() and not _is_intact(path, it.digest):
            yield f"{it.path}: differs from dvc.lock, which says {it.digest}"


def outdated_stages(repo: Any) -> Iterator[str]:
    """Yield where dvc.lock is of other files, parameters or commands than the workspace has."""
    for stage, changes in repo.status(check_updates=False).items():
        for change in changes:
            for words in _in_words(change):
                yield f"{stage}: {words}"


def damaged_exports(folder: Path) -> Iterator[str]:
    """Yield each manifest that names a file which is not as it says, or was changed itself."""
    for path in sorted(folder.glob(f"*/{MANIFEST}")):
        try:
            read_manifest(path.parent)
        except ManifestError as error:
            yield f"{path.parent}: {error}"
        for entry in _named_files(read_json(path)):
            file = path.parent / entry["file"]
            if not file.exists() or sha256(file) != entry["sha256"]:
                yield f"{file} is not what {path} names"


def _in_words(change: Any) -> Iterator[str]:
    """Put an entry of DVC's status into words; outputs that differ are found by their bytes."""
    if isinstance(change, str):  # such as "changed command"
        yield f"{change} since dvc.lock was written"
        return
    for name, state in change.get("changed deps", {}).items():
        # Of params.yaml it is told which keys.
        for changed, how in state.items() if isinstance(state, dict) else [(name, state)]:
            yield f"{changed} is {how} since dvc.lock was written"
    for name, state in change.get("changed outs", {}).items():
        if state != "modified" or Path(name).is_dir():
            yield f"{name} is {state}"


def _named_files(content: Any) -> Iterator[dict[str, str]]:
    """Yield each part of a manifest, at any depth, that names a file with its SHA-256."""
    if isinstance(content, dict):
        if {"file", "sha256"} <= set(content):
            yield content
        content = list(content.values())
    if isinstance(content, list):
        for part in content:
            yield from _named_files(part)


def _damaged_object(repo: Any, it: Tracked) -> Iterator[str]:
    path = cached(repo, it.digest)
    if path.exists() and not _is_intact(path, it.digest):
        yield f"{it.path}: its cache object {it.digest} is damaged; set aside in {_set_aside(path)}"


def _is_intact(path: Path, digest: str) -> bool:
    with path.open("rb") as file:
        return is_intact(file, digest)


def _set_aside(cached: Path) -> Path:
    SET_ASIDE.mkdir(parents=True, exist_ok=True)
    target = SET_ASIDE / f"{cached.parent.name}{cached.name}"
    shutil.move(cached, target)
    return target
