"""Brings ``params.yaml`` up to date before a command reads it."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from commands.workspace.lockfile import LOCK
from commands.workspace.prune import find_tasks
from stages.composing.files import CONF, LOCKS, MENU, read_text
from stages.composing.paths import DVC_FILE
from stages.composing.record import RECORD
from stages.runner.declare import COMPOSED, PARAMS_FILE
from stages.shared.conflict import has_conflict
from stages.shared.storage import write_text

CURRENT = Path(".dvc/tmp/composed-files")  # the hash of all that was composed last, and from what
CODE = ("stages", "commands")


def compose_first(stages: Iterable[str] = ()) -> None:
    """Compose as ``compose`` does, where there is a ``conf/`` and anything has changed since.

    Where ``stages`` are named, tasks that own none of them may fail to compose. Composing imports
    what all models need, some seconds of CPU: a hash of the files tells sooner.
    """
    if not (CONF / "config.yaml").exists() or _is_current():
        return
    from commands.workspace.compose import compose

    tasks = [path.stem for path in sorted(CONF.glob("task/*.yaml"))]
    compose(wanted=find_tasks(stages, tasks))
    if not all(f"task@task.{name}:" in read_text(MENU) for name in tasks):
        return  # what is left out has to be told of again
    write_text(CURRENT, _hash_files())


def _is_current() -> bool:
    return read_text(CURRENT) == _hash_files() and not has_conflict(read_text(LOCK))


def _hash_files() -> str:
    """Return the SHA-256 of every file that composing reads or writes, by name."""
    digest = hashlib.sha256()
    for path in _list_files():
        digest.update(f"{path}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest() if path.exists() else b"absent")
    return digest.hexdigest()


def _list_files() -> Iterator[Path]:
    yield from sorted(path for path in CONF.rglob("*") if path.is_file())
    for folder in CODE:
        yield from sorted(Path(folder).rglob("*.py"))
    yield from map(Path, LOCKS)
    yield from (PARAMS_FILE, DVC_FILE, RECORD, *sorted(COMPOSED.rglob("*.yaml")))
