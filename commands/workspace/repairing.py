"""Repairs what makes every later command of DVC fail: a kill's leavings, and a merge's.

DVC writes ``dvc.lock`` and its list of locks in place, so that a kill can cut either one off.
"""

import json
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import psutil

from commands.workspace.conflicts import resolve_lock
from commands.workspace.git import read_at_commit
from commands.workspace.lockfile import LOCK, read_lock, write_entries
from commands.workspace.merging import split_entries

BUSY = Path(".dvc/tmp/rwlock")  # which process reads and writes what
SECONDS_TO_WRITE = 0.1  # far more than a process that lives takes to write it


def repair_files() -> None:
    """Repair what is cut off or in conflict, and say so; usually this costs a look at two files."""
    for message in (*resolve_lock(), *_restore_lock(), *_remove_stale_rwlock()):
        print(message, flush=True)


def is_cut_off(text: str) -> bool:
    """Tell whether ``dvc.lock`` ends within a line, or with a key that has lost its value."""
    return not text.endswith("\n") or text.rstrip().endswith(":")


def _restore_lock() -> Iterator[str]:
    """Keep the whole entries and take those behind them from the last commit.

    What has run since that commit is then restored by DVC from its run cache, or runs again.
    """
    if not LOCK.exists() or not is_cut_off(text := read_lock()):
        return
    kept = split_entries(text)[:-1]
    names = {name for name, _ in kept}
    committed = split_entries(read_at_commit("HEAD", LOCK) or "")
    lost = [entry for entry in committed if entry[0] not in names]
    if any(name for name, _ in [*kept, *lost]):
        write_entries([*kept, *lost])
    else:
        LOCK.unlink()
    yield f"{LOCK} was cut off by a kill; it is repaired, and what it lost is restored or rerun"


def _remove_stale_rwlock() -> Iterator[str]:
    """Take the list away where it is cut off; looks twice, for somebody may just be writing it.

    So too where all that it names are dead: DVC takes one for alive whose parent did not notice.
    """
    if not _is_whole(BUSY):
        time.sleep(SECONDS_TO_WRITE)
        if not _is_whole(BUSY):
            BUSY.unlink(missing_ok=True)
            yield f"{BUSY} was left by a kill and is gone: DVC makes a new one"


def _is_whole(path: Path) -> bool:
    """Tell whether the list can be read, and names a process that lives if it names any."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    named = [*content.get("write", {}).values(), *chain(*content.get("read", {}).values())]
    return not named or any(_is_alive(process["pid"]) for process in named)


def _is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
