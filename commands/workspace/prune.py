"""Clears away what a task or model that was taken out of ``conf/`` has left behind.

DVC neither deletes the outputs of a stage that is gone nor drops it from ``dvc.lock``; a model
folder left behind would still be served. The bytes stay in DVC's cache.
"""

import re
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from commands.workspace.lockfile import read_lock, read_stages, write_entries
from commands.workspace.merging import split_entries


def remove_leftovers(pipeline: Any, left_out: Collection[str] = ()) -> None:
    """Delete the lock's entries, and the outputs they list, of stages that are declared no more.

    ``pipeline`` is the content of ``dvc.yaml``. What ``left_out`` tasks have made stays: their
    files are there, and only do not hold.
    """
    text = read_lock()
    declared = list_stage_names(pipeline)
    locked = {
        name: [out["path"] for out in entry.get("outs", [])]
        for name, entry in read_stages().items()
    }
    gone = [name for name in locked if name not in declared and not find_tasks([name], left_out)]
    if gone:
        kept = {out for name in declared for out in locked.get(name, [])}
        for path in sorted({out for name in gone for out in locked[name]} - kept):
            _delete_path(Path(path))
            print(f"removed {path}: conf/ no longer asks for it (DVC's cache still has it)")
        write_entries((name, block) for name, block in split_entries(text) if name not in gone)


def find_tasks(stages: Iterable[str], tasks: Iterable[str]) -> list[str]:
    """Return which of the tasks own one of these stages, such as ``train@heart-linear``."""
    return [
        task
        for task in tasks
        if any(re.search(rf"[@-]{re.escape(task)}(-|$)", stage) for stage in stages)
    ]


def list_stage_names(pipeline: Any) -> set[str]:
    """Return every stage's name, those of a ``foreach`` as DVC spells them: ``train@heart-x``."""
    names = set()
    for name, body in pipeline["stages"].items():
        names |= {f"{name}@{key}" for key in body["foreach"]} if "foreach" in body else {name}
    return names


def _delete_path(path: Path) -> None:
    """Delete a file or folder, and the folders above it that are empty then."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    for parent in list(path.parents)[:-2]:  # never data/ or models/ themselves
        if parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()
